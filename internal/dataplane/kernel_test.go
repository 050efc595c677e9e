package dataplane

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"culvert/kernel"
)

func TestLinkChanges(t *testing.T) {
	v4 := PointToPoint{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}
	other := PointToPoint{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3")}
	v6 := PointToPoint{netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2")}
	r := kernel.Route{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Index: 7}
	up := []kernel.Change{kernel.SetUp(7, true)}
	add := func(p PointToPoint) kernel.Change { return kernel.AddAddress(7, p.Local, p.Peer) }
	del := func(p PointToPoint) kernel.Change { return kernel.DeleteAddress(7, p.Local, p.Peer) }
	full := linkState{mtu: 1400, up: true, ipv4: v4, ipv6: v6, routes: []kernel.Route{r}}
	failed := full
	failed.unknown = true
	for name, c := range map[string]struct {
		have, want linkState
		changes    []kernel.Change
	}{
		"first": {linkState{mtu: 1400}, full,
			append(up[:1:1], add(v4), add(v6), kernel.AddRoute(r))},
		"nothing new": {full, full, nil},
		"MTU": {full, linkState{mtu: 1300, up: true, ipv4: v4, ipv6: v6, routes: full.routes},
			[]kernel.Change{kernel.SetMTU(7, 1300)}},
		"IPv4 closes": {full, linkState{mtu: 1400, up: true, ipv6: v6},
			[]kernel.Change{kernel.DeleteRoute(r), del(v4)}},
		"another peer": {full, linkState{mtu: 1400, up: true, ipv4: other, ipv6: v6, routes: full.routes},
			[]kernel.Change{del(v4), add(other), kernel.AddRoute(r)}},
		"after an error": {failed, full, append([]kernel.Change{kernel.SetMTU(7, 1400)},
			append(up[:1:1], add(v4), add(v6), kernel.AddRoute(r))...)},
		"another peer after an error": {
			linkState{mtu: 1400, up: true, unknown: true, tried: []PointToPoint{v4, {}}},
			linkState{mtu: 1400, up: true, ipv4: other},
			[]kernel.Change{del(v4), kernel.SetMTU(7, 1400), up[0], add(other)},
		},
	} {
		got := c.have.changes(7, c.want)
		if fmt.Sprint(got) != fmt.Sprint(c.changes) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, c.changes)
		}
	}
}

// TestFailures: what cannot be changed is tried again and again, and noted once.
func TestFailures(t *testing.T) {
	have := linkState{routes: []kernel.Route{{Index: 1}}}
	want := linkState{
		ipv4:   PointToPoint{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
		routes: []kernel.Route{{Index: 1}, {Index: 2}},
	}
	for range 3 {
		have.mayHave(want)
	}
	if len(have.routes) != 2 || len(have.tried) != 2 || !have.unknown {
		t.Errorf("noted: %+v", have)
	}
}

// TestSlots closes the sessions of many tunnels at once: there is one bound for all.
func TestSlots(t *testing.T) {
	const tunnels, sessions, limit = 20, 20, 7
	closing := make(slots, limit)
	var now, most, all atomic.Int64
	make(slots, tunnels).each(tunnels, func(int) {
		closing.each(sessions, func(int) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			runtime.Gosched()
			all.Add(1)
			now.Add(-1)
		})
	})
	if all.Load() != tunnels*sessions || most.Load() > limit {
		t.Errorf("%d calls, up to %d at once; want %d, up to %d", all.Load(), most.Load(),
			tunnels*sessions, limit)
	}
}
