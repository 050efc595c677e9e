package commit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// halfFile is what a file is called while it is written.
const halfFile = ".culvert-*"

// writeFile makes text the content of the file at path, whatever happens
// meanwhile: afterwards it is there with the old content or with the new one. It keeps the
// mode and owner of a file that is there; a new one is its owner's alone.
func writeFile(path string, text []byte) error {
	// A link goes on to lead to the file.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := os.CreateTemp(filepath.Dir(path), halfFile)
	if err != nil {
		return err
	}
	err = fill(f, path, text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// fill writes text into f, which is to take the place of path.
func fill(f *os.File, path string, text []byte) error {
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := imitate(f, path); err != nil {
		return err
	}
	return f.Sync()
}

// imitate gives f the owner and mode of the file at path, if that is there.
func imitate(f *os.File, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	want, have := info.Sys().(*syscall.Stat_t), mine.Sys().(*syscall.Stat_t)
	if want.Uid != have.Uid || want.Gid != have.Gid {
		if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(info.Mode().Perm())
}

// syncFolder makes a rename in a folder last.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
