package service

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A PIDFile holds the number of this process while it lives.
type PIDFile struct {
	path string
	file *os.File // locked
}

// ClaimPIDFile writes the process's number into a file, and refuses if another
// living process holds it. A file that a dead process left behind is taken over.
func ClaimPIDFile(path string) (*PIDFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("writing pid file %s: %w", path, cause(err))
	}
	if err := claim(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("pid file %s: %w", path, cause(err))
	}
	return &PIDFile{path: path, file: file}, nil
}

// claim locks the file first, so that of two that start at once one wins.
func claim(file *os.File) error {
	locked := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		pid = 0 // nobody's
	}
	switch {
	case errors.Is(locked, syscall.EWOULDBLOCK), locked == nil && isOther(pid):
		return heldError(pid)
	case locked != nil:
		return locked
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	return err
}

func isOther(pid int) bool {
	if pid <= 0 || pid == os.Getpid() {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

func heldError(pid int) error {
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return fmt.Errorf("process %d holds it", pid)
	}
	return fmt.Errorf("process %d (%s) holds it, and runs", pid, strings.TrimSpace(string(name)))
}

// Release removes the file.
func (p *PIDFile) Release() error {
	err := os.Remove(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, p.file.Close())
}

// cause takes away what repeats the path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
