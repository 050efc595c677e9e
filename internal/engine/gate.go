package engine

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// A gate decides which SCCRQs come in. Pollers ask it before anything is made or
// queued for one: its memory is fixed, whatever strangers send.
//
// While more come than may be answered, one that comes for the first time is put
// off: it is answered once it is repeated, as RFC 2661, 5.8 has peers do after a
// second. Who sends under other people's addresses does not repeat, for nothing
// tells him what has become of what he sent; who does all the same is held to the
// paces, like everybody. See docs/decisions/0023-overload.md.
type gate struct {
	base time.Time
	seed maphash.Seed

	mu          sync.Mutex // guards what follows
	pace        pace       // of all together
	sourcePace  pace
	networkPace pace

	strangers, proven meter // what all used of their pace, and those whom we know
	offered           meter // what strangers would use if all of theirs came in
	sources           meters
	networks          meters
	pressedUntil      time.Duration // strangers are put off until then
	known             *sightings    // sources that have had a tunnel
	busy              *sightings    // sources and networks that had more than their share
	first             *sightings    // SCCRQs, by when they first came; nil while all is calm
}

const (
	// pressed is how long a gate puts off what comes after it had to drop something.
	pressed = 30 * time.Second
	// soonest is after how long a repeated SCCRQ counts as a new attempt: a network
	// that duplicates does so at once.
	soonest = 500 * time.Millisecond
	// longest is after how long it is a new one: the RFC's retransmissions are over.
	longest = 2 * time.Minute

	knownSources   = 1 << 14
	busySources    = 1 << 10
	firstRequests  = 1 << 19 // ten seconds of 50,000 a second; 4 MiB
	networkSources = 4       // how many times as fast as a source a network may be
)

func newGate() *gate {
	return &gate{
		base: time.Now(), seed: maphash.MakeSeed(),
		known: newSightings(knownSources), busy: newSightings(busySources),
	}
}

// configure sets the paces.
func (g *gate) configure(sys config.System) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace = perSecond(sys.MaxTunnelRequests)
	g.sourcePace = perSecond(sys.MaxRequestsPerSource)
	g.networkPace = g.sourcePace.times(networkSources)
}

// A verdict is what becomes of an SCCRQ.
type verdict uint8

const (
	admitted       verdict = iota
	overRate               // of all together
	overSourceRate         // of its source, or of its network
	putOff                 // until it is repeated
)

// everywhere is where all strangers are.
var everywhere netip.Prefix

// sourceOf is what a rate is held against: an IPv4 address, or what a household or
// an office has of IPv6.
func sourceOf(addr netip.Addr) netip.Prefix { return prefixOf(addr, 32, 64) }

// networkOf is the neighbourhood of a source.
func networkOf(addr netip.Addr) netip.Prefix { return prefixOf(addr, 24, 56) }

func prefixOf(addr netip.Addr, bits4, bits6 int) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := bits6
	if addr.Is4() {
		bits = bits4
	}
	p, _ := addr.Prefix(bits)
	return p
}

// judge decides on an SCCRQ.
func (g *gate) judge(now time.Time, peer netip.AddrPort, b []byte) verdict {
	at := now.Sub(g.base)
	source := maphash.Comparable(g.seed, sourceOf(peer.Addr()))
	network := maphash.Comparable(g.seed, networkOf(peer.Addr()))
	g.mu.Lock()
	defer g.mu.Unlock()
	_, proven := g.known.find(source)
	if g.putsOff(source, network, proven, at) && !g.isRepeated(peer, b, at) {
		return putOff
	}
	if !g.inPace(source, network, proven, at) {
		return overSourceRate
	}
	all := &g.strangers
	if proven {
		all = &g.proven
	}
	if !g.pace.allows(*all, at) {
		return overRate
	}
	g.pace.charge(all, at)
	g.sources.charge(source, g.sourcePace, at)
	if !proven {
		g.networks.charge(network, g.networkPace, at)
	}
	return admitted
}

// putsOff reports whether SCCRQs of a source have to be repeated.
func (g *gate) putsOff(source, network uint64, proven bool, at time.Duration) bool {
	if proven {
		return g.busy.seen(source, at, pressed)
	}
	if !g.pace.allows(g.offered, at) {
		g.pressedUntil = at + pressed
	}
	g.pace.charge(&g.offered, at)
	return g.putsOffStrangers(source, network, at)
}

// putsOffStrangers reports whether SCCRQs of a source that we do not know have to be
// repeated. mu is held.
func (g *gate) putsOffStrangers(source, network uint64, at time.Duration) bool {
	return at < g.pressedUntil ||
		g.busy.seen(source, at, pressed) || g.busy.seen(network, at, pressed)
}

// isRepeated reports whether an SCCRQ has come before, and remembers it if not.
func (g *gate) isRepeated(peer netip.AddrPort, b []byte, at time.Duration) bool {
	if g.first == nil {
		g.first = newSightings(firstRequests)
	}
	var h maphash.Hash
	h.SetSeed(g.seed)
	maphash.WriteComparable(&h, peer)
	h.Write(b)
	sum := h.Sum64()
	ago, before := g.first.since(sum, at)
	if before && ago > longest {
		g.first.note(sum, at)
		return false
	}
	return before && ago >= soonest
}

// inPace reports whether a source and its network may send one more. Sources that we
// know have nothing to do with their network, which is full of strangers.
func (g *gate) inPace(source, network uint64, proven bool, at time.Duration) bool {
	ok := true
	if !g.sources.allows(source, g.sourcePace, at) {
		g.busy.note(source, at)
		ok = false
	}
	if !proven && !g.networks.allows(network, g.networkPace, at) {
		g.busy.note(network, at)
		ok = false
	}
	return ok
}

// prove notes that a tunnel with a peer was established: it receives what is sent to
// its address. Strangers do not take its share of the pace.
func (g *gate) prove(peer netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known.note(maphash.Comparable(g.seed, sourceOf(peer)), time.Since(g.base))
}

// press has SCCRQs put off for a while, since there are too many half-open tunnels: those
// of a source or of a network that has too many of them, or those of all strangers.
func (g *gate) press(now time.Time, of netip.Prefix) {
	at := now.Sub(g.base)
	g.mu.Lock()
	defer g.mu.Unlock()
	if of == everywhere {
		g.pressedUntil = at + pressed
		return
	}
	g.busy.note(maphash.Comparable(g.seed, of), at)
}

// isPressed reports whether SCCRQs of a peer whom we do not know are put off.
func (g *gate) isPressed(now time.Time, peer netip.Addr) bool {
	at := now.Sub(g.base)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.putsOffStrangers(maphash.Comparable(g.seed, sourceOf(peer)),
		maphash.Comparable(g.seed, networkOf(peer)), at)
}

// relax gives back the memory that a flood took.
func (g *gate) relax() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.first = nil
}

// letsIn decides on a message to no tunnel, on the poller's goroutine, and counts it
// if it is dropped.
func (e *Engine) letsIn(d dataplane.Datagram) bool {
	if mt, _ := l2tp.PeekType(d.Data); mt != l2tp.TypeSCCRQ {
		e.total.noTunnel.Add(1)
		return false
	}
	switch e.gate.judge(time.Now(), d.Peer, d.Data) {
	case admitted:
		return true
	case overRate:
		e.total.overRate.Add(1)
	case overSourceRate:
		e.total.overSourceRate.Add(1)
	case putOff:
		e.total.putOff.Add(1)
	}
	e.overload.notice("tunnels", d.Peer.Addr())
	return false
}
