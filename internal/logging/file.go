package logging

import (
	"fmt"
	"os"
	"sync"
)

// A file is a log file that can be opened anew.
type file struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

func openFile(path string) (*file, error) {
	f := &file{path: path}
	return f, f.reopen()
}

// reopen opens the path, and closes what was open before.
func (f *file) reopen() error {
	// Users' names are not for every eye.
	opened, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f != nil {
		f.f.Close()
	}
	f.f = opened
	return nil
}

// Write is io.Writer's.
func (f *file) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Write(b)
}

func (f *file) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.f.Close()
}
