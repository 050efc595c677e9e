package kernel

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func newTestPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestPollerCallsBackForEach(t *testing.T) {
	p := newTestPoller(t)
	const n = 600 // more than one fetch of events
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		r, w := pipe(t)
		err := p.Add(r, func() {
			var b [1]byte
			if n, _ := unix.Read(r, b[:]); n == 1 {
				wg.Done()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(w, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}

func TestPollerIsLevelTriggered(t *testing.T) {
	p := newTestPoller(t)
	r, w := pipe(t)
	calls, again := 0, make(chan struct{})
	err := p.Add(r, func() { // reads nothing
		if calls++; calls == 2 {
			p.Mute(r)
			close(again)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(w, []byte{1})
	<-again
}

// A callback that is running when Remove is called has returned when Remove
// returns, and there is no later one.
func TestPollerRemoveWaits(t *testing.T) {
	p := newTestPoller(t)
	r, w := pipe(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var running, removed, late atomic.Bool
	err := p.Add(r, func() {
		if removed.Load() {
			late.Store(true)
		}
		running.Store(true)
		once.Do(func() { close(entered); <-leave })
		running.Store(false)
	})
	if err != nil {
		t.Fatal(err)
	}
	unix.Write(w, []byte{1}) // and nobody reads: it is ready for ever
	<-entered
	done := make(chan struct{})
	go func() {
		p.Remove(r)
		if running.Load() {
			t.Error("Remove returned while the callback was running")
		}
		removed.Store(true)
		close(done)
	}()
	close(leave)
	<-done

	other, ow := pipe(t) // a turn of the poller after the removal
	turned := make(chan struct{})
	if err := p.Add(other, func() { p.Mute(other); close(turned) }); err != nil {
		t.Fatal(err)
	}
	unix.Write(ow, []byte{1})
	<-turned
	if late.Load() {
		t.Error("called back after Remove")
	}
}

func TestPollerNumberUsedAgain(t *testing.T) {
	p := newTestPoller(t)
	r, w := pipe(t)
	if err := p.Add(r, func() {}); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(r, func() {}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adding twice: %v, want exists", err)
	}
	p.Remove(r)
	p.Remove(r)
	ready := make(chan struct{})
	if err := p.Add(r, func() { p.Mute(r); close(ready) }); err != nil {
		t.Fatal(err)
	}
	unix.Write(w, []byte{1})
	<-ready
	p.Remove(r)
}

func TestPollerClose(t *testing.T) {
	p := newTestPoller(t)
	r, _ := pipe(t)
	if err := p.Add(r, func() {}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	p.Remove(r)
	p.Mute(r)
	if err := p.Add(r, func() {}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("adding after close: %v, want closed", err)
	}
}

func TestPollerHangUp(t *testing.T) {
	p := newTestPoller(t)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	ready := make(chan struct{})
	if err := p.Add(pair[0], func() { p.Mute(pair[0]); close(ready) }); err != nil {
		t.Fatal(err)
	}
	unix.Close(pair[1])
	<-ready
	p.Remove(pair[0])
}
