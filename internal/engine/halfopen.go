package engine

import (
	"net/netip"
	"time"

	"culvert/internal/config"
	"culvert/l2tp"
)

// halfOpens are the tunnels of a shard that peers have begun and that are not
// established, the oldest first. Nothing shows yet that their peers receive what is
// sent to them: their number is bounded, and where it is reached the oldest give way.
type halfOpens struct {
	oldest, newest *tunnel
	count          int
	of             map[netip.Prefix]int // by source and by network
}

// A halfOpen is a tunnel's place among them.
type halfOpen struct {
	older, newer *tunnel
	in           bool
}

// add appends a tunnel.
func (h *halfOpens) add(t *tunnel) {
	t.half = halfOpen{older: h.newest, in: true}
	if h.newest != nil {
		h.newest.half.newer = t
	} else {
		h.oldest = t
	}
	h.newest = t
	h.count++
	t.shard.engine.count.halfOpen.Add(1)
	h.tally(t, 1)
}

// remove takes a tunnel out, if it is in.
func (h *halfOpens) remove(t *tunnel) {
	if !t.half.in {
		return
	}
	older, newer := t.half.older, t.half.newer
	if older != nil {
		older.half.newer = newer
	} else {
		h.oldest = newer
	}
	if newer != nil {
		newer.half.older = older
	} else {
		h.newest = older
	}
	t.half = halfOpen{}
	h.count--
	t.shard.engine.count.halfOpen.Add(-1)
	h.tally(t, -1)
}

func (h *halfOpens) tally(t *tunnel, n int) {
	if h.of == nil {
		h.of = make(map[netip.Prefix]int)
	}
	for _, p := range []netip.Prefix{sourceOf(t.peer.Addr()), networkOf(t.peer.Addr())} {
		if h.of[p] += n; h.of[p] == 0 {
			delete(h.of, p)
		}
	}
}

// oldestOf returns the oldest tunnel with a peer in p.
func (h *halfOpens) oldestOf(p netip.Prefix) *tunnel {
	for t := h.oldest; t != nil; t = t.half.newer {
		if p.Contains(t.peer.Addr().Unmap().WithZone("")) {
			return t
		}
	}
	return nil
}

// graceOfHalfOpen is how long a half-open tunnel does not give way: long enough for
// an answer from the other side of the earth.
const graceOfHalfOpen = time.Second

// A source may have a quarter of the half-open tunnels, a network half of them.
const (
	shareOfSource  = 4
	shareOfNetwork = 2
)

// makeRoom reports whether one more half-open tunnel with a peer may be made, and has
// an older one give way where there are too many.
func (s *shard) makeRoom(now time.Time, sys config.System, peer netip.Addr) bool {
	limit := max(sys.MaxHalfOpenTunnels/len(s.engine.shards), 1)
	t, of := s.halfOpen.inTheWay(limit, peer)
	if t == nil && sys.MaxTunnels > 0 && s.engine.count.tunnels.Load() >= int64(sys.MaxTunnels) {
		t = s.halfOpen.oldest // what is established stays
	}
	if t == nil {
		return true
	}
	s.engine.gate.press(now, of)
	s.engine.overload.notice("tunnels", peer)
	if now.Sub(t.created) < graceOfHalfOpen {
		s.engine.total.unanswered.Add(1)
		return false
	}
	s.engine.total.evicted.Add(1)
	t.giveWay(now)
	return true
}

// inTheWay returns the tunnel that is to give way to one with a peer, and where there
// are too many, or nil.
func (h *halfOpens) inTheWay(limit int, peer netip.Addr) (t *tunnel, of netip.Prefix) {
	source, network := sourceOf(peer), networkOf(peer)
	switch {
	case h.of[source] >= max(limit/shareOfSource, 1):
		return h.oldestOf(source), source
	case h.of[network] >= max(limit/shareOfNetwork, 1):
		return h.oldestOf(network), network
	case h.count >= limit:
		return h.oldest, everywhere
	}
	return nil, everywhere
}

// giveWay forgets a half-open tunnel without a word: its peer may not be there at
// all, and if it is it begins anew. It is we who end it, and not lost.
func (t *tunnel) giveWay(now time.Time) {
	t.stopped(now, l2tp.End{Result: l2tp.Result{
		Code: l2tp.StopError, Error: l2tp.ErrorResources, Message: "too many half-open tunnels"}})
	t.finish()
}
