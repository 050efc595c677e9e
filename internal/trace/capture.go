package trace

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"culvert/l2tp"
)

// A Packet is a control message as it came or went.
type Packet struct {
	Time        time.Time // set by Capture
	Direction   Direction
	Local, Peer netip.AddrPort
	Tunnel      l2tp.TunnelID // 0: of none
	TunnelName  string
	Data        []byte // header included; copied, without secrets
	Missed      uint64 // how many went before it that were not kept; set by Next
}

// A Filter says which packets are wanted. A zero field lets all pass.
type Filter struct {
	Tunnel     l2tp.TunnelID
	TunnelName string
	Peer       netip.Prefix
}

func (f *Filter) passes(p *Packet) bool {
	switch {
	case f.Tunnel != 0 && p.Tunnel != f.Tunnel:
		return false
	case f.TunnelName != "" && p.TunnelName != f.TunnelName:
		return false
	}
	return !f.Peer.IsValid() || f.Peer.Contains(p.Peer.Addr().Unmap().WithZone(""))
}

// A Capture is one who wants to see control messages. Those that come while it
// does not look wait in a buffer, and those that do not fit are missed.
type Capture struct {
	r       *Recorder
	filter  Filter
	packets chan Packet
	missed  atomic.Uint64
}

const (
	// maxCaptures is how many run at once: each costs every message something.
	maxCaptures = 16
	// captureBuffer is how many packets wait for a reader.
	captureBuffer = 1024
)

// ErrTooMany says that so many captures run already that no more may.
var ErrTooMany = errors.New("16 captures run already")

// Capturing reports whether anybody wants to see control messages.
func (r *Recorder) Capturing() bool { return r != nil && r.captures.Load() != nil }

// Capture shows a packet to those who want it. It never blocks.
func (r *Recorder) Capture(p Packet) {
	if r == nil {
		return
	}
	all := r.captures.Load()
	if all == nil {
		return
	}
	p.Time = time.Now()
	redacted := false
	for _, c := range *all {
		if !c.filter.passes(&p) {
			continue
		}
		if !redacted {
			p.Data, redacted = l2tp.Redact(p.Data), true
		}
		select {
		case c.packets <- p:
		default:
			c.missed.Add(1)
		}
	}
}

// NewCapture begins a capture. It is closed by its reader.
func (r *Recorder) NewCapture(f Filter) (*Capture, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*Capture
	if old := r.captures.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if len(all) >= maxCaptures {
		return nil, ErrTooMany
	}
	c := &Capture{r: r, filter: f, packets: make(chan Packet, captureBuffer)}
	all = append(all, c)
	r.captures.Store(&all)
	return c, nil
}

// Next waits for the next packet.
func (c *Capture) Next(ctx context.Context) (Packet, error) {
	select {
	case p := <-c.packets:
		p.Missed = c.missed.Swap(0)
		return p, nil
	case <-ctx.Done():
		return Packet{}, ctx.Err()
	}
}

// Close ends the capture.
func (c *Capture) Close() {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	all := slices.Clone(*c.r.captures.Load())
	all = slices.DeleteFunc(all, func(o *Capture) bool { return o == c })
	if len(all) == 0 {
		c.r.captures.Store(nil)
		return
	}
	c.r.captures.Store(&all)
}
