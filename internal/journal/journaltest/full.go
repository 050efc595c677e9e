package journaltest

import (
	"flag"
	"sync"
	"syscall"
	"testing"
)

// Fill has every write of this process into a file fail, as on a file system that is
// full, until there is room again: when the function that it returns is called, and
// at the end of the test at the latest. Files can be made, renamed and removed, as there.
func Fill(t testing.TB) (makeRoom func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		t.Fatal(err)
	}
	makeRoom = sync.OnceFunc(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(makeRoom)
	return makeRoom
}

// Unlogged has go test keep no log of what the test opens, by which it knows later whether the
// result still holds: that file would be full too. It is for TestMain of packages that
// call Fill.
func Unlogged() {
	flag.Parse()
	if err := flag.Set("test.testlogfile", ""); err != nil {
		panic(err)
	}
}
