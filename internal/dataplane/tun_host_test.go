package dataplane_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/l2tp"
	"culvert/test/lab"
)

// A tunPair is two hosts with tun and a tunnel, whose ends are 1 and 2.
type tunPair struct {
	*dataplanetest.Pair
	a, b dataplane.Tunnel
}

func openTUNPair(t testing.TB) *tunPair {
	t.Helper()
	lab.RequireTUN(t)
	p := dataplanetest.OpenHosts(t, newTUN, true)
	portA, portB := netip.AddrPortFrom(p.A.Host, 1701), netip.AddrPortFrom(p.B.Host, 1701)
	tp := &tunPair{Pair: p}
	tp.a = openOn(t, p.A, dataplane.TunnelSpec{ID: 1, Local: portA, Peer: portB}, 2)
	tp.b = openOn(t, p.B, dataplane.TunnelSpec{ID: 2, Local: portB, Peer: portA}, 1)
	return tp
}

func openOn(t testing.TB, s *dataplanetest.Side, spec dataplane.TunnelSpec,
	peer l2tp.TunnelID) dataplane.Tunnel {
	t.Helper()
	tun, err := s.OpenTunnel(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := tun.Attach(t.Context(), peer); err != nil {
		t.Fatal(err)
	}
	return tun
}

// session opens session n with 10.9.n.1 at A and 10.9.n.2 at B; change may
// change the two links.
func (tp *tunPair) session(t testing.TB, n, mtu int,
	change func(a, b *dataplane.LinkSpec)) (a, b dataplane.Session) {
	t.Helper()
	spec := dataplane.SessionSpec{Session: l2tp.SessionID(n), PeerSession: l2tp.SessionID(n)}
	one, two := v4(n, 1), v4(n, 2)
	linkA := dataplane.LinkSpec{Name: "x", MTU: mtu, MRU: mtu}
	linkA.IPv4 = dataplane.PointToPoint{Local: one, Peer: two}
	linkB := dataplane.LinkSpec{Name: "x", MTU: mtu, MRU: mtu}
	linkB.IPv4 = dataplane.PointToPoint{Local: two, Peer: one}
	if change != nil {
		change(&linkA, &linkB)
	}
	add := func(tun dataplane.Tunnel, link dataplane.LinkSpec) dataplane.Session {
		s, err := tun.AddSession(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Configure(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		return s
	}
	return add(tp.a, linkA), add(tp.b, linkB)
}

func v4(n, host int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("10.9.%d.%d", n, host)) }

// TestTUNPathMTU has a large session beside a small one: what is too large for
// the small one is reported to its sender, or fragmented if that is allowed.
func TestTUNPathMTU(t *testing.T) {
	tp := openTUNPair(t)
	tp.session(t, 1, 1450, nil)
	small, _ := tp.session(t, 2, 1300, nil)
	ns := tp.A.NetNS()
	ns.Ping(t, v4(1, 2), 1, "-M", "do", "-s", "1422") // 1450
	if err := ns.TryPing(t.Context(), v4(2, 2), 1, "-M", "do", "-s", "1273", "-W", "1"); err == nil {
		t.Error("a packet of 1301 bytes passed where the MTU is 1300")
	}
	if r := ns.Run("ip", "route", "get", v4(2, 2).String()); !strings.Contains(r, "mtu 1300") {
		t.Errorf("the host did not learn the MTU: %s", r)
	}
	c, err := small.Counters(t.Context())
	if err != nil || c.TxDropped != 1 || c.TxPackets != 0 {
		t.Errorf("counters %+v, %v; want one packet dropped", c, err)
	}
	ns.Run("ip", "route", "flush", "cache")
	ns.Ping(t, v4(2, 2), 1, "-M", "dont", "-s", "1400") // in two fragments
	ns.Ping(t, v4(2, 2), 1, "-M", "do", "-s", "1272")   // 1300
}

// TestTUNSpoof has B send from an address that is not its own.
func TestTUNSpoof(t *testing.T) {
	tp := openTUNPair(t)
	a, _ := tp.session(t, 1, 1400, nil)
	stranger := netip.MustParseAddr("10.77.0.1")
	ns := tp.B.NetNS()
	ns.Run("ip", "address", "add", stranger.String(), "dev", "lo")
	defer ns.Run("ip", "address", "del", stranger.String()+"/32", "dev", "lo")
	if err := ns.TryPing(t.Context(), v4(1, 1), 1, "-I", stranger.String(), "-W", "1"); err == nil {
		t.Error("a stranger's packet was answered")
	}
	if c, err := a.Counters(t.Context()); err != nil || c.RxDropped != 1 || c.RxPackets != 0 {
		t.Errorf("counters %+v, %v; want one packet dropped", c, err)
	}
}

// TestTUNDefaultRoute has B send everything to A but the tunnel itself, which until
// then went by the default route too, by way of A's second address.
func TestTUNDefaultRoute(t *testing.T) {
	tp := openTUNPair(t)
	far := netip.MustParseAddr("10.66.0.1")
	ns := tp.B.NetNS()
	tp.A.NetNS().Run("ip", "address", "add", far.String(), "dev", "lo")
	tp.A.NetNS().Run("ip", "address", "add", "198.51.100.1/24", "dev", "eth0")
	ns.Run("ip", "address", "add", "198.51.100.2/24", "dev", "eth0")
	ns.Run("ip", "route", "del", "192.0.2.0/24", "dev", "eth0")
	ns.Run("ip", "route", "add", "default", "via", "198.51.100.1")
	before := ns.Run("ip", "route")

	_, b := tp.session(t, 1, 1400, func(_, b *dataplane.LinkSpec) { b.DefaultRoute = true })
	ns.Ping(t, far, 3)
	if c, err := b.Counters(t.Context()); err != nil || c.TxPackets != 3 || c.RxPackets != 3 {
		t.Errorf("counters %+v, %v; want 3 packets each way", c, err)
	}
	if r := ns.Run("ip", "route", "get", tp.A.Host.String()); !strings.Contains(r, "dev eth0") {
		t.Errorf("the tunnel's own way: %s", r)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ns.Ping(t, far, 1)
	if after := ns.Run("ip", "route"); after != before {
		t.Errorf("the routes are\n%s\nand were\n%s", after, before)
	}
}

// TestTUNSharedRoute has two sessions with a route to the same network: the
// second takes over when the first is closed.
func TestTUNSharedRoute(t *testing.T) {
	tp := openTUNPair(t)
	far := netip.MustParseAddr("10.66.0.1")
	tp.B.NetNS().Run("ip", "address", "add", far.String(), "dev", "lo")
	route := func(a, _ *dataplane.LinkSpec) {
		a.Routes = []netip.Prefix{netip.MustParsePrefix("10.66.0.0/16")}
	}
	firstA, firstB := tp.session(t, 1, 1400, route)
	secondA, _ := tp.session(t, 2, 1400, route)
	want := func(s dataplane.Session, packets uint64) {
		t.Helper()
		tp.A.NetNS().Ping(t, far, 2)
		if c, err := s.Counters(t.Context()); err != nil || c.TxPackets != packets {
			t.Errorf("counters %+v, %v; want %d packets sent", c, err, packets)
		}
	}
	want(firstA, 2)
	for _, s := range []dataplane.Session{firstA, firstB} {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want(secondA, 2)
}

// TestTUNTransfer is TCP through a session, both ways, over IPv4.
func TestTUNTransfer(t *testing.T) {
	tp := openTUNPair(t)
	tp.session(t, 1, 1400, nil)
	lab.Transfer(t, tp.A.NetNS(), tp.B.NetNS(), v4(1, 2), 20<<20)
	lab.Transfer(t, tp.B.NetNS(), tp.A.NetNS(), v4(1, 1), 20<<20)
}

func TestTUNNameInUse(t *testing.T) {
	tp := openTUNPair(t)
	err := tp.A.NetNS().Do(func() error {
		d, err := dataplane.NewTUN(dataplanetest.NewRecorder(), dataplane.TUNOptions{})
		if err == nil {
			d.Close()
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "culvert0") {
		t.Errorf("a second device of the same name: error %v", err)
	}
}

// BenchmarkTunForward sends packets through two tun data planes in two
// namespaces: host, TUN, framing, UDP, veth, UDP, framing, TUN, host.
func BenchmarkTunForward(b *testing.B) {
	tp := openTUNPair(b)
	_, sb := tp.session(b, 1, 1400, nil)
	f := tp.Flow(b, dataplanetest.End{Side: tp.A, Addr: v4(1, 1)},
		dataplanetest.End{Side: tp.B, Addr: v4(1, 2)})
	const window = 64 // on the way at once, so that no queue overflows
	start := time.Now()
	for n := 0; b.Loop(); n++ {
		if err := f.Send(1000); err != nil {
			b.Fatal(err)
		}
		if n >= window {
			if _, ok := f.Receive(time.Second); !ok {
				b.Fatal("a packet was lost")
			}
		}
	}
	c, err := sb.Counters(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(c.RxPackets)/time.Since(start).Seconds(), "packets/s")
	b.SetBytes(1000)
}
