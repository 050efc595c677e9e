package lab

import (
	"fmt"
	"os"
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
