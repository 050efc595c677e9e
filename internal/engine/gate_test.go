package engine

import (
	"net/netip"
	"testing"
	"time"

	"culvert/internal/config"
)

// TestGate is what becomes of SCCRQs at given times. All may send 2 a second, and 4 at
// once; a source 2 at once, and a network 8.
func TestGate(t *testing.T) {
	type step struct {
		at   time.Duration
		from string
		what string
		want verdict
	}
	const s = time.Second
	tests := map[string]struct {
		all, source int
		steps       []step
	}{
		"a stranger repeats": {2, 0, []step{
			{0, "1.0.0.1", "a", admitted}, {0, "1.0.0.2", "a", admitted},
			{0, "1.0.0.3", "a", admitted}, {0, "1.0.0.4", "a", admitted},
			{0, "1.0.0.5", "a", putOff},
			{s / 10, "1.0.0.5", "a", putOff}, // the network did that
			{s, "1.0.0.6", "a", putOff},
			{s, "1.0.0.5", "b", putOff}, // another attempt
			{s, "1.0.0.5", "a", admitted},
			{3 * s, "1.0.0.5", "a", admitted}, // for all we know the SCCRP was lost
			{4 * s, "1.0.0.6", "a", admitted},
			{29 * s, "1.0.0.7", "a", putOff},
			{29*s + 3*time.Minute, "1.0.0.8", "a", admitted}, // all is calm again
		}},
		"and is too late": {2, 0, []step{
			{0, "1.0.0.1", "a", admitted}, {0, "1.0.0.1", "b", admitted},
			{0, "1.0.0.1", "c", admitted}, {0, "1.0.0.1", "d", admitted},
			{0, "1.0.0.2", "a", putOff},
			{122 * s, "1.0.0.1", "e", admitted}, {122 * s, "1.0.0.1", "f", admitted},
			{122 * s, "1.0.0.1", "g", admitted}, {122 * s, "1.0.0.1", "h", admitted},
			{122 * s, "1.0.0.2", "a", putOff},
			{123 * s, "1.0.0.2", "a", admitted},
		}},
		"strangers who repeat": {2, 0, []step{
			{0, "1.0.0.1", "a", admitted}, {0, "1.0.0.1", "b", admitted},
			{0, "1.0.0.1", "c", admitted}, {0, "1.0.0.1", "d", admitted},
			{0, "2.0.0.1", "a", putOff}, {0, "2.0.0.2", "a", putOff},
			{0, "2.0.0.3", "a", putOff}, {0, "2.0.0.4", "a", putOff},
			{s, "2.0.0.1", "a", admitted}, {s, "2.0.0.2", "a", admitted},
			{s, "2.0.0.3", "a", overRate},
			{s, "9.0.0.1", "a", admitted}, // we know it
			{s, "9.0.0.1", "b", admitted}, {s, "9.0.0.1", "c", admitted},
			{s, "9.0.0.1", "d", admitted}, {s, "9.0.0.1", "e", overRate},
		}},
		"a source": {0, 1, []step{
			{0, "9.0.0.1", "a", admitted}, {0, "9.0.0.1", "b", admitted},
			{0, "9.0.0.1", "c", overSourceRate},
			{0, "9.0.0.1", "d", putOff},
			{s, "9.0.0.1", "d", admitted},
			{s, "9.0.0.1", "e", putOff},
			{s, "9.0.0.2", "a", admitted},
			{32 * s, "9.0.0.1", "f", admitted},
		}},
		"a network": {0, 1, []step{
			{0, "1.0.0.1", "a", admitted}, {0, "1.0.0.2", "a", admitted},
			{0, "1.0.0.3", "a", admitted}, {0, "1.0.0.4", "a", admitted},
			{0, "1.0.0.5", "a", admitted}, {0, "1.0.0.6", "a", admitted},
			{0, "1.0.0.7", "a", admitted}, {0, "1.0.0.8", "a", admitted},
			{0, "1.0.0.9", "a", overSourceRate},
			{0, "1.0.0.10", "a", putOff},
			{0, "1.0.1.9", "a", admitted},
		}},
		"a neighbour that we know": {0, 1, []step{
			{0, "9.0.0.2", "a", admitted}, {0, "9.0.0.3", "a", admitted},
			{0, "9.0.0.4", "a", admitted}, {0, "9.0.0.5", "a", admitted},
			{0, "9.0.0.6", "a", admitted}, {0, "9.0.0.7", "a", admitted},
			{0, "9.0.0.8", "a", admitted}, {0, "9.0.0.9", "a", admitted},
			{0, "9.0.0.10", "a", overSourceRate}, {0, "9.0.0.11", "a", putOff},
			{0, "9.0.0.1", "a", admitted}, {0, "9.0.0.1", "b", admitted},
			{0, "9.0.0.1", "c", overSourceRate}, {0, "9.0.0.1", "d", putOff},
		}},
		"no limits": {0, 0, []step{
			{0, "1.0.0.1", "a", admitted}, {0, "1.0.0.1", "a", admitted},
			{0, "1.0.0.1", "a", admitted}, {0, "1.0.0.1", "a", admitted},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGate()
			g.configure(config.System{MaxTunnelRequests: test.all, MaxRequestsPerSource: test.source})
			g.prove(netip.MustParseAddr("9.0.0.1"))
			for i, st := range test.steps {
				from := netip.AddrPortFrom(netip.MustParseAddr(st.from), 1701)
				if got := g.judge(g.base.Add(st.at), from, []byte(st.what)); got != st.want {
					t.Errorf("step %d, %v from %s: %v, want %v", i, st.at, st.from, got, st.want)
				}
			}
		})
	}
}

// TestSightings: of what does not fit the oldest is forgotten.
func TestSightings(t *testing.T) {
	s := newSightings(64)
	const many = 1000
	hash := func(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }
	for i := range many {
		if _, known := s.since(hash(i), time.Duration(i)*time.Second); known {
			t.Errorf("%d is known before it came", i)
		}
	}
	kept := 0
	for i := range many {
		if s.seen(hash(i), many*time.Second, time.Hour) {
			kept++
		}
		if i >= many-8 && !s.seen(hash(i), many*time.Second, time.Hour) {
			t.Errorf("%d of %d is forgotten, and it was one of the last", i, many)
		}
	}
	if kept != 64 {
		t.Errorf("%d are kept, want 64", kept)
	}
	if s.seen(hash(many-1), many*time.Second+time.Hour, time.Minute) {
		t.Error("what was seen an hour ago is said to be seen within a minute")
	}
}

// BenchmarkGate is what an SCCRQ of a flood costs at the gate.
func BenchmarkGate(b *testing.B) {
	g := newGate()
	g.configure(config.System{MaxTunnelRequests: 1000, MaxRequestsPerSource: 100})
	message := sccrq(1)
	now := g.base
	for i := uint32(0); b.Loop(); i++ {
		now = now.Add(20 * time.Microsecond)
		from := netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		g.judge(now, netip.AddrPortFrom(from, 1701), message)
	}
}
