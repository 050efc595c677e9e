package importer

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"culvert/internal/config"
)

var update = flag.Bool("update", false, "write what was imported into testdata")

// TestImport: each archive in testdata has the files of a configuration, what
// they become, and what is said of the rest. Its name begins with the daemon's.
func TestImport(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal("no archives", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var files []File
			want := map[string]string{}
			for _, f := range archive.Files {
				if f.Name == "want.conf" || f.Name == "want.notes" {
					want[f.Name] = string(f.Data)
					continue
				}
				files = append(files, File{f.Name, string(f.Data)})
			}
			got := imported(t, daemonOf(path), files)
			if *update {
				write(t, path, archive, got)
				return
			}
			for name, text := range got {
				if text != want[name] {
					t.Errorf("%s:\n%s\nwant:\n%s", name, text, want[name])
				}
			}
		})
	}
}

func daemonOf(path string) string {
	base := filepath.Base(path)
	for _, name := range Daemons() {
		if strings.HasPrefix(base, name) {
			return name
		}
	}
	return base
}

// lookUp knows one host.
func lookUp(host string) ([]netip.Addr, error) {
	if host != "lns.example.net" {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{netip.MustParseAddr("192.0.2.77")}, nil
}

// imported imports files, and makes sure that the result loads.
func imported(t *testing.T, daemon string, files []File) map[string]string {
	t.Helper()
	r, err := Import(daemon, files, lookUp)
	if err != nil {
		return map[string]string{"want.conf": "", "want.notes": err.Error() + "\n"}
	}
	if err := config.NewStore("host").Load("imported.conf", []byte(r.Text)); err != nil {
		t.Errorf("what was imported does not load: %v", err)
	}
	var notes strings.Builder
	for _, n := range r.Notes {
		notes.WriteString(n.String() + "\n")
	}
	return map[string]string{"want.conf": r.Text, "want.notes": notes.String()}
}

func write(t *testing.T, path string, a *txtar.Archive, got map[string]string) {
	t.Helper()
	kept := a.Files[:0]
	for _, f := range a.Files {
		if f.Name != "want.conf" && f.Name != "want.notes" {
			kept = append(kept, f)
		}
	}
	a.Files = append(kept, txtar.File{Name: "want.conf", Data: []byte(got["want.conf"])},
		txtar.File{Name: "want.notes", Data: []byte(got["want.notes"])})
	if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSecretsStayOutOfNotes: a note may name a statement, not its secret.
func TestSecretsStayOutOfNotes(t *testing.T) {
	const secret = "s3cr3t-word"
	for daemon, files := range map[string][]File{
		"xl2tpd": {
			{"xl2tpd.conf", "[global]\nauth file = x\n[lac a]\nlns = 192.0.2.1\npppoptfile = options\n"},
			{"options", "password " + secret + "\nname a\npassword\n"},
			{"l2tp-secrets", "* * " + secret + "\nbroken " + secret + "\n* \xff " + secret + "\n"},
			{"chap-secrets", "a b " + secret + " 1 2 3\n* b " + secret + "\na b other\n" + secret + "\n"},
		},
		"l2tpns": {
			{"startup-config", "set l2tp_secret " + secret + "\nset radius_secret " + secret + "\nsetforward m 1.2.3.4 1701 " + secret + "\n"},
			{"users", "enable:" + secret + "\n"},
		},
		"accel-ppp": {
			{"accel-ppp.conf", "[modules]\nl2tp\n[l2tp]\nsecret=" + secret + "\n[radius]\nserver=1.2.3.4," + secret + "\n[cli]\npassword=" + secret + "\n"},
		},
		"openl2tp": {{"openl2tpd.conf", "tunnel profile modify profile_name=default secret=" + secret + "\n"}},
	} {
		r, err := Import(daemon, files, lookUp)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error has the secret: %v", daemon, err)
			}
			t.Errorf("%s: %v", daemon, err)
			continue
		}
		for _, n := range r.Notes {
			if strings.Contains(n.String(), secret) && !strings.HasPrefix(n.Text, secret) {
				t.Errorf("%s: a note has the secret: %s", daemon, n)
			}
		}
	}
}

// FuzzImport: whatever the files hold, there is a result that loads, or an error.
func FuzzImport(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(daemonOf(path), file.Name, string(file.Data))
		}
	}
	f.Fuzz(func(t *testing.T, daemon, name, text string) {
		r, err := Import(daemon, []File{{name, text}}, lookUp)
		if err != nil {
			return
		}
		if err := config.NewStore("host").Load("imported.conf", []byte(r.Text)); err != nil {
			t.Errorf("what was imported does not load: %v\n%s", err, r.Text)
		}
	})
}
