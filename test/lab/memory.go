package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Memory returns how many bytes of a process are in memory, now and at most so far.
func Memory(t testing.TB, pid int) (now, most int) {
	t.Helper()
	return status(t, pid, "VmRSS") << 10, status(t, pid, "VmHWM") << 10
}

// PrivateMemory returns how many bytes of a process are in memory that are its own: not
// those of files, the program's among them, which the system loads and drops as it
// likes.
func PrivateMemory(t testing.TB, pid int) int {
	t.Helper()
	return status(t, pid, "RssAnon") << 10
}

func status(t testing.TB, pid int, field string) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, field+": %d kB", &n); err == nil {
			return n
		}
	}
	t.Fatalf("process %d has no %s", pid, field)
	return 0
}

// DirBytes returns how many bytes the files of a directory have.
func DirBytes(t testing.TB, dir string) (sum float64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if os.IsNotExist(err) {
			return nil // a journal that was written anew
		}
		if err == nil && info.Mode().IsRegular() {
			sum += float64(info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
