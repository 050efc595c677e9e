package engine

import (
	"testing"
	"unsafe"
)

func TestBurstIsOver(t *testing.T) {
	var b burst
	for i, look := range []struct {
		movements uint64
		want      bool
	}{
		{0, false},   // nothing yet
		{900, false}, // begun
		{900, false}, // and ended, but small
		{1100, false},
		{1100, true}, // with what came before it is large enough
		{1100, false},
		{5000, false},
		{9000, false}, // goes on
		{9000, true},
		{9000, false},
		{9999, false},
		{9999, false},
	} {
		if got := b.isOver(look.movements); got != look.want {
			t.Errorf("look %d, after %d sessions: %v, want %v", i, look.movements, got, look.want)
		}
	}
}

// TestMovements counts what comes and what goes.
func TestMovements(t *testing.T) {
	var e Engine
	e.count.sessionsCreated.Store(100)
	e.count.sessions.Store(30)
	if got := e.movements(); got != 170 {
		t.Errorf("100 sessions have come and 70 gone: %d, want 170", got)
	}
}

// TestSessionSize: there are 100,000, and Go rounds what one takes up to the next size that it
// has (runtime/sizeclasses.go), a word for the collector included.
func TestSessionSize(t *testing.T) {
	const class, word = 576, 8
	if size := unsafe.Sizeof(session{}) + word; size > class {
		t.Errorf("a session takes %d bytes, want at most %d: the next size is 640", size, class)
	}
}
