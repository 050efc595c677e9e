package engine

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"

	"culvert/l2tp"
)

// A registry tells pollers which tunnels there are, and shards with whom: a message
// to no tunnel, or from somebody else than the tunnel's peer, is dropped before it is
// queued.
type registry struct {
	seed maphash.Seed
	tags [1 << 16]atomic.Uint32 // of the peers' addresses, by our Tunnel IDs; 0: no tunnel

	mu    sync.Mutex
	peers map[netip.AddrPort]int // how many tunnels with each
}

func newRegistry() *registry {
	return &registry{seed: maphash.MakeSeed(), peers: make(map[netip.AddrPort]int)}
}

// add enters a tunnel.
func (r *registry) add(id l2tp.TunnelID, peer netip.AddrPort) {
	r.tags[id].Store(r.tag(peer.Addr()))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.peers[peer]++
}

// remove takes a tunnel out.
func (r *registry) remove(id l2tp.TunnelID, peer netip.AddrPort) {
	r.tags[id].Store(0)
	r.leave(peer)
}

func (r *registry) leave(peer netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peers[peer]--; r.peers[peer] <= 0 {
		delete(r.peers, peer)
	}
}

// move notes that a tunnel's peer has another port.
func (r *registry) move(from, to netip.AddrPort) {
	r.mu.Lock()
	r.peers[to]++
	r.mu.Unlock()
	r.leave(from)
}

// has reports whether there is a tunnel with the host. It is wrong once in four
// thousand million times: the shard looks again.
func (r *registry) has(id l2tp.TunnelID, peer netip.Addr) bool {
	return r.tags[id].Load() == r.tag(peer)
}

// tunnelsWith is how many tunnels there are with a peer's very port.
func (r *registry) tunnelsWith(peer netip.AddrPort) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers[peer]
}

func (r *registry) tag(peer netip.Addr) uint32 {
	return uint32(maphash.Comparable(r.seed, peer.Unmap())) | 1
}
