package kernel

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// copyOf returns another descriptor of the same file, as from another process.
func copyOf(t *testing.T, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func adopt(t *testing.T, fd int, peer netip.AddrPort) *Socket {
	t.Helper()
	s, err := AdoptUDP(fd, peer, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestAdoptUDP takes over sockets of each kind, with what waits in their queues.
func TestAdoptUDP(t *testing.T) {
	for _, host := range loopbacks {
		any := netip.AddrPortFrom(netip.MustParseAddr(host), 0)
		l := listen(t, any)
		connected := dial(t, any, l.Local(), DialOptions{})
		unconnected := dial(t, any, l.Local(), DialOptions{Unconnected: true})
		connected.Send([]byte("to the listener"))
		l.SendTo(any.Addr(), connected.Local(), []byte("to the tunnel"))
		l2 := adopt(t, copyOf(t, l.FD()), netip.AddrPort{})
		c2 := adopt(t, copyOf(t, connected.FD()), netip.AddrPort{})
		u2 := adopt(t, copyOf(t, unconnected.FD()), unconnected.Peer())
		for _, pair := range [][2]*Socket{{l, l2}, {connected, c2}, {unconnected, u2}} {
			old, now := pair[0], pair[1]
			if now.Local() != old.Local() || now.Peer() != old.Peer() || now.connected != old.connected {
				t.Errorf("adopted from %v to %v, connected %v; was from %v to %v, connected %v", now.Local(),
					now.Peer(), now.connected, old.Local(), old.Peer(), old.connected)
			}
			old.Close()
		}
		wantQueued(t, l2, "to the listener from "+c2.Local().String()+" to "+l2.Local().String())
		wantQueued(t, c2, "to the tunnel from "+l2.Local().String()+" to "+c2.Local().String())
		if err := u2.Send([]byte("still unconnected")); err != nil {
			t.Error(err)
		}
		wantQueued(t, l2, "still unconnected from "+u2.Local().String()+" to "+l2.Local().String())
	}
}

func TestAdoptNoUDP(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AdoptUDP(fd, netip.AddrPort{}, nil); !errors.Is(err, unix.EPROTOTYPE) {
		t.Errorf("adopting a TCP socket: %v", err)
	}
	if err := unix.Close(fd); err != nil {
		t.Errorf("the descriptor is not the caller's any more: %v", err)
	}
}

// TestParseListed: what is added is what is listed.
func TestParseListed(t *testing.T) {
	for _, a := range []Address{
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
		{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")},
	} {
		got, index, err := parseAddress(AddAddress(9, a.Local, a.Peer).m.Data)
		if err != nil || got != a || index != 9 {
			t.Errorf("%v of 9 became %v of %d, %v", a, got, index, err)
		}
	}
	p := Proxy{9, netip.MustParseAddr("10.0.0.1")}
	if got, ours, err := parseProxy(AddProxy(p.Index, p.Addr).m.Data); err != nil || got != p || !ours {
		t.Errorf("%v became %v, ours %v, %v", p, got, ours, err)
	}
	for _, r := range []Route{
		{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Index: 9, Gateway: netip.MustParseAddr("10.0.0.1"), Metric: 5},
		{Prefix: netip.MustParsePrefix("::/0"), Index: 9},
	} {
		if got, err := parseRoute(AddRoute(r).m.Data); err != nil || got != r {
			t.Errorf("%v became %v, %v", r, got, err)
		}
	}
}
