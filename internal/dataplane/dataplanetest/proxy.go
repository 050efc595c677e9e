package dataplanetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"culvert/internal/dataplane"
	"culvert/test/lab"
)

// ProxyARP puts a third host on a network of A's, and gives B an address of that
// network by a session: the third host finds B by ARP while the session says so.
func ProxyARP(t *testing.T, f func(dataplane.Handler) (dataplane.Dataplane, error)) {
	p := OpenHosts(t, f, true)
	a, third := p.A.NetNS(), lab.NewNetNS(t, "dpc")
	lab.Veth(t, a, "lan0", []string{"10.77.0.1/24"}, third, "eth0", []string{"10.77.0.3/24"})
	a.Run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; "+
		"echo 0 > /proc/sys/net/ipv4/neigh/lan0/proxy_delay")
	before := a.State()

	tp := connected(t, p)
	c := tp.call(t, 1)
	linkA, linkB := c.link(1400)
	linkA.IPv6, linkB.IPv6 = dataplane.PointToPoint{}, dataplane.PointToPoint{}
	linkA.IPv4 = addresses("10.77.0.1", "10.77.0.50")
	linkB.IPv4 = addresses("10.77.0.50", "10.77.0.1")
	linkB.Routes = []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24")}
	configure(t, c.b, linkB)

	configure(t, c.a, linkA)
	if reaches(t, third, linkB.IPv4.Local) {
		t.Error("B is found without ProxyARP")
	}
	for range 2 {
		linkA.IPv4.Peer = netip.MustParseAddr("10.77.0.51") // another one, and back
		configure(t, c.a, linkA)
		linkA.ProxyARP, linkA.IPv4.Peer = true, linkB.IPv4.Local
		configure(t, c.a, linkA)
		wantProxies(t, a, "10.77.0.50 dev lan0")
		if !reaches(t, third, linkB.IPv4.Local) {
			t.Errorf("B is not found with ProxyARP: %s", third.Run("ip", "neigh"))
		}
	}
	linkA.ProxyARP = false
	configure(t, c.a, linkA)
	wantProxies(t, a)
	if reaches(t, third, linkB.IPv4.Local) {
		t.Error("B is still found when ProxyARP is over")
	}
	testProxyEnds(t, tp, a)
	if err := errors.Join(c.a.Close(t.Context()), c.b.Close(t.Context()),
		tp.a.Close(t.Context()), tp.b.Close(t.Context())); err != nil {
		t.Error(err)
	}
	a.CheckLeaks(t, before)
}

// testProxyEnds wants an address to be answered for as long as one of two sessions
// has it, and one that no network has to be refused without harm.
func testProxyEnds(t *testing.T, tp *tunnelPair, a *lab.NetNS) {
	one, two := tp.call(t, 2), tp.call(t, 3)
	for _, c := range []*call{one, two} {
		link, _ := c.link(1400)
		link.IPv6, link.IPv4 = dataplane.PointToPoint{}, addresses("10.77.0.1", "10.77.0.60")
		link.ProxyARP = true
		configure(t, c.a, link)
	}
	wantProxies(t, a, "10.77.0.60 dev lan0")
	if err := one.a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantProxies(t, a, "10.77.0.60 dev lan0")
	if err := two.a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantProxies(t, a)
	testForwardingOff(t, tp, a)

	c := tp.call(t, 4)
	linkA, linkB := c.link(1400)
	linkA.ProxyARP = true
	wantNoProxyARP(t, c.a, linkA, "no network here has 10.9.4.2")
	configure(t, c.b, linkB)
	testBlackhole(t, tp, a)
	ab, ba := c.flows(t, false)
	pass(t, ab, 1, 100)
	pass(t, ba, 1, 100)
	if err := errors.Join(c.a.Close(t.Context()), c.b.Close(t.Context()),
		one.b.Close(t.Context()), two.b.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

// testForwardingOff wants it to be said that a host that does not forward does not
// answer either.
func testForwardingOff(t *testing.T, tp *tunnelPair, a *lab.NetNS) {
	const forwarding = "/proc/sys/net/ipv4/conf/lan0/forwarding"
	a.Run("sh", "-c", "echo 0 > "+forwarding)
	defer a.Run("sh", "-c", "echo 1 > "+forwarding)
	c := tp.call(t, 5)
	link, _ := c.link(1400)
	link.IPv6, link.IPv4 = dataplane.PointToPoint{}, addresses("10.77.0.1", "10.77.0.70")
	link.ProxyARP = true
	wantNoProxyARP(t, c.a, link, "forwarding of IPv4 is off on lan0")
	wantProxies(t, a, "10.77.0.70 dev lan0")
	if err := errors.Join(c.a.Close(t.Context()), c.b.Close(t.Context())); err != nil {
		t.Error(err)
	}
	wantProxies(t, a)
}

// testBlackhole wants a route for what nobody has, as hosts keep for the whole of
// their pools, to cost the peer no more than ARP.
func testBlackhole(t *testing.T, tp *tunnelPair, a *lab.NetNS) {
	a.Run("ip", "route", "add", "blackhole", "10.88.0.0/24")
	defer a.Run("ip", "route", "del", "blackhole", "10.88.0.0/24")
	c := tp.call(t, 6)
	link, _ := c.link(1400)
	link.IPv6, link.IPv4 = dataplane.PointToPoint{}, addresses("10.77.0.1", "10.88.0.5")
	link.ProxyARP = true
	wantNoProxyARP(t, c.a, link, "look up the route to 10.88.0.5")
	if err := errors.Join(c.a.Close(t.Context()), c.b.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func wantNoProxyARP(t *testing.T, s dataplane.Session, link dataplane.LinkSpec, why string) {
	t.Helper()
	err := s.Configure(t.Context(), link)
	if !errors.Is(err, dataplane.ErrNoProxyARP) || !strings.Contains(err.Error(), why) {
		t.Errorf("ProxyARP for %v: %v, want %v: %s", link.IPv4.Peer, err, dataplane.ErrNoProxyARP, why)
	}
}

func addresses(local, peer string) dataplane.PointToPoint {
	return dataplane.PointToPoint{Local: netip.MustParseAddr(local), Peer: netip.MustParseAddr(peer)}
}

// wantProxies wants a host to answer ARP for others as said, and for nobody else. All are
// marked as ours.
func wantProxies(t testing.TB, ns *lab.NetNS, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(ns.Run("ip", "neigh", "show", "proxy")) {
		line = strings.Join(strings.Fields(strings.ReplaceAll(line, "proxy", "")), " ")
		got = append(got, strings.TrimSuffix(line, " proto 76"))
		if !strings.HasSuffix(line, " proto 76") {
			t.Errorf("%q is not marked as ours", line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("ARP is answered for %q, want %q", got, want)
	}
}

// reaches tells whether a host that has forgotten what it knew reaches an address.
func reaches(t testing.TB, ns *lab.NetNS, addr netip.Addr) bool {
	t.Helper()
	ns.Run("ip", "neigh", "flush", "dev", "eth0")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return ns.TryPing(ctx, addr, 1) == nil
}
