package shell

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// What may hold secrets is readable by its owner alone, whatever was there before.
func TestWritePrivate(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	err := errors.Join(os.WriteFile(file, []byte("old"), 0o644), os.Symlink(file, link),
		os.WriteFile(file+".new", nil, 0o666), writePrivate(link, []byte("secret")))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "secret" {
		t.Errorf("the file says %q, %v", text, err)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("%d files are there", len(left))
	}
}

// What is no file is not replaced by one.
func TestWritePrivateIntoADevice(t *testing.T) {
	link := filepath.Join(t.TempDir(), "null")
	if err := errors.Join(os.Symlink(os.DevNull, link), writePrivate(link, []byte("x"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, os.DevNull} {
		if info, err := os.Stat(path); err != nil || info.Mode().Type()&os.ModeDevice == 0 {
			t.Errorf("%s is %v, %v", path, info.Mode(), err)
		}
	}
}
