package dataplanetest

import (
	"net/netip"
	"testing"
	"time"

	"culvert/internal/dataplane"
)

// pass sends packets of a size and wants all of them.
func pass(t testing.TB, f Flow, count, size int) {
	t.Helper()
	for range count {
		if err := f.Send(size); err != nil {
			t.Fatal(err)
		}
		got, ok := f.Receive(patience)
		for ok && got == warmSize {
			got, ok = f.Receive(patience)
		}
		if !ok {
			t.Fatalf("no packet in %v, want %d bytes", patience, size)
		}
		if got != size {
			t.Fatalf("received a packet of %d bytes, want %d", got, size)
		}
	}
}

// warmSize is the size of the packets of warm.
const warmSize = 77

// warm sends packets until one arrives. A host needs a moment to believe in an
// IPv6 address of its own: the kernel leaves it to a queue of work, and drops what
// comes before.
func warm(t testing.TB, f Flow) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := f.Send(warmSize); err != nil {
			t.Fatal(err)
		}
		if _, ok := f.Receive(50 * time.Millisecond); ok {
			return
		}
	}
	t.Fatalf("no packet arrives in %v", patience)
}

// flows returns the call's two directions.
func (c *call) flows(t testing.TB, v6 bool) (ab, ba Flow) {
	a, b := c.ends(v6)
	ab, ba = c.tp.p.Flow(t, a, b), c.tp.p.Flow(t, b, a)
	if v6 {
		warm(t, ab)
		warm(t, ba)
	}
	return ab, ba
}

func testPackets(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	c.up(t, 1400)
	if p.Flow == nil {
		c.exchange(t, "with a link configured")
		return
	}
	for _, v6 := range []bool{false, true} {
		ab, ba := c.flows(t, v6)
		pass(t, ab, 5, 100)
		pass(t, ba, 5, 100)
	}
	c.exchange(t, "with a link configured")
}

// testCounters wants each packet to be counted once, with the bytes of its IP
// packet and nothing else. IPv6 is closed, as hosts send packets of their own by it.
func testCounters(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	c.up4(t, 1400)
	ab, ba := c.flows(t, false)
	a0, b0 := counters(t, c.a), counters(t, c.b)
	pass(t, ab, 10, 1000)
	pass(t, ba, 3, 100)
	wantCount(t, "A", c.a, a0, dataplane.Counters{
		TxPackets: 10, TxBytes: 10_000, RxPackets: 3, RxBytes: 300,
	})
	wantCount(t, "B", c.b, b0, dataplane.Counters{
		RxPackets: 10, RxBytes: 10_000, TxPackets: 3, TxBytes: 300,
	})
}

func counters(t testing.TB, s dataplane.Session) dataplane.Counters {
	t.Helper()
	c, err := s.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantCount wants counters to have grown by want. A packet may arrive a moment
// before it is counted.
func wantCount(t testing.TB, who string, s dataplane.Session, before, want dataplane.Counters) {
	t.Helper()
	var got dataplane.Counters
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		after := counters(t, s)
		got = dataplane.Counters{
			RxPackets: after.RxPackets - before.RxPackets, RxBytes: after.RxBytes - before.RxBytes,
			TxPackets: after.TxPackets - before.TxPackets, TxBytes: after.TxBytes - before.TxBytes,
		}
		if got == want {
			return
		}
		if got.RxPackets > want.RxPackets || got.TxPackets > want.TxPackets {
			break
		}
	}
	t.Errorf("%s counted %+v, want %+v", who, got, want)
}

// testIdle wants network packets, and nothing else, to end a session's idleness.
func testIdle(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	if got := idle(t, c.a); got != 0 {
		t.Errorf("idle for %v before there is a link, want 0", got)
	}
	begin := time.Now()
	c.up4(t, 1400)
	waitIdle(t, c.a, time.Second)
	if took := time.Since(begin); took < 900*time.Millisecond {
		t.Errorf("idle for a second after %v", took)
	}
	c.exchange(t, "which is no packet")
	if got := idle(t, c.a); got < time.Second {
		t.Errorf("idle for %v after a frame of LCP, want a second and more", got)
	}
	if p.Flow == nil {
		return
	}
	ab, ba := c.flows(t, false)
	for _, f := range []Flow{ab, ba} {
		waitIdle(t, c.a, time.Second)
		waitIdle(t, c.b, time.Second)
		before := time.Now()
		pass(t, f, 1, 100)
		wantBusy(t, c.a, before)
		wantBusy(t, c.b, before)
	}
}

func idle(t testing.TB, s dataplane.Session) time.Duration {
	t.Helper()
	d, err := s.Idle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantBusy wants the session to have been idle since a time at most. A packet may
// arrive a moment before it is noted.
func wantBusy(t testing.TB, s dataplane.Session, since time.Time) {
	t.Helper()
	var got time.Duration
	for limit := time.Duration(0); limit < time.Second; time.Sleep(time.Millisecond) {
		if got, limit = idle(t, s), time.Since(since); got <= limit && got < time.Second {
			return
		}
	}
	t.Errorf("idle for %v, but a packet went %v ago", got, time.Since(since))
}

// waitIdle waits until the session is idle for d. Hosts may send packets of their own first.
func waitIdle(t testing.TB, s dataplane.Session, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(patience); idle(t, s) < d; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not idle for %v in %v", d, patience)
		}
	}
}

// testMTU wants a packet of the MTU's size to pass and no larger one, and the
// MTU to change with the link.
func testMTU(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	for _, mtu := range []int{1400, 1300, 1450} {
		c.up(t, mtu)
		ab, _ := c.flows(t, false)
		pass(t, ab, 1, mtu)
		if err := ab.Send(mtu + 1); err == nil {
			if size, ok := ab.Receive(200 * time.Millisecond); ok {
				t.Errorf("MTU %d: a packet of %d bytes passed", mtu, size)
			}
		}
	}
}

// testSmallMTU wants an MTU that is too small for IPv6 to leave IPv4 as it is, and
// IPv6 to come back with a larger one.
func testSmallMTU(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	for _, mtu := range []int{1000, 1400, 1000, 1400} {
		c.up(t, mtu)
		ab, ba := c.flows(t, false)
		pass(t, ab, 1, mtu)
		pass(t, ba, 1, mtu)
		if mtu < 1280 {
			continue
		}
		ab6, ba6 := c.flows(t, true)
		pass(t, ab6, 1, mtu)
		pass(t, ba6, 1, mtu)
	}
}

// testReconfigure closes IPv4 at one end and opens it again; IPv6 goes on.
func testReconfigure(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	c.up(t, 1400)
	ab, _ := c.flows(t, false)
	ab6, ba6 := c.flows(t, true)
	pass(t, ab, 1, 100)
	_, open := c.link(1400)
	closed := open
	closed.IPv4 = dataplane.PointToPoint{}
	configure(t, c.b, closed)
	if err := ab.Send(100); err != nil {
		t.Fatal(err)
	}
	c.exchange(t, "behind the packet")
	if size, ok := ab.Receive(0); ok {
		t.Errorf("a packet of %d bytes passed with IPv4 closed", size)
	}
	pass(t, ab6, 1, 100)
	pass(t, ba6, 1, 100)
	configure(t, c.b, open)
	configure(t, c.b, open) // no change, no error
	ab, ba := c.flows(t, false)
	pass(t, ab, 1, 100)
	pass(t, ba, 1, 100)
}

// testTwoSessions wants packets of two sessions to stay apart, with the same
// local address at the LNS, and routes to lead to their session.
func testTwoSessions(t *testing.T, p *Pair) {
	tp := connected(t, p)
	one, two := tp.call(t, 1), tp.call(t, 2)
	one.up4(t, 1400)
	a, b := two.link(1400)
	a.IPv6, b.IPv6 = dataplane.PointToPoint{}, dataplane.PointToPoint{}
	shared := netip.MustParseAddr("10.9.1.1") // as of the first call's
	far := netip.MustParseAddr("10.10.0.1")   // behind B
	a.IPv4.Local, b.IPv4.Peer = shared, shared
	a.Routes = []netip.Prefix{netip.MustParsePrefix("10.10.0.0/16")}
	configure(t, two.a, a)
	configure(t, two.b, b)
	ab, _ := one.flows(t, false)
	endA, endB := two.ends(false)
	endA.Addr = shared
	ab2 := p.Flow(t, endA, endB)
	before1, before2 := counters(t, one.b), counters(t, two.b)
	pass(t, ab, 2, 100)
	pass(t, ab2, 3, 200)
	wantCount(t, "the first", one.b, before1,
		dataplane.Counters{RxPackets: 2, RxBytes: 200})
	wantCount(t, "the second", two.b, before2,
		dataplane.Counters{RxPackets: 3, RxBytes: 600})
	if p.Own == nil {
		return
	}
	p.Own(t, p.B, far)
	endB.Addr = far
	before2 = counters(t, two.b)
	pass(t, p.Flow(t, endA, endB), 2, 300)
	wantCount(t, "the second, by its route", two.b, before2,
		dataplane.Counters{RxPackets: 2, RxBytes: 600})
}

func testConfigureErrors(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	if name := c.a.Interface(); name != "" {
		t.Errorf("the interface is %q before Configure, want none", name)
	}
	good, _ := c.link(1400)
	global := netip.MustParseAddr("2001:db8::1")
	for what, change := range map[string]func(*dataplane.LinkSpec){
		"no name":         func(l *dataplane.LinkSpec) { l.Name = "" },
		"a long name":     func(l *dataplane.LinkSpec) { l.Name = "sixteen-letters-" },
		"no MTU":          func(l *dataplane.LinkSpec) { l.MTU = 0 },
		"IPv6 as IPv4":    func(l *dataplane.LinkSpec) { l.IPv4 = l.IPv6 },
		"IPv4 as IPv6":    func(l *dataplane.LinkSpec) { l.IPv6 = l.IPv4 },
		"IPv6 not local":  func(l *dataplane.LinkSpec) { l.IPv6.Local = global },
		"an enormous MTU": func(l *dataplane.LinkSpec) { l.MTU = 1 << 20 },
	} {
		bad := good
		change(&bad)
		if err := c.a.Configure(t.Context(), bad); err == nil {
			t.Errorf("%s: expected an error", what)
		}
	}
	configure(t, c.a, good)
	if c.a.Interface() == "" {
		t.Error("there is no interface after Configure")
	}
}
