package lab

import "testing"

// PrivateMemory returns how many bytes of a process are in memory that are its own: not
// those of files, the program's among them, which the system loads and drops as it
// likes.
func PrivateMemory(t testing.TB, pid int) int {
	t.Helper()
	return status(t, pid, "RssAnon") << 10
}
