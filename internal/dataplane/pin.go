package dataplane

import (
	"context"
	"net/netip"
	"sync"

	"culvert/kernel"
)

// pins are routes that keep the way to tunnels' peers where it was before a
// default route led into a tunnel, which would swallow itself. Sessions share
// the pin of their peer.
type pins struct {
	links *kernel.Links

	mu     sync.Mutex // also held while the kernel is asked: this is rare
	byPeer map[netip.Addr]*pin
}

type pin struct {
	route kernel.Route
	users map[SessionKey]bool
}

// acquire pins the way to the peer of the session's tunnel.
func (p *pins) acquire(ctx context.Context, peer netip.Addr, id SessionKey) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer = peer.Unmap().WithZone("")
	if have := p.byPeer[peer]; have != nil {
		have.users[id] = true
		return nil
	}
	r, err := p.links.RouteTo(ctx, peer)
	if err != nil {
		return err
	}
	r.Source = netip.Addr{} // as chosen without a pin
	if !r.Local {
		if err := p.links.Apply(ctx, kernel.AddRoute(r)); err != nil {
			return err
		}
	}
	if p.byPeer == nil {
		p.byPeer = make(map[netip.Addr]*pin)
	}
	p.byPeer[peer] = &pin{r, map[SessionKey]bool{id: true}}
	return nil
}

// release ends the session's use of its pin, if it has one.
func (p *pins) release(ctx context.Context, peer netip.Addr, id SessionKey) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer = peer.Unmap().WithZone("")
	have := p.byPeer[peer]
	if have == nil || !have.users[id] {
		return nil
	}
	delete(have.users, id)
	if len(have.users) > 0 {
		return nil
	}
	delete(p.byPeer, peer)
	if have.route.Local {
		return nil
	}
	return p.links.Apply(ctx, kernel.DeleteRoute(have.route))
}

// sweep deletes pins that an earlier process left: what is ours, leads to one address,
// and neither pins for a session of this process nor leads into an interface of one:
// interfaces returns their indexes.
func (p *pins) sweep(ctx context.Context, interfaces func() map[int]bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	routes, err := p.links.OurRoutes(ctx)
	if err != nil {
		return err
	}
	sessions := interfaces() // only now: an interface is noted before it has routes
	var left []kernel.Change
	for _, r := range routes {
		if r.Prefix.IsSingleIP() && p.byPeer[r.Prefix.Addr()] == nil && !sessions[r.Index] {
			left = append(left, kernel.DeleteRoute(r))
		}
	}
	return p.links.Apply(ctx, left...)
}
