package dataplanetest

import (
	"net/netip"
	"testing"

	"culvert/internal/dataplane"
)

// testUnnumbered wants packets to pass both ways where the interfaces of one end have no
// address of their own: of two sessions with the same one, when a link changes
// from one way to the other, and when one of the sessions is gone.
func testUnnumbered(t *testing.T, p *Pair) {
	tp := connected(t, p)
	one, two := tp.call(t, 1), tp.call(t, 2)
	shared := netip.MustParseAddr("10.9.1.1") // as of the first call's
	up := func(c *call, unnumbered bool) {
		a, b := c.link(1400)
		a.IPv6, b.IPv6 = dataplane.PointToPoint{}, dataplane.PointToPoint{}
		a.IPv4.Local, b.IPv4.Peer, a.Unnumbered = shared, shared, unnumbered
		configure(t, c.a, a)
		configure(t, c.b, b)
	}
	to := func(c *call) {
		a, b := c.ends(false)
		a.Addr = shared
		pass(t, p.Flow(t, a, b), 2, 100)
	}
	from := func(c *call) { // of the peers only one may have a route to the address
		a, b := c.ends(false)
		a.Addr = shared
		pass(t, p.Flow(t, b, a), 2, 200)
	}
	for _, unnumbered := range []bool{true, false, true} {
		up(one, unnumbered)
		to(one)
		from(one)
	}
	up(two, true)
	to(one)
	to(two)
	for _, s := range []dataplane.Session{one.a, one.b} {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	to(two)
	from(two)
}
