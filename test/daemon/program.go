package daemon

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Program returns the path of one of Culvert's programs. Where there is a go
// command they are built first, so that no old ones are tested; in a virtual
// machine those in build/ are used.
func Program(t testing.TB, name string) string {
	t.Helper()
	dir, err := buildAll()
	if err != nil {
		t.Fatalf("building culvert: %v", err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("looking for %s: %v (\"make build\" makes it)", name, err)
	}
	return path
}

var buildAll = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "build")
	if _, err := exec.LookPath("go"); err != nil {
		return dir, nil
	}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "./cmd/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(err.Error() + "\n" + string(out))
	}
	return dir, nil
})

// moduleRoot returns the closest directory above with a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("looking for go.mod: not in this directory nor above")
}
