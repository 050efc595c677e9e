package peers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"culvert/internal/config"
	"culvert/internal/importer"
	"culvert/test/lab"
)

// TestShippedSamplesImport: the sample configurations that the packages of
// xl2tpd and l2tpns ship are imported as they are, and with all that they have in
// comments switched on: no setting in them is unknown.
func TestShippedSamplesImport(t *testing.T) {
	lab.RequireKernel(t) // where the packages are installed
	for daemon, sample := range map[string]struct {
		files   []string
		comment *regexp.Regexp // what is before a setting that is switched off
	}{
		"xl2tpd": {
			[]string{"/etc/xl2tpd/xl2tpd.conf", "/etc/xl2tpd/l2tp-secrets"},
			regexp.MustCompile(`(?m)^[;#]\s*(\[|[a-z ]+=|\*|zeus)`),
		},
		"l2tpns": {
			[]string{"/etc/l2tpns/startup-config", "/etc/l2tpns/ip_pool", "/etc/l2tpns/users"},
			regexp.MustCompile(`(?m)^#\s*(set |load )`),
		},
	} {
		t.Run(daemon, func(t *testing.T) {
			importSample(t, daemon, readSamples(t, sample.files, nil))
			text := importSample(t, daemon, readSamples(t, sample.files, sample.comment))
			if !strings.Contains(text, "tunnel profile modify profile_name=default") {
				t.Errorf("little was imported of what was switched on:\n%s", text)
			}
		})
	}
}

func readSamples(t *testing.T, paths []string, comment *regexp.Regexp) []importer.File {
	t.Helper()
	var files []importer.File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if comment != nil {
			text = comment.ReplaceAll(text, []byte("$1"))
		}
		files = append(files, importer.File{Name: filepath.Base(path), Text: string(text)})
	}
	return files
}

// importSample imports files, and makes sure that the result loads.
func importSample(t *testing.T, daemon string, files []importer.File) string {
	t.Helper()
	r, err := importer.Import(daemon, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range r.Notes {
		if strings.Contains(n.Text, "unknown to the importer") {
			t.Errorf("unknown: %s", n)
		}
	}
	if err := config.NewStore("host").Load("imported.conf", []byte(r.Text)); err != nil {
		t.Errorf("what was imported does not load: %v\n%s", err, r.Text)
	}
	return r.Text
}
