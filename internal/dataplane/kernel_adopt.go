package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"sync"

	"culvert/kernel"
	"culvert/l2tp"
)

// remains are what an earlier process had and nobody has taken over yet.
type remains struct {
	mu      sync.Mutex // guards what follows
	fds     map[string][]int
	proxies map[netip.Addr]int // interfaces that answer ARP for an address; nil: not read yet
}

// take returns the n descriptors of a key, which are the caller's from then on; nil
// if there are none.
func (r *remains) take(key string, n int) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	fds := r.fds[key]
	if len(fds) != n {
		return nil
	}
	delete(r.fds, key)
	return fds
}

// putBack undoes take.
func (r *remains) putBack(key string, fds []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fds != nil {
		r.fds[key] = fds
	}
}

func (r *remains) has(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fds[key] != nil
}

// find returns a key that begins with something; "" if there is none.
func (r *remains) find(prefix string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.fds {
		if strings.HasPrefix(key, prefix) {
			return key
		}
	}
	return ""
}

// any tells whether there is anything.
func (r *remains) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.fds) > 0
}

// takeAll returns everything that is left.
func (r *remains) takeAll() map[string][]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.fds
	r.fds, r.proxies = make(map[string][]int), nil
	return all
}

// proxyFor returns which interface answers ARP for an address.
func (r *remains) proxyFor(ctx context.Context, links *kernel.Links, addr netip.Addr) (index int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxies == nil {
		all, err := links.OurProxies(ctx)
		if err != nil {
			return 0, err
		}
		r.proxies = make(map[netip.Addr]int, len(all))
		for _, p := range all {
			r.proxies[p.Addr] = p.Index
		}
	}
	return r.proxies[addr], nil
}

// adoptListener returns the listener's socket that was kept, nil if none was.
func (p *kernelPlane) adoptListener(addr netip.AddrPort) *kernel.Socket {
	key := listenerKey(addr)
	fds := p.remains.take(key, 1)
	if fds == nil {
		return nil
	}
	sock, err := kernel.AdoptUDP(fds[0], netip.AddrPort{}, nil)
	if err != nil || sock.Local() != addr {
		p.remains.putBack(key, fds)
		return nil
	}
	return sock
}

// AdoptTunnel takes over the socket and, where the kernel has it, the tunnel on it.
func (p *kernelPlane) AdoptTunnel(ctx context.Context, spec TunnelSpec, peer l2tp.TunnelID) (Tunnel, error) {
	t := newKernelTunnel(p, spec)
	t.changing.Lock()
	defer t.changing.Unlock()
	err := t.takeOverAttachment(ctx, peer)
	if err == nil {
		p.opening.Lock()
		defer p.opening.Unlock()
		err = p.takeOverSocket(t)
	}
	if err != nil {
		return nil, fmt.Errorf("adopt tunnel %d: %w", spec.ID, err)
	}
	return t, nil
}

// takeOverAttachment finds out whether the kernel has the tunnel. What the earlier
// process had not finished, attaching or detaching, is undone or done. t.changing is held.
func (t *kernelTunnel) takeOverAttachment(ctx context.Context, peer l2tp.TunnelID) error {
	if err := t.plane.mayOpen(t.id); err != nil {
		return err
	}
	if !t.plane.remains.has(tunnelKey(t.id)) {
		return fs.ErrNotExist
	}
	t.used = true // or it may be: Attach takes a new socket then
	info, err := t.plane.k.Tunnel(ctx, uint16(t.id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case peer == 0 || info.PeerID != uint32(peer):
		return t.plane.k.DeleteTunnel(ctx, uint16(t.id))
	}
	t.made, t.attached, t.peer = true, true, peer
	return nil
}

// takeOverSocket makes the socket that was kept the tunnel's. p.opening is held.
func (p *kernelPlane) takeOverSocket(t *kernelTunnel) error {
	if err := p.mayOpen(t.id); err != nil {
		return err
	}
	key := tunnelKey(t.id)
	fds := p.remains.take(key, 1)
	if fds == nil {
		return fs.ErrNotExist
	}
	sock, err := kernel.AdoptUDP(fds[0], t.spec.Peer, t.spec.TooLarge)
	if err == nil && !t.spec.mayBe(sock.Local(), sock.Peer()) {
		err = fmt.Errorf("what was kept is from %s to %s: %w", sock.Local(), sock.Peer(), fs.ErrNotExist)
	}
	if err != nil {
		p.remains.putBack(key, fds)
		return err
	}
	t.spec.AnyPort = t.spec.AnyPort && !sock.Connected()
	t.spec.Peer = sock.Peer()
	if err := t.adopt(sock); err != nil {
		p.keeper.Drop(context.Background(), key) // or a successor would find what we have closed
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tunnels[t.id] = t
	return nil
}

// AdoptSession takes over a session's channel and its unit.
func (t *kernelTunnel) AdoptSession(ctx context.Context, spec SessionSpec, last Configured) (Session, error) {
	s := &kernelSession{tunnel: t, key: SessionKey{t.id, spec.Session}, poller: t.plane.nextPoller()}
	s.changing.Lock()
	defer s.changing.Unlock()
	err := t.enter(s)
	if err == nil {
		if err = s.takeOver(ctx, spec, last); err != nil {
			s.gone = true
			t.leave(s)
		}
	} else if errors.Is(err, errNotAttached) {
		err = fmt.Errorf("%w: %w", err, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("adopt session %s: %w", s.key, err)
	}
	return s, nil
}

// takeOver takes what was kept of the session, or nothing. s.changing is held.
func (s *kernelSession) takeOver(ctx context.Context, spec SessionSpec, last Configured) error {
	if s.raw = spec.Raw; s.raw {
		_, err := s.kernel().Session(ctx, uint16(s.key.Tunnel), uint16(s.key.Session))
		return err
	}
	remains := &s.tunnel.plane.remains
	fds := remains.take(sessionKey(s.key), 2)
	if fds == nil {
		return fs.ErrNotExist
	}
	if err := s.takeOverUnit(ctx, last); err != nil {
		remains.putBack(sessionKey(s.key), fds)
		return err
	}
	s.channel = kernel.AdoptChannel(s.channelSpec(spec), fds[0], fds[1])
	s.channelFD = fds[1]
	s.requireSequence.Store(spec.RequireSequence)
	return s.watch()
}

// watch begins to read from what was taken over, or closes it.
func (s *kernelSession) watch() error {
	channel, u := s.channel, s.unit.Load()
	err := s.poller.Add(s.channelFD, func() { s.ready(channel, s.channelFD) })
	if err == nil && u != nil {
		err = s.poller.Add(s.unitFD, func() { s.ready(u, s.unitFD) })
	}
	if err != nil {
		err = errors.Join(err, s.end(context.Background()))
	}
	return err
}

// takeOverUnit takes the unit that was kept, if there is one, and notes what its
// interface has.
func (s *kernelSession) takeOverUnit(ctx context.Context, last Configured) error {
	plane := s.tunnel.plane
	if last.Link == nil { // if it was made nobody noted for what
		if key := plane.remains.find(unitKey(s.key, "")); key != "" {
			plane.dropKept(ctx, key, plane.remains.take(key, 1))
		}
		return nil
	}
	key := unitKey(s.key, last.Link.Name)
	fds := plane.remains.take(key, 1)
	if fds == nil {
		return nil
	}
	u, err := s.kernel().AdoptUnit(last.Link.Name, fds[0])
	if err == nil {
		s.unitFD = fds[0]
		s.unit.Store(u)
		err = s.takeOverLink(ctx, last)
	}
	if err != nil {
		s.unit.Store(nil)
		plane.remains.putBack(key, fds)
		err = errors.Join(err, plane.proxies.set(ctx, s.key, netip.Addr{}),
			s.letGo(ctx, linkState{}))
	}
	return err
}

// takeOverLink notes what the interface has. Where that is known nothing is asked of
// the kernel, but for the few sessions with a default route.
func (s *kernelSession) takeOverLink(ctx context.Context, last Configured) error {
	plane := s.tunnel.plane
	want := s.wanted(*last.Link)
	if err := s.hold(ctx, want); err != nil {
		return err
	}
	if addr := last.Link.proxied(); addr.IsValid() {
		index, err := plane.remains.proxyFor(ctx, plane.k.Links, addr)
		if err != nil {
			return err
		}
		plane.proxies.adopt(s.key, addr, index)
	}
	if !last.Unsure {
		s.link = want
		return nil
	}
	return s.inspectLink(ctx, want)
}

// inspectLink finds out what an interface has that was to become want.
func (s *kernelSession) inspectLink(ctx context.Context, want linkState) error {
	index := s.unit.Load().Index()
	s.link = linkState{unknown: true, pinned: want.pinned}
	addresses, err := s.kernel().Addresses(ctx, index)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		s.link.tried = append(s.link.tried, PointToPoint{a.Local, a.Peer})
	}
	routes, err := s.kernel().OurRoutes(ctx)
	for _, r := range routes {
		if r.Index == index {
			s.link.routes = append(s.link.routes, r)
		}
	}
	return err
}
