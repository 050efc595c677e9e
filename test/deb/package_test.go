package deb

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"culvert/test/lab"
)

// root is the module's folder.
const root = "../.."

// build makes the package, once more for each call, and returns its path.
func build(t *testing.T, compression string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "culvert.deb")
	cmd := exec.Command("make", "--no-print-directory", "deb", "DEB="+file)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "DEB_COMPRESSION="+compression)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the package: %v\n%s", err, out)
	}
	return file
}

// need skips the short tests' run, and where programs lack.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds packages")
	}
	for _, p := range programs {
		lab.RequireProgram(t, p)
	}
}

// TestNamedFiles: the files that the manual has an administrator copy are those installed.
func TestNamedFiles(t *testing.T) {
	var texts [2]string
	for i, name := range []string{"docs/operations.md", "packaging/install.sh"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	named := regexp.MustCompile("`([0-9]+-[a-z-]+\\.[a-z]+)`").FindAllStringSubmatch(texts[0], -1)
	if len(named) < 3 {
		t.Errorf("%d files are named, want 3", len(named))
	}
	for _, m := range named {
		if !strings.Contains(texts[1], "/"+m[1]+"\n") {
			t.Errorf("%s is named and not installed", m[1])
		}
	}
}

func TestLintian(t *testing.T) {
	need(t, "dpkg-deb", "lintian")
	cmd := exec.Command("lintian", "--fail-on", "error,warning", "--allow-root", build(t, "xz"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// TestSamePackage: the same sources make the same bytes.
func TestSamePackage(t *testing.T) {
	need(t, "dpkg-deb")
	var packages [2][]byte
	for i := range packages {
		b, err := os.ReadFile(build(t, "none"))
		if err != nil {
			t.Fatal(err)
		}
		packages[i] = b
	}
	if !bytes.Equal(packages[0], packages[1]) {
		t.Errorf("two packages of the same sources differ: %d and %d bytes",
			len(packages[0]), len(packages[1]))
	}
}

// maxExposure is what systemd-analyze may say of the units, from 0 to 10.
var maxExposure = map[string]float64{"culvertd.service": 2.0, "culvert-keeper.service": 0.5}

func TestExposure(t *testing.T) {
	need(t, "systemd-analyze")
	for unit, limit := range maxExposure {
		cmd := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager",
			filepath.Join(root, "packaging", unit))
		out, err := cmd.CombinedOutput()
		m := regexp.MustCompile(`Overall exposure level for ` + unit + `: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("systemd-analyze: %v\n%s", err, out)
		}
		if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > limit {
			t.Errorf("the exposure of %s is %s, want at most %v:\n%s", unit, m[1], limit, out)
		}
	}
}
