package kernel

import (
	"errors"
	"io/fs"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUseDoesNotWaitForClose closes a socket whose kernel takes its time for
// that: TCP that lingers, as its peer does not read.
func TestUseDoesNotWaitForClose(t *testing.T) {
	d, peer := lingering(t)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		d.Close()
	}()
	use := func() error { return d.use(func(int) error { return nil }) }
	for !errors.Is(use(), fs.ErrClosed) {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-closed:
		t.Error("a use waited until the descriptor was closed")
	case <-time.After(50 * time.Millisecond):
	}
	if d.FD() != -1 {
		t.Errorf("the closed descriptor's number is %d, want -1", d.FD())
	}
	if err := d.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	peer.Close() // with what it has not read: a reset, which ends the lingering
	<-closed
}

// lingering returns one end of a connection that is full, and the other end.
func lingering(t *testing.T) (*descriptor, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	d := &descriptor{fd: fd}
	t.Cleanup(func() { d.Close() })
	port := l.Addr().(*net.TCPAddr).Port
	err = errors.Join(
		unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 30}),
		unix.SetNonblock(fd, true))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = unix.Write(fd, make([]byte, 1<<16))
	}
	return d, peer
}
