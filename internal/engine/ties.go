package engine

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// losesTie settles the tie between an SCCRQ and those that this shard has sent to the
// same host, and reports whether the peer's loses (RFC 2661, 4.4.3, Tie Breaker).
func (s *shard) losesTie(peer netip.Addr, sccrq l2tp.SCCRQ) bool {
	for d := range s.dialers {
		if d.tunnel != nil && d.tunnel.peer.Addr() == peer.Unmap() && d.wins(sccrq) {
			return true
		}
	}
	return false
}

// wins settles the tie between an SCCRQ and the dialer's own, and reports whether the
// peer's is to be passed over.
func (d *dialer) wins(sccrq l2tp.SCCRQ) bool {
	t := d.tunnel
	if t == nil || t.end != nil {
		return false
	}
	tie := t.core.Collide(sccrq.TieBreaker)
	if tie == l2tp.TieLost || tie == l2tp.TieBoth {
		d.shard.step(t, l2tp.TieBreakerLost{})
	}
	return tie == l2tp.TieWon || tie == l2tp.TieBoth
}

// ties finds the dialers that ask a host for a tunnel from another shard than that on
// which the host's own SCCRQs arrive: their tunnel's identifier was given, or their
// peer's name.
type ties struct {
	mu sync.Mutex
	by map[netip.Addr]map[*dialer]struct{}
}

// add notes that d asks peer, if that is not seen anyway.
func (t *ties) add(d *dialer, peer netip.Addr) {
	if d.shard.engine.shardFor(peer) == d.shard {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = make(map[netip.Addr]map[*dialer]struct{})
	}
	if t.by[peer] == nil {
		t.by[peer] = make(map[*dialer]struct{})
	}
	t.by[peer][d] = struct{}{}
}

// remove notes that d asks peer no more.
func (t *ties) remove(d *dialer, peer netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if delete(t.by[peer], d); len(t.by[peer]) == 0 {
		delete(t.by, peer)
	}
}

// with returns the dialers that ask peer.
func (t *ties) with(peer netip.Addr) []*dialer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.by[peer]))
}

// settle settles the ties with dialers of other shards, each on its own, and then
// takes the SCCRQ if it has lost none.
func (s *shard) settle(others []*dialer, d dataplane.Datagram, sccrq l2tp.SCCRQ) {
	if len(others) == 0 {
		s.accept(d, sccrq)
		return
	}
	s.settleOn(others, func() {
		if !s.repeats(d, sccrq) { // a copy of it may have come first
			s.accept(d, sccrq)
		}
	}, sccrq)
}

// settleOn goes from dialer to dialer, and back with then.
func (s *shard) settleOn(others []*dialer, then func(), sccrq l2tp.SCCRQ) {
	if len(others) == 0 {
		s.mail.post(then)
		return
	}
	next := others[0]
	next.shard.mail.post(func() {
		if !next.wins(sccrq) {
			s.settleOn(others[1:], then, sccrq)
		}
	})
}
