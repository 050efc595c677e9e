package dataplane_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
)

// TestReorderTimeout wants the messages that wait for a lost one to go on when their
// time is up, though nothing comes after them.
func TestReorderTimeout(t *testing.T) {
	s := openReordering(t, 50*time.Millisecond)
	s.send(t, 0, 2, 3)
	s.want(t, "0", "2", "3")
	s.send(t, 1, 4)
	s.want(t, "4")
}

// TestReorderModify turns reordering off while messages are held.
func TestReorderModify(t *testing.T) {
	s := openReordering(t, time.Hour)
	s.send(t, 0, 2, 1, 5, 4)
	s.want(t, "0", "1", "2")
	s.arrived(t)
	if err := s.session.Modify(t.Context(), dataplane.SessionSpec{LNS: true}); err != nil {
		t.Fatal(err)
	}
	s.want(t, "4", "5")
	s.send(t, 7)
	s.want(t, "7")
}

// TestReorderClose closes a session while a message is held, which goes with it; TestMain
// looks for what might be left.
func TestReorderClose(t *testing.T) {
	s := openReordering(t, time.Hour)
	s.send(t, 0)
	s.want(t, "0")
	s.send(t, 2)
	s.arrived(t)
	if err := s.session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.said.Quiet(t)
}

// A reordering is a session of null, and the tunnel by which its peer sends.
type reordering struct {
	session dataplane.Session
	peer    dataplane.Tunnel
	said    *dataplanetest.Recorder
}

func openReordering(t *testing.T, timeout time.Duration) *reordering {
	t.Helper()
	r := &reordering{said: dataplanetest.NewRecorder()}
	here, err := dataplane.NewNull(r.said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	there, err := dataplane.NewNull(dataplanetest.NewRecorder())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	l, err := here.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if r.peer, err = there.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 2, Peer: l.Addr()}); err != nil {
		t.Fatal(err)
	}
	tun, err := here.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 1, Local: l.Addr(), Peer: r.peer.Local()})
	if err != nil {
		t.Fatal(err)
	}
	if err := tun.Attach(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.session, err = tun.AddSession(t.Context(), dataplane.SessionSpec{
		Session: 3, PeerSession: 4, LNS: true, ReorderTimeout: timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send sends LCP frames with these numbers, which they have as their text too.
func (r *reordering) send(t *testing.T, numbers ...uint16) {
	t.Helper()
	for _, ns := range numbers {
		b := []byte{0x08, 0x02, 0, 1, 0, 3}
		b = binary.BigEndian.AppendUint16(b, ns)
		b = append(b, 0, 0, 0xff, 0x03, 0xc0, 0x21, byte('0'+ns))
		if err := r.peer.Send(b); err != nil {
			t.Fatal(err)
		}
	}
}

// arrived waits until all that was sent has been read: by a control message, which comes after it
// by the same socket.
func (r *reordering) arrived(t *testing.T) {
	t.Helper()
	if err := r.peer.Send([]byte{0xc8, 0x02, 0, 12, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	r.said.Datagram(t)
}

func (r *reordering) want(t *testing.T, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if f := r.said.Frame(t); f.Data[2:] != want {
			t.Errorf("frame %q, want %q", f.Data[2:], want)
		}
	}
}
