package main

import (
	"os"
	"runtime"
	"testing"
)

func TestMakeRoom(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	t.Setenv("GOMAXPROCS", "7")
	makeRoom()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d run at once although somebody has said how many, want %d", n, before)
	}
	os.Unsetenv("GOMAXPROCS")
	makeRoom()
	if n := runtime.GOMAXPROCS(0); n != before+spareProcessors {
		t.Errorf("%d run at once, want %d", n, before+spareProcessors)
	}
}
