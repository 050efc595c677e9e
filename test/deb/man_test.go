package deb

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestManual: the formatters have nothing to say about the manual's pages, and
// what they refer to is there.
func TestManual(t *testing.T) {
	need(t, "mandoc", "man")
	pages, err := filepath.Glob(filepath.Join(root, "packaging/man/*.[1-8]"))
	if err != nil || len(pages) != 6 {
		t.Fatalf("pages %q, %v, want 6", pages, err)
	}
	for _, page := range pages {
		out, _ := exec.Command("mandoc", "-Tlint", page).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, "referenced manual not found") { // those not installed
				t.Error(line)
			}
		}
		cmd := exec.Command("man", "--warnings", "--encoding=UTF-8", "--local-file", page)
		cmd.Env = append(os.Environ(), "MANPAGER=cat", "MANWIDTH=80")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if out, err := cmd.Output(); err != nil || stderr.Len() > 0 || len(out) < 1000 {
			t.Errorf("man %s: %v, %d bytes, %s", page, err, len(out), stderr.String())
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 3 || f[0] != ".Xr" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, "packaging/man", f[1]+"."+f[2])); err != nil {
				t.Errorf("%s refers to %s(%s): %v", page, f[1], f[2], err)
			}
		}
	}
}
