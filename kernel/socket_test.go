package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var loopbacks = []string{"127.0.0.1", "::1"}

func listen(t *testing.T, addr netip.AddrPort) *Socket {
	t.Helper()
	s, err := ListenUDP(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t *testing.T, local, peer netip.AddrPort, opts DialOptions) *Socket {
	t.Helper()
	s, err := DialUDP(local, peer, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// queued returns what is in the socket's queue now, as "data from peer to local".
// On loopback that is mostly what was sent: see wantQueued.
func queued(t *testing.T, s *Socket) (got []string) {
	t.Helper()
	err := s.ReadBatch(make([]byte, MaxDatagram), 100, func(d Datagram) {
		got = append(got, fmt.Sprintf("%s from %s to %s", d.Data, d.Peer, d.Local))
	})
	if err != nil {
		t.Error(err)
	}
	return got
}

// wantQueued waits for what a busy system delivers a moment after it was sent.
func wantQueued(t *testing.T, s *Socket, want ...string) {
	t.Helper()
	got := queued(t, s)
	for end := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(end); {
		unix.Poll([]unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}, 100)
		got = append(got, queued(t, s)...)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestDialSharesPort(t *testing.T) {
	for _, lo := range loopbacks {
		a := netip.MustParseAddr(lo)
		any := netip.IPv4Unspecified()
		if a.Is6() {
			any = netip.IPv6Unspecified()
		}
		l := listen(t, netip.AddrPortFrom(any, 0))
		at := netip.AddrPortFrom(a, l.Local().Port())
		p1, p2 := listen(t, netip.AddrPortFrom(a, 0)), listen(t, netip.AddrPortFrom(a, 0))
		t1 := dial(t, l.Local(), p1.Local(), DialOptions{Share: true})
		t2 := dial(t, at, p2.Local(), DialOptions{Share: true, NoChecksum: true})
		if t1.Local() != at || t2.Local() != at || t1.Peer() != p1.Local() {
			t.Errorf("bound to %v and %v, want %v", t1.Local(), t2.Local(), at)
		}

		stranger := listen(t, netip.AddrPortFrom(a, 0))
		for _, s := range []*Socket{p1, p2, stranger} {
			if err := s.SendTo(a, at, []byte("in")); err != nil {
				t.Error(err)
			}
		}
		wantQueued(t, t1, fmt.Sprintf("in from %v to %v", p1.Local(), at))
		wantQueued(t, t2, fmt.Sprintf("in from %v to %v", p2.Local(), at))
		wantQueued(t, l, fmt.Sprintf("in from %v to %v", stranger.Local(), at))

		if err := t1.Send([]byte("out")); err != nil {
			t.Error(err)
		}
		wantQueued(t, p1, fmt.Sprintf("out from %v to %v", at, p1.Local()))
	}
}

func TestDialDoesNotLoseWhatComesBeforeConnect(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	l := listen(t, netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	at := netip.AddrPortFrom(lo, l.Local().Port())
	peer, other := listen(t, netip.AddrPortFrom(lo, 0)), listen(t, netip.AddrPortFrom(lo, 0))

	s, err := newSocket("test", lo)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.bind(at, true); err != nil {
		t.Fatal(err)
	}
	if err := other.SendTo(lo, at, []byte("early")); err != nil { // goes to the bound socket
		t.Fatal(err)
	}
	if err := s.dial(netip.AddrPort{}, peer.Local(), DialOptions{}); err == nil {
		t.Fatal("a second bind succeeded")
	}
	sa, _ := s.sockaddr(peer.Local())
	if err := unix.Connect(s.fd, sa); err != nil {
		t.Fatal(err)
	}
	if err := other.SendTo(lo, at, []byte("late")); err != nil {
		t.Fatal(err)
	}
	wantQueued(t, s, fmt.Sprintf("early from %v to %v", other.Local(), at))
	wantQueued(t, l, fmt.Sprintf("late from %v to %v", other.Local(), at))
}

func TestListenReportsPortInUse(t *testing.T) {
	for _, lo := range loopbacks {
		a := netip.MustParseAddr(lo)
		l := listen(t, netip.AddrPortFrom(a, 0))
		dial(t, l.Local(), netip.AddrPortFrom(a, 9), DialOptions{Share: true})
		_, err := ListenUDP(l.Local())
		if !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("second listener on %v: %v, want address in use", l.Local(), err)
		}
		want := "listen on UDP " + l.Local().String() + ": address already in use"
		if fmt.Sprint(err) != want {
			t.Errorf("error %q, want %q", err, want)
		}
		_, err = DialUDP(l.Local(), netip.AddrPortFrom(a, 9), DialOptions{})
		if !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("dial without sharing: %v, want address in use", err)
		}
		l.Close()
		if _, err = ListenUDP(l.Local()); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("listener beside a tunnel of someone: %v, want address in use", err)
		}
	}
}

func TestListenerAnswersFromTheAddressAsked(t *testing.T) {
	l := listen(t, netip.MustParseAddrPort("0.0.0.0:0"))
	client := listen(t, netip.MustParseAddrPort("127.0.0.1:0"))
	asked := netip.MustParseAddr("127.0.0.77")
	at := netip.AddrPortFrom(asked, l.Local().Port())
	if err := client.SendTo(netip.Addr{}, at, []byte("hi")); err != nil {
		t.Fatal(err)
	}
	wantQueued(t, l, fmt.Sprintf("hi from %v to %v", client.Local(), at))
	if err := l.SendTo(asked, client.Local(), []byte("yes")); err != nil {
		t.Fatal(err)
	}
	wantQueued(t, client, fmt.Sprintf("yes from %v to %v", at, client.Local()))
}

func TestSendSurvivesRefusal(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	gone := listen(t, netip.AddrPortFrom(lo, 0))
	peer := gone.Local()
	s := dial(t, netip.AddrPort{}, peer, DialOptions{})
	gone.Close()
	if err := s.Send([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	back := listen(t, peer)
	if err := s.Send([]byte("there")); err != nil {
		t.Errorf("the refusal of an earlier datagram hit this one: %v", err)
	}
	wantQueued(t, back, fmt.Sprintf("there from %v to %v", s.Local(), peer))

	back.Close()
	if err := s.Send([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	wantQueued(t, s) // reading passes over it too
}

func TestSocketAfterClose(t *testing.T) {
	s := listen(t, netip.MustParseAddrPort("127.0.0.1:0"))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := s.Send(nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("send: %v, want closed", err)
	}
	if err := s.ReadBatch(nil, 1, nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read: %v, want closed", err)
	}
	if s.FD() != -1 {
		t.Errorf("descriptor = %d, want -1", s.FD())
	}
}

func TestDialWrongFamily(t *testing.T) {
	_, err := DialUDP(netip.MustParseAddrPort("127.0.0.1:0"),
		netip.MustParseAddrPort("[::1]:9"), DialOptions{})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("dial from IPv4 to IPv6: %v, want unsupported", err)
	}
}

func TestPacketInfoBytes(t *testing.T) {
	for _, c := range []struct {
		family int
		local  string
		want   []byte
	}{
		{unix.AF_INET, "192.0.2.1", []byte{
			28, 0, 0, 0, 0, 0, 0, 0, // length
			0, 0, 0, 0, 8, 0, 0, 0, // IPPROTO_IP, IP_PKTINFO
			0, 0, 0, 0, // interface
			192, 0, 2, 1, // from
			0, 0, 0, 0, 0, 0, 0, 0, // destination, padding
		}},
		{unix.AF_INET6, "2001:db8::1", []byte{
			36, 0, 0, 0, 0, 0, 0, 0, // length
			41, 0, 0, 0, 50, 0, 0, 0, // IPPROTO_IPV6, IPV6_PKTINFO
			0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // from
			0, 0, 0, 0, 0, 0, 0, 0, // interface, padding
		}},
		{unix.AF_INET, "2001:db8::1", nil},
		{unix.AF_INET, "0.0.0.0", nil},
	} {
		s := &Socket{family: c.family}
		if got := s.packetInfo(netip.MustParseAddr(c.local)); !bytes.Equal(got, c.want) {
			t.Errorf("packetInfo(%s) = %v, want %v", c.local, got, c.want)
		}
	}
}
