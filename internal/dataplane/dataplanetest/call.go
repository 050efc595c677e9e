package dataplanetest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// port is where listeners of the cases listen. It is not 1701, so that a daemon of
// the machine is not in the way where hosts are no namespaces.
const port = 17010

// control returns a control message with text behind its first two bytes.
func control(text string) []byte { return append([]byte{0xc8, 0x02}, text...) }

// lcp returns a frame of LCP with text in place of a packet.
func lcp(text string) string { return "\xc0\x21" + text }

// listen opens a listener on the side's addresses of the family.
func listen(t testing.TB, s *Side, host netip.Addr) dataplane.Listener {
	t.Helper()
	any := netip.IPv4Unspecified()
	if host.Is6() {
		any = netip.IPv6Unspecified()
	}
	at := netip.AddrPortFrom(any, port)
	if s.Exact {
		at = netip.AddrPortFrom(host, port)
	}
	if s.Exact && host.Is6() {
		at = netip.AddrPortFrom(host, 0) // others may share the one address
	}
	l, err := s.Listen(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// open opens a tunnel; port 0 of local is an ephemeral one.
func open(t testing.TB, s *Side, id l2tp.TunnelID, local, peer netip.AddrPort) dataplane.Tunnel {
	t.Helper()
	return openSpec(t, s, dataplane.TunnelSpec{ID: id, Local: local, Peer: peer})
}

func openSpec(t testing.TB, s *Side, spec dataplane.TunnelSpec) dataplane.Tunnel {
	t.Helper()
	tun, err := s.OpenTunnel(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return tun
}

// A tunnelPair is a tunnel's two ends, attached. A's identifier is 1, B's 2
// (plus ten for each further pair).
type tunnelPair struct {
	p    *Pair
	n    int
	a, b dataplane.Tunnel
}

// connect opens the n-th tunnel between listeners' ports of the hosts, given
// that both have listeners.
func connect(t testing.TB, p *Pair, n int, hostA, hostB netip.Addr) *tunnelPair {
	t.Helper()
	tp := &tunnelPair{p: p, n: n}
	atB := netip.AddrPortFrom(hostB, port)
	tp.a = open(t, p.A, tp.id(1), netip.AddrPortFrom(hostA, port), atB)
	tp.b = open(t, p.B, tp.id(2), atB, tp.a.Local())
	if err := tp.a.Attach(t.Context(), tp.id(2)); err != nil {
		t.Fatal(err)
	}
	if err := tp.b.Attach(t.Context(), tp.id(1)); err != nil {
		t.Fatal(err)
	}
	return tp
}

func (tp *tunnelPair) id(side int) l2tp.TunnelID { return l2tp.TunnelID(10*tp.n + side) }

// connected opens listeners and the first tunnel.
func connected(t testing.TB, p *Pair) *tunnelPair {
	t.Helper()
	listen(t, p.A, p.A.Host)
	listen(t, p.B, p.B.Host)
	return connect(t, p, 0, p.A.Host, p.B.Host)
}

// A call is a session's two ends. A is the LNS. A's identifier is 100 + n, B's 200 + n.
type call struct {
	tp         *tunnelPair
	n          int
	a, b       dataplane.Session
	keyA, keyB dataplane.SessionKey
}

func (c *call) specs() (a, b dataplane.SessionSpec) {
	a = dataplane.SessionSpec{Session: c.keyA.Session, PeerSession: c.keyB.Session, LNS: true}
	b = dataplane.SessionSpec{Session: c.keyB.Session, PeerSession: c.keyA.Session}
	return a, b
}

// call opens the n-th session of the tunnel.
func (tp *tunnelPair) call(t testing.TB, n int) *call {
	t.Helper()
	c, err := tp.tryCall(t, n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (tp *tunnelPair) tryCall(t testing.TB, n int) (*call, error) {
	c := &call{
		tp: tp, n: n,
		keyA: dataplane.SessionKey{Tunnel: tp.id(1), Session: l2tp.SessionID(100 + n)},
		keyB: dataplane.SessionKey{Tunnel: tp.id(2), Session: l2tp.SessionID(200 + n)},
	}
	specA, specB := c.specs()
	var err error
	if c.a, err = tp.a.AddSession(t.Context(), specA); err != nil {
		return nil, err
	}
	c.b, err = tp.b.AddSession(t.Context(), specB)
	return c, err
}

// exchange sends an LCP frame each way. When it returns, all that was sent before
// on the session has been dealt with.
func (c *call) exchange(t testing.TB, text string) {
	t.Helper()
	send(t, c.a, lcp(text+" from A"))
	wantFrame(t, c.tp.p.B, c.keyB, lcp(text+" from A"))
	send(t, c.b, lcp(text+" from B"))
	wantFrame(t, c.tp.p.A, c.keyA, lcp(text+" from B"))
}

func send(t testing.TB, s dataplane.Session, frame string) {
	t.Helper()
	if err := s.Send([]byte(frame)); err != nil {
		t.Fatal(err)
	}
}

func wantFrame(t testing.TB, s *Side, id dataplane.SessionKey, frame string) {
	t.Helper()
	if got, want := s.Said.Frame(t), (Frame{id, frame}); got != want {
		t.Fatalf("session %s received %q, want %q of %s", got.ID, got.Data, want.Data, want.ID)
	}
}

// link returns what the n-th call's ends configure: 10.9.n.1 to 10.9.n.2 and
// fe80::n:1 to fe80::n:2.
func (c *call) link(mtu int) (a, b dataplane.LinkSpec) {
	v4 := func(host int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("10.9.%d.%d", c.n, host))
	}
	v6 := func(host int) netip.Addr {
		return netip.MustParseAddr(fmt.Sprintf("fe80::%x:%x", c.n+1, host))
	}
	a = dataplane.LinkSpec{
		Name: fmt.Sprintf("ca%d", c.n), MTU: mtu, MRU: mtu,
		IPv4: dataplane.PointToPoint{Local: v4(1), Peer: v4(2)},
		IPv6: dataplane.PointToPoint{Local: v6(1), Peer: v6(2)},
	}
	b = a
	b.Name = fmt.Sprintf("cb%d", c.n)
	b.IPv4 = dataplane.PointToPoint{Local: v4(2), Peer: v4(1)}
	b.IPv6 = dataplane.PointToPoint{Local: v6(2), Peer: v6(1)}
	return a, b
}

func configure(t testing.TB, s dataplane.Session, spec dataplane.LinkSpec) {
	t.Helper()
	if err := s.Configure(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

// up configures both ends.
func (c *call) up(t testing.TB, mtu int) {
	t.Helper()
	a, b := c.link(mtu)
	configure(t, c.a, a)
	configure(t, c.b, b)
}

// up4 configures both ends without IPv6.
func (c *call) up4(t testing.TB, mtu int) {
	t.Helper()
	a, b := c.link(mtu)
	a.IPv6, b.IPv6 = dataplane.PointToPoint{}, dataplane.PointToPoint{}
	configure(t, c.a, a)
	configure(t, c.b, b)
}

// ends returns the two ends with addresses of a family.
func (c *call) ends(v6 bool) (a, b End) {
	linkA, _ := c.link(1400)
	a = End{c.tp.p.A, c.keyA, linkA.IPv4.Local, c.a.Interface()}
	b = End{c.tp.p.B, c.keyB, linkA.IPv4.Peer, c.b.Interface()}
	if v6 {
		a.Addr, b.Addr = linkA.IPv6.Local, linkA.IPv6.Peer
	}
	return a, b
}

// dataMessage returns a data message without numbers.
func dataMessage(tunnel l2tp.TunnelID, session l2tp.SessionID, payload string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0x00, 0x02}, uint16(tunnel))
	b = binary.BigEndian.AppendUint16(b, uint16(session))
	return append(b, payload...)
}

// testRaw wants a session whose frames are another program's to be made and closed,
// and to take nothing from us.
func testRaw(t *testing.T, p *Pair) {
	tp := connected(t, p)
	spec := dataplane.SessionSpec{Session: 300, PeerSession: 400, LNS: true, Raw: true}
	raw, err := tp.a.AddSession(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Send([]byte(lcp("from A"))); err == nil {
		t.Error("it sends a frame")
	}
	link, _ := (&call{tp: tp, n: 1}).link(1400)
	if err := raw.Configure(t.Context(), link); err == nil {
		t.Error("it gets an interface")
	}
	if err := raw.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if raw, err = tp.a.AddSession(t.Context(), spec); err != nil {
		t.Fatalf("again: %v", err)
	}
	if err := raw.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
