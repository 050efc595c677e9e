package kernel

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// TestManyChanges makes more changes at once than a socket has room for
// acknowledgements. Without rights each is refused, with them there is nothing to
// delete.
func TestManyChanges(t *testing.T) {
	l := openLinks(t)
	changes := make([]Change, 5000)
	for i := range changes {
		changes[i] = DeleteLink(1<<30 + i)
	}
	done := make(chan error, 1)
	go func() { done <- l.Apply(t.Context(), changes...) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("no end: acknowledgements are missing")
	}
}

// TestLostAnswers makes changes by a socket that has no room for what is answered: they fail,
// and later ones do not.
func TestLostAnswers(t *testing.T) {
	l := openLinks(t)
	room, err := l.changes.conn.ReadBuffer()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.changes.conn.SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	changes := make([]Change, maxBatch)
	for i := range changes {
		changes[i] = DeleteLink(1<<30 + i)
	}
	done := make(chan error, 1)
	apply := func() error {
		go func() { done <- l.Apply(t.Context(), changes...) }()
		select {
		case err := <-done:
			return err
		case <-time.After(4 * answerTime):
			t.Fatal("no end: acknowledgements are missing")
			return nil
		}
	}
	if err := apply(); !errors.Is(err, unix.ENOBUFS) {
		t.Errorf("changes without answers: %v, want %v", err, unix.ENOBUFS)
	}
	if err := l.changes.conn.SetReadBuffer(room); err != nil {
		t.Fatal(err)
	}
	if err := apply(); errors.Is(err, unix.ENOBUFS) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("changes afterwards: %v", err)
	}
}

// TestForeignAnswers leaves an answer in each socket behind: the next request is
// not to take it for its own.
func TestForeignAnswers(t *testing.T) {
	l := openLinks(t)
	for range connections {
		err := l.route.do(t.Context(), func(c *netlink.Conn) error {
			_, err := c.Send(linkMessage(unix.RTM_GETLINK, request, 1, 0, 0, nil))
			if err != nil {
				return err
			}
			return unix.ENOBUFS
		})
		if err != unix.ENOBUFS {
			t.Fatal(err)
		}
	}
	for range connections {
		if link, err := l.Get(t.Context(), "lo"); err != nil || link.Name != "lo" {
			t.Errorf("lo is %+v, %v", link, err)
		}
	}
}

func openLinks(t *testing.T) *Links {
	t.Helper()
	l, err := OpenLinks()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
