package dataplane

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"culvert/kernel"
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

// TestSocketThatCannotBeRead: a tunnel's socket that was kept and turns out to be of no use
// is not kept on.
func TestSocketThatCannotBeRead(t *testing.T) {
	n := &noted{}
	p := bookkeeper(n)
	poller, err := kernel.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	poller.Close()
	p.pollers = []*userPoller{{Poller: poller}}
	peer := netip.MustParseAddrPort("127.0.0.1:1701")
	sock, err := kernel.DialUDP(netip.MustParseAddrPort("127.0.0.1:0"), peer, kernel.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.remains.fds["tunnel/1"] = []int{sock.FD()} // which the plane closes
	tun := newKernelTunnel(p, TunnelSpec{ID: 1, Local: sock.Local(), Peer: peer})
	if err := p.takeOverSocket(tun); err == nil {
		t.Error("it is taken over")
	}
	if want := []string{"tunnel/1"}; !slices.Equal(n.dropped, want) {
		t.Errorf("dropped %q, want %q", n.dropped, want)
	}
}
