package dataplanetest

import (
	"fmt"
	"net/netip"
	"testing"

	"culvert/internal/dataplane"
	"culvert/test/lab"
)

func testControl(t *testing.T, p *Pair)  { controlBothWays(t, p, p.A.Host, p.B.Host) }
func testControl6(t *testing.T, p *Pair) { controlBothWays(t, p, p.A.Host6, p.B.Host6) }

// controlBothWays has A call B's listener from an ephemeral port, and B answer
// first by the listener, then by a tunnel.
func controlBothWays(t *testing.T, p *Pair, hostA, hostB netip.Addr) {
	l := listen(t, p.B, hostB)
	local := netip.AddrPort{} // by the route
	if p.A.Exact {
		local = netip.AddrPortFrom(hostA, 0)
	}
	tunA := open(t, p.A, 1, local, netip.AddrPortFrom(hostB, l.Addr().Port()))
	if got := tunA.Local().Addr(); got != hostA {
		t.Errorf("the route to the peer chose %s, want %s", got, hostA)
	}
	sendControl(t, tunA, "first")
	d := p.B.Said.Datagram(t)
	wantDatagram(t, d, 0, tunA.Peer(), tunA.Local(), "first")

	if err := l.Send(d.Local.Addr(), d.Peer, control("by the listener")); err != nil {
		t.Fatal(err)
	}
	wantDatagram(t, p.A.Said.Datagram(t), 1, tunA.Local(), tunA.Peer(), "by the listener")

	tunB := open(t, p.B, 2, d.Local, d.Peer)
	if tunB.Local() != d.Local || tunB.Peer() != d.Peer {
		t.Errorf("the tunnel is from %s to %s, want %s to %s",
			tunB.Local(), tunB.Peer(), d.Local, d.Peer)
	}
	sendControl(t, tunB, "by the tunnel")
	wantDatagram(t, p.A.Said.Datagram(t), 1, tunA.Local(), tunA.Peer(), "by the tunnel")
	sendControl(t, tunA, "second")
	wantDatagram(t, p.B.Said.Datagram(t), 2, tunB.Local(), tunB.Peer(), "second")
	for _, s := range []*Side{p.A, p.B} {
		s.Said.Quiet(t)
	}
}

func sendControl(t testing.TB, tun dataplane.Tunnel, text string) {
	t.Helper()
	if err := tun.Send(control(text)); err != nil {
		t.Fatal(err)
	}
}

func wantDatagram(t testing.TB, d dataplane.Datagram, id int, local, peer netip.AddrPort,
	text string) {
	t.Helper()
	if int(d.Tunnel) != id || d.Local != local || d.Peer != peer || string(d.Data[2:]) != text {
		t.Fatalf("datagram %q from %s to %s on tunnel %d, want %q from %s to %s on tunnel %d",
			d.Data[2:], d.Peer, d.Local, d.Tunnel, text, peer, local, id)
	}
}

// testRacingConnect has A send while B opens its tunnel: each message comes
// once, by the listener or by the tunnel.
func testRacingConnect(t *testing.T, p *Pair) {
	l := listen(t, p.B, p.B.Host)
	atB := netip.AddrPortFrom(p.B.Host, l.Addr().Port())
	tunA := open(t, p.A, 1, netip.AddrPort{}, atB)
	const n = 100
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := tunA.Send(control(fmt.Sprint(i))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	p.B.Said.Datagram(t)
	open(t, p.B, 2, atB, tunA.Local())
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for range n - 1 {
		d := p.B.Said.Datagram(t)
		if seen[string(d.Data)] {
			t.Errorf("message %q came twice", d.Data[2:])
		}
		seen[string(d.Data)] = true
	}
	p.B.Said.Quiet(t)
}

func testUnknownTunnel(t *testing.T, p *Pair) {
	l := listen(t, p.B, p.B.Host)
	tunA := open(t, p.A, 1, netip.AddrPort{}, netip.AddrPortFrom(p.B.Host, l.Addr().Port()))
	for _, b := range [][]byte{dataMessage(99, 99, lcp("nobody's")), {0xc8}, {}} {
		if err := tunA.Send(b); err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 {
			continue // a data plane may keep an empty datagram to itself
		}
		if d := p.B.Said.Datagram(t); string(d.Data) != string(b) || d.Tunnel != 0 {
			t.Errorf("tunnel %d received % x, want % x by the listener", d.Tunnel, d.Data, b)
		}
	}
}

// testAnyPort has B answer from another port than A asked at, which then is the
// tunnel's.
func testAnyPort(t *testing.T, p *Pair) {
	l := listen(t, p.B, p.B.Host)
	tunA := openSpec(t, p.A, dataplane.TunnelSpec{
		ID: 1, Peer: netip.AddrPortFrom(p.B.Host, l.Addr().Port()), AnyPort: true,
	})
	anyPort(t, p, tunA, 1)
}

// testAnyPortShared is testAnyPort where A's tunnel uses its listener's port.
func testAnyPortShared(t *testing.T, p *Pair) {
	listen(t, p.A, p.A.Host)
	l := listen(t, p.B, p.B.Host)
	tunA := openSpec(t, p.A, dataplane.TunnelSpec{
		ID: 1, Peer: netip.AddrPortFrom(p.B.Host, l.Addr().Port()), AnyPort: true,
		Local: netip.AddrPortFrom(p.A.Host, port),
	})
	anyPort(t, p, tunA, -1)
}

// anyPort goes on after A's tunnel is open; id is whose socket it has, or -1 if
// that is left to the data plane.
func anyPort(t *testing.T, p *Pair, tunA dataplane.Tunnel, id int) {
	sendControl(t, tunA, "hello")
	local := p.B.Said.Datagram(t).Peer
	if local != tunA.Local() {
		t.Errorf("the tunnel says that it sends from %s, but it is %s", tunA.Local(), local)
	}
	tunB := open(t, p.B, 2, netip.AddrPortFrom(p.B.Host, 0), local)
	sendControl(t, tunB, "from elsewhere")
	d := p.A.Said.Datagram(t)
	if id == -1 {
		id = int(d.Tunnel)
	}
	wantDatagram(t, d, id, local, tunB.Local(), "from elsewhere")
	if err := tunA.Reconnect(t.Context(), d.Peer); err != nil {
		t.Fatal(err)
	}
	if tunA.Peer() != d.Peer || tunA.Local() != local {
		t.Errorf("the tunnel is from %s to %s, want %s to %s", tunA.Local(), tunA.Peer(), local, d.Peer)
	}
	sendControl(t, tunB, "again")
	wantDatagram(t, p.A.Said.Datagram(t), 1, local, d.Peer, "again")
	sendControl(t, tunA, "answer")
	wantDatagram(t, p.B.Said.Datagram(t), 2, d.Peer, local, "answer")
}

// testSamePorts opens two tunnels between the same hosts and ports, on A at
// least. Both work, also after one of them is closed.
func testSamePorts(t *testing.T, p *Pair) {
	first := connected(t, p)
	second := connect(t, p, 1, p.A.Host, p.B.Host)
	one, two := first.call(t, 1), second.call(t, 2)
	one.exchange(t, "one")
	two.exchange(t, "two")
	if err := first.a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	two.exchange(t, "after one is gone")
}

func testPortInUse(t *testing.T, p *Pair) {
	l := listen(t, p.A, p.A.Host)
	if second, err := p.A.Listen(l.Addr()); err == nil {
		second.Close()
		t.Errorf("a second listener on %s: expected an error", l.Addr())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	// A process that another test is just starting has a copy of the socket until it
	// is a program of its own.
	lab.Wait(t, patience, "the port to be free", func() error {
		second, err := p.A.Listen(l.Addr())
		if err == nil {
			err = second.Close()
		}
		return err
	})
}
