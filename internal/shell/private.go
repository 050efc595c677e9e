package shell

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// writePrivate makes text what a file says, at once, readable by its owner alone: it may
// hold secrets. A link goes on to lead to the file; what is no file, as /dev/stdout, is
// written into.
func writePrivate(path string, text []byte) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return writeInto(path, text)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".l2tpconfig-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func writeInto(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
