package dataplanetest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"testing"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// A life is A's data plane ending and beginning again.
type life struct {
	tp    *tunnelPair
	spec  dataplane.TunnelSpec // of A's tunnel, as A would note it
	old   dataplane.Tunnel
	begin func()
}

// end takes A's data plane away, with what it holds kept.
func end(t testing.TB, tp *tunnelPair) *life {
	t.Helper()
	return &life{
		tp: tp, old: tp.a,
		spec:  dataplane.TunnelSpec{ID: tp.id(1), Local: tp.a.Local(), Peer: tp.a.Peer()},
		begin: tp.p.Restart(t, tp.p.A),
	}
}

// adopt begins A's data plane again, which takes over listener and tunnel.
func (l *life) adopt(t testing.TB) {
	t.Helper()
	l.begin()
	listen(t, l.tp.p.A, l.tp.p.A.Host)
	l.tp.a = l.tunnel(t, l.tp.id(2))
}

func (l *life) tunnel(t testing.TB, peer l2tp.TunnelID) dataplane.Tunnel {
	t.Helper()
	tun, err := l.tp.p.A.AdoptTunnel(t.Context(), l.spec, peer)
	if err != nil {
		t.Fatal(err)
	}
	if tun.Local() != l.spec.Local || tun.Peer() != l.spec.Peer {
		t.Errorf("the tunnel is from %s to %s, was from %s to %s",
			tun.Local(), tun.Peer(), l.spec.Local, l.spec.Peer)
	}
	return tun
}

// adopt takes over the call's end at A.
func (c *call) adopt(t testing.TB, last dataplane.Configured) {
	t.Helper()
	spec, _ := c.specs()
	var err error
	if c.a, err = c.tp.a.AdoptSession(t.Context(), spec, last); err != nil {
		t.Fatal(err)
	}
}

// configured4 is what up4 asks for at A.
func (c *call) configured4(mtu int) dataplane.Configured {
	link, _ := c.link(mtu)
	link.IPv6 = dataplane.PointToPoint{}
	return dataplane.Configured{Link: &link}
}

// wantNone wants an operation to fail since nothing of the kind was kept.
func wantNone(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want fs.ErrNotExist", what, err)
	}
}

func dropRest(t testing.TB, s *Side, want ...string) {
	t.Helper()
	keys, err := s.DropRest(t.Context())
	if err != nil || !slices.Equal(keys, want) {
		t.Errorf("dropped %q, %v, want %q", keys, err, want)
	}
}

// testAdopt sends messages, frames and packets to A while it is away: none is lost, and
// they come in order. It goes through it twice.
func testAdopt(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	c.up4(t, 1400)
	c.exchange(t, "before")
	var ab, ba Flow
	if p.Flow != nil {
		ab, ba = c.flows(t, false)
		pass(t, ba, 1, 100)
	}
	for round := range 2 {
		l := end(t, tp)
		for i := range 3 {
			sendControl(t, tp.b, fmt.Sprint("meanwhile ", i))
			send(t, c.b, lcp(fmt.Sprint("meanwhile ", i)))
			if p.Flow != nil {
				if err := ba.Send(200 + i); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := l.old.Send(control("from the dead")); err == nil {
			t.Error("a tunnel of the ended data plane sends")
		}
		l.adopt(t)
		for i := range 3 {
			wantDatagram(t, p.A.Said.Datagram(t), int(tp.id(1)), tp.a.Local(), tp.a.Peer(),
				fmt.Sprint("meanwhile ", i))
		}
		c.adopt(t, c.configured4(1400))
		for i := range 3 {
			wantFrame(t, p.A, c.keyA, lcp(fmt.Sprint("meanwhile ", i)))
		}
		dropRest(t, p.A)
		wantAlive(t, c, ab, ba, round)
	}
}

// wantAlive wants everything to go both ways, and what was sent while A was away to be
// there.
func wantAlive(t *testing.T, c *call, ab, ba Flow, round int) {
	p := c.tp.p
	for i := range 3 {
		if ba == nil {
			break
		}
		if size, ok := ba.Receive(patience); !ok || size != 200+i {
			t.Fatalf("round %d: received a packet of %d bytes, %v, want %d", round, size, ok, 200+i)
		}
	}
	c.exchange(t, "after")
	sendControl(t, c.tp.a, "from A")
	wantDatagram(t, p.B.Said.Datagram(t), int(c.tp.id(2)), c.tp.b.Local(), c.tp.b.Peer(), "from A")
	if p.Flow != nil {
		pass(t, ab, 2, 100)
		pass(t, ba, 2, 100)
	}
	inv, err := p.A.Inventory(t.Context())
	if err != nil || len(inv.Tunnels) != 1 || len(inv.Sessions) != 1 || inv.Sessions[0] != c.keyA {
		t.Errorf("round %d: inventory %+v, %v", round, inv, err)
	}
	p.A.Said.Quiet(t)
	p.B.Said.Quiet(t)
}

// testAdoptListener has a peer call while there is nobody to answer.
func testAdoptListener(t *testing.T, p *Pair) {
	at := listen(t, p.A, p.A.Host).Addr()
	local := netip.AddrPort{}
	if p.B.Exact {
		local = netip.AddrPortFrom(p.B.Host, 0)
	}
	tun := open(t, p.B, 2, local, netip.AddrPortFrom(p.A.Host, at.Port()))
	begin := p.Restart(t, p.A)
	sendControl(t, tun, "one")
	sendControl(t, tun, "two")
	begin()
	l := listenAt(t, p.A, at)
	for _, text := range []string{"one", "two"} {
		wantDatagram(t, p.A.Said.Datagram(t), 0, tun.Peer(), tun.Local(), text)
	}
	if err := l.Send(p.A.Host, tun.Local(), control("here I am")); err != nil {
		t.Fatal(err)
	}
	wantDatagram(t, p.B.Said.Datagram(t), 2, tun.Local(), tun.Peer(), "here I am")
	dropRest(t, p.A)
}

// testAdoptConfigure configures what was adopted: with its link known, not known for
// certain, and never asked for.
func testAdoptConfigure(t *testing.T, p *Pair) {
	tp := connected(t, p)
	known, unsure, never := tp.call(t, 1), tp.call(t, 2), tp.call(t, 3)
	known.up4(t, 1400)
	unsure.up4(t, 1400)
	end(t, tp).adopt(t)
	known.adopt(t, known.configured4(1400))
	last := unsure.configured4(1300) // of which nothing was done
	last.Unsure = true
	unsure.adopt(t, last)
	never.adopt(t, dataplane.Configured{})
	dropRest(t, p.A)
	for _, c := range []*call{known, unsure, never} {
		c.up4(t, 1200)
		if p.Flow == nil {
			c.exchange(t, "configured")
			continue
		}
		ab, ba := c.flows(t, false)
		pass(t, ab, 1, 1200)
		pass(t, ba, 1, 1200)
	}
}

// testAdoptUnsure ends a data plane that had moved a link from one state to another,
// and did not note which. What the first state had is gone with the next Configure.
func testAdoptUnsure(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	c.up4(t, 1400)
	other := c.configured4(1400)
	other.Link.IPv4.Local = netip.MustParseAddr("10.9.77.1")
	other.Link.Routes = []netip.Prefix{netip.MustParsePrefix("10.10.0.0/16")}
	end(t, tp).adopt(t)
	c.adopt(t, dataplane.Configured{Link: other.Link, Unsure: true})
	dropRest(t, p.A)
	configure(t, c.a, *other.Link)
	a, b := c.ends(false)
	if p.Has != nil && p.Has(t, p.A, a.Addr) {
		t.Errorf("A still has the address %s", a.Addr)
	}
	a.Addr = other.Link.IPv4.Local
	_, link := c.link(1400)
	link.IPv6, link.IPv4.Peer = dataplane.PointToPoint{}, a.Addr
	configure(t, c.b, link)
	if p.Flow != nil {
		pass(t, p.Flow(t, a, b), 1, 100)
		pass(t, p.Flow(t, b, a), 1, 100)
	}
}

// testAdoptUnnumbered adopts two sessions of which A has one address for both, and wants
// packets to pass while A is away, when it is back, and when one of the sessions has gone.
func testAdoptUnnumbered(t *testing.T, p *Pair) {
	tp := connected(t, p)
	shared := netip.MustParseAddr("10.9.1.1") // as of the first call's
	calls := []*call{tp.call(t, 1), tp.call(t, 2)}
	flows := make([]Flow, len(calls))
	links := make([]dataplane.LinkSpec, len(calls))
	for i, c := range calls {
		link, peer := c.link(1400)
		link.IPv6, peer.IPv6 = dataplane.PointToPoint{}, dataplane.PointToPoint{}
		link.IPv4.Local, peer.IPv4.Peer, link.Unnumbered = shared, shared, true
		if i > 0 { // of the peers only one may have a route to the address
			peer.IPv4.Peer = netip.MustParseAddr("10.9.99.1")
		}
		configure(t, c.a, link)
		configure(t, c.b, peer)
		a, b := c.ends(false)
		a.Addr = shared
		links[i], flows[i] = link, p.Flow(t, a, b)
		pass(t, flows[i], 2, 100)
	}
	l := end(t, tp)
	l.adopt(t)
	for i, c := range calls {
		c.adopt(t, dataplane.Configured{Link: &links[i]})
	}
	dropRest(t, p.A)
	for _, f := range flows {
		pass(t, f, 2, 100)
	}
	if err := calls[0].a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	pass(t, flows[1], 2, 100)
}

// testAdoptRest adopts one of two sessions, and one of two tunnels.
func testAdoptRest(t *testing.T, p *Pair) {
	tp := connected(t, p)
	other := connect(t, p, 1, p.A.Host, p.B.Host)
	taken, left, lost := tp.call(t, 1), tp.call(t, 2), other.call(t, 3)
	left.up4(t, 1400)
	lost.up4(t, 1400)
	end(t, tp).adopt(t)
	taken.adopt(t, dataplane.Configured{})
	dropRest(t, p.A, "session/1/102", "session/11/103", "tunnel/11", "unit/1/102/ca2", "unit/11/103/ca3")
	dropRest(t, p.A)
	taken.exchange(t, "the one taken")
	spec, _ := left.specs()
	_, err := tp.a.AdoptSession(t.Context(), spec, dataplane.Configured{})
	wantNone(t, "adopting what was dropped", err)
	if left.a, err = tp.a.AddSession(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	a, _ := left.link(1400)
	configure(t, left.a, a)
	left.exchange(t, "a new one with its identifier")
	again := open(t, p.A, other.id(1), netip.AddrPortFrom(p.A.Host, 0), netip.AddrPortFrom(p.B.Host, port))
	if err := again.Attach(t.Context(), 9); err != nil {
		t.Error(err)
	}
}

// testAdoptNothing asks for what was not kept.
func testAdoptNothing(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c, closed := tp.call(t, 1), tp.call(t, 2)
	closed.up4(t, 1400)
	if err := closed.a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := end(t, tp)
	l.begin()
	spec := l.spec
	spec.ID = 99
	_, err := p.A.AdoptTunnel(t.Context(), spec, 2)
	wantNone(t, "a tunnel that never was", err)
	spec = l.spec
	spec.Peer = netip.AddrPortFrom(spec.Peer.Addr(), 9)
	_, err = p.A.AdoptTunnel(t.Context(), spec, 2)
	wantNone(t, "a tunnel with another peer", err)
	tp.a = l.tunnel(t, tp.id(2))
	gone, _ := closed.specs()
	_, err = tp.a.AdoptSession(t.Context(), gone, closed.configured4(1400))
	wantNone(t, "a session that was torn down", err)
	c.adopt(t, dataplane.Configured{})
	there, _ := c.specs()
	if _, err := tp.a.AdoptSession(t.Context(), there, dataplane.Configured{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adopting a session again: %v, want fs.ErrExist", err)
	}
	if _, err := p.A.AdoptTunnel(t.Context(), l.spec, 2); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adopting a tunnel again: %v, want fs.ErrExist", err)
	}
	keys, err := p.A.DropRest(t.Context())
	if err != nil || len(keys) != 1 { // the listener
		t.Errorf("dropped %q, %v, want the listener", keys, err)
	}
	listen(t, p.A, p.A.Host)
	c.exchange(t, "the one that was there")
}

// testAdoptDetached ends a data plane in the middle of attaching and detaching: what
// it noted is not what is there.
func testAdoptDetached(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	c.up4(t, 1400)
	if err := tp.a.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	end(t, tp).adopt(t) // as attached
	spec, _ := c.specs()
	_, err := tp.a.AdoptSession(t.Context(), spec, c.configured4(1400))
	wantNone(t, "a session of a detached tunnel", err)
	dropRest(t, p.A)
	if err := tp.a.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tp.a.Attach(t.Context(), tp.id(2)); err != nil {
		t.Fatal(err)
	}
	if c.a, err = tp.a.AddSession(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c.exchange(t, "attached again")

	l := end(t, tp)
	l.begin()
	listen(t, p.A, p.A.Host)
	tp.a = l.tunnel(t, 0) // as not attached
	if _, err := p.A.DropRest(t.Context()); err != nil {
		t.Error(err)
	}
	sendControl(t, tp.b, "to the socket")
	wantDatagram(t, p.A.Said.Datagram(t), 1, tp.a.Local(), tp.a.Peer(), "to the socket")
	if err := tp.a.Attach(t.Context(), tp.id(2)); err != nil {
		t.Fatal(err)
	}
	if c.a, err = tp.a.AddSession(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c.exchange(t, "attached once more")
}

// testAdoptClose closes what was adopted, which leaves nothing.
func testAdoptClose(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c, other := tp.call(t, 1), tp.call(t, 2)
	c.up4(t, 1400)
	other.up4(t, 1400)
	end(t, tp).adopt(t)
	c.adopt(t, c.configured4(1400))
	other.adopt(t, other.configured4(1400))
	dropRest(t, p.A)
	if err := c.a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := tp.a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantEmpty(t, p.A)
	end(t, tp).begin()
	keys, err := p.A.DropRest(t.Context())
	if err != nil || len(keys) != 1 { // the listener
		t.Errorf("what was closed is kept: %q, %v", keys, err)
	}
}
