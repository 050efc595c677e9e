package dataplane

import (
	"context"
	"slices"
	"testing"
	"time"

	"culvert/l2tp"
)

// A noted keeper notes what it is told.
type noted struct{ kept, dropped []string }

func (n *noted) Keep(key string, _ ...int)              { n.kept = append(n.kept, key) }
func (n *noted) Drop(_ context.Context, keys ...string) { n.dropped = append(n.dropped, keys...) }

// bookkeeper is a data plane that has its books, and nothing in the kernel.
func bookkeeper(k Keeper) *kernelPlane {
	return &kernelPlane{
		keeper:    k,
		remains:   remains{fds: make(map[string][]int)},
		tunnels:   make(map[l2tp.TunnelID]*kernelTunnel),
		listeners: make(map[*kernelListener]struct{}),
		pairs:     make(map[sockKey]*kernelTunnel),
	}
}

// TestHandOverWaitsForNoEnd: sessions that are being closed, each of which takes grace
// periods, do not hold up what a new keeper is to hold.
func TestHandOverWaitsForNoEnd(t *testing.T) {
	n := &noted{}
	p := bookkeeper(n)
	tun := newKernelTunnel(p, TunnelSpec{ID: 1})
	ending := &kernelSession{tunnel: tun, key: SessionKey{1, 2}}
	ending.closed.Store(true)
	ending.changing.Lock()
	tun.sessions[2], p.tunnels[1] = ending, tun
	done := make(chan bool)
	go func() {
		p.HandOver()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for a session's end")
	}
	if want := []string{"tunnel/1"}; !slices.Equal(n.kept, want) {
		t.Errorf("kept %q, want %q", n.kept, want)
	}
}
