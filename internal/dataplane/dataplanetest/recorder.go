package dataplanetest

import (
	"testing"
	"time"

	"culvert/internal/dataplane"
)

// A Recorder is a handler that keeps what it is told until a test asks.
type Recorder struct {
	datagrams chan dataplane.Datagram
	frames    chan Frame
	lost      chan dataplane.SessionKey
}

// A Frame is what FrameReceived was called with.
type Frame struct {
	ID   dataplane.SessionKey
	Data string
}

// NewRecorder returns a handler with room for some thousands of messages; more are lost.
func NewRecorder() *Recorder {
	return &Recorder{
		datagrams: make(chan dataplane.Datagram, 4096),
		frames:    make(chan Frame, 4096),
		lost:      make(chan dataplane.SessionKey, 64),
	}
}

// DatagramReceived keeps the datagram.
func (r *Recorder) DatagramReceived(d dataplane.Datagram) { keep(r.datagrams, d) }

// FrameReceived keeps the frame.
func (r *Recorder) FrameReceived(id dataplane.SessionKey, frame []byte) {
	keep(r.frames, Frame{id, string(frame)})
}

// SessionLost keeps the identifier.
func (r *Recorder) SessionLost(id dataplane.SessionKey, cause error) { keep(r.lost, id) }

func keep[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// Datagram waits for the next datagram.
func (r *Recorder) Datagram(t testing.TB) dataplane.Datagram {
	t.Helper()
	return next(t, r.datagrams, "datagram")
}

// datagramOf sends until a datagram comes. One is not enough where a session has just been
// closed: a process that is being forked for another test has its descriptors for a moment, and
// so the kernel the session.
func (r *Recorder) datagramOf(t testing.TB, send func() error) dataplane.Datagram {
	t.Helper()
	for range 20 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
		select {
		case d := <-r.datagrams:
			return d
		case <-time.After(patience / 10):
		}
	}
	t.Fatalf("no datagram in %v", 2*patience)
	return dataplane.Datagram{}
}

// Frame waits for the next frame.
func (r *Recorder) Frame(t testing.TB) Frame {
	t.Helper()
	return next(t, r.frames, "frame")
}

// Lost waits for the next loss of a session.
func (r *Recorder) Lost(t testing.TB) dataplane.SessionKey {
	t.Helper()
	return next(t, r.lost, "lost session")
}

func next[T any](t testing.TB, c chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("no %s in %v", what, patience)
	}
	return v
}

// Quiet fails the test if datagrams or frames wait that it did not ask for.
func (r *Recorder) Quiet(t testing.TB) {
	t.Helper()
	select {
	case d := <-r.datagrams:
		t.Errorf("datagram % x from %s on tunnel %d: expected none", d.Data, d.Peer, d.Tunnel)
	case f := <-r.frames:
		t.Errorf("frame %q of session %s: expected none", f.Data, f.ID)
	default:
	}
}
