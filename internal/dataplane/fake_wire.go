package dataplane

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Wire connects fakes and scripted peers. Datagrams go from one to another by
// address, as fast as the receiver takes them unless Impair says otherwise.
//
// Times are those of package time, so virtual in a synctest bubble. Nothing of
// a Wire or a [Fake] blocks on anything but channels.
type Wire struct {
	mu    sync.Mutex // held for moments only, never across a call of someone else's
	hosts map[netip.Addr]wireHost
	peers map[netip.Addr]func(src, dst netip.AddrPort, b []byte)
	cut   map[netip.Addr]bool
	tap   func(src, dst netip.AddrPort, b []byte) bool

	mtu   int // 0: what is sent is never too large
	seed  uint64
	cond  Conditions
	flows map[flow]*rand.Rand
}

// A wireHost takes what is sent to its addresses: a [Fake], or what one left.
type wireHost interface {
	enqueue(delay time.Duration, a arrival)
}

// Conditions are what a Wire does to datagrams. Probabilities are 0 to 1.
type Conditions struct {
	Loss, Duplicate float64
	// Reorder is the probability of a further delay of up to ReorderDelay
	// (10 ms if zero), which lets later datagrams overtake.
	Reorder      float64
	ReorderDelay time.Duration
	// Delay is that of every datagram, with up to Jitter added.
	Delay, Jitter time.Duration
}

// A flow has its own random numbers: what becomes of one does not depend on how
// goroutines with others are scheduled.
type flow struct{ src, dst netip.AddrPort }

// NewWire returns a wire without faults.
func NewWire() *Wire {
	return &Wire{
		hosts: make(map[netip.Addr]wireHost),
		peers: make(map[netip.Addr]func(src, dst netip.AddrPort, b []byte)),
		cut:   make(map[netip.Addr]bool),
	}
}

// Impair sets what the wire does to datagrams sent from now on. The same seed
// does the same to the same datagrams of a flow.
func (w *Wire) Impair(seed uint64, c Conditions) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seed, w.cond, w.flows = seed, c, make(map[flow]*rand.Rand)
}

// Narrow makes the path between all hosts take no larger IP packets. It is 0 for any.
func (w *Wire) Narrow(mtu int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mtu = mtu
}

func (w *Wire) narrowed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mtu
}

// Cut silences the host at addr: nothing reaches or leaves it until Mend.
func (w *Wire) Cut(addr netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[addr] = true
}

// Mend undoes Cut.
func (w *Wire) Mend(addr netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cut, addr)
}

// Tap calls f for every datagram sent; those for which it returns false are
// lost. It must not block, call the wire or keep b.
func (w *Wire) Tap(f func(src, dst netip.AddrPort, b []byte) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tap = f
}

// Peer makes a scripted host at addr: receive is called on the sender's
// goroutine with each datagram to any port of it. It must not block, nor call
// the fake that sends; it may call Send. The wire's faults do not apply to it,
// Cut apart.
func (w *Wire) Peer(addr netip.Addr, receive func(src, dst netip.AddrPort, b []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers[addr] = receive
}

// Send sends a datagram as the host of src would.
func (w *Wire) Send(src, dst netip.AddrPort, b []byte) {
	w.mu.Lock()
	tap, lost := w.tap, w.cut[src.Addr()] || w.cut[dst.Addr()]
	w.mu.Unlock()
	if lost || tap != nil && !tap(src, dst, b) {
		return
	}
	w.mu.Lock()
	receive, host := w.peers[dst.Addr()], w.hosts[dst.Addr()]
	delays := w.delays(flow{src, dst})
	w.mu.Unlock()
	switch {
	case receive != nil:
		receive(src, dst, slices.Clone(b))
	case host != nil:
		for _, d := range delays {
			host.enqueue(d, arrival{src: src, dst: dst, data: slices.Clone(b)})
		}
	}
}

// delays returns the delay of each copy of a datagram to be delivered. w.mu is held.
func (w *Wire) delays(k flow) []time.Duration {
	c := w.cond
	if c == (Conditions{}) {
		return []time.Duration{0}
	}
	r := w.random(k)
	var out []time.Duration
	if r.Float64() >= c.Loss {
		out = append(out, c.delay(r))
	}
	if r.Float64() < c.Duplicate {
		out = append(out, c.delay(r))
	}
	return out
}

func (w *Wire) random(k flow) *rand.Rand {
	r := w.flows[k]
	if r == nil {
		r = rand.New(rand.NewPCG(w.seed, k.hash()))
		w.flows[k] = r
	}
	return r
}

// hash depends on nothing but the addresses: every run draws the same numbers.
func (k flow) hash() uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, a := range []netip.AddrPort{k.src, k.dst} {
		b, _ := a.MarshalBinary()
		for _, c := range b {
			h = (h ^ uint64(c)) * 1099511628211
		}
	}
	return h
}

func (c Conditions) delay(r *rand.Rand) time.Duration {
	d := c.Delay
	if c.Jitter > 0 {
		d += time.Duration(r.Int64N(int64(c.Jitter)))
	}
	if r.Float64() < c.Reorder {
		d += time.Duration(r.Int64N(int64(cmp.Or(c.ReorderDelay, 10*time.Millisecond))))
	}
	return d
}

// join makes h the host of addresses.
func (w *Wire) join(h wireHost, addrs []netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range addrs {
		w.hosts[a] = h
	}
}

// leave takes h off the wire, if nobody has taken its place yet.
func (w *Wire) leave(h wireHost) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a, other := range w.hosts {
		if other == h {
			delete(w.hosts, a)
		}
	}
}
