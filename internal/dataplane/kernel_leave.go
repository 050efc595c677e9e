package dataplane

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"culvert/kernel"
	"culvert/l2tp"
)

// HandOver gives the keeper everything again. What is being closed is left out.
func (p *kernelPlane) HandOver() {
	tunnels := p.handOverListeners()
	for _, t := range tunnels {
		t.keep()
		for _, s := range t.sessionList() {
			if s.closed.Load() {
				continue // who closes it has the lock for grace periods
			}
			s.changing.Lock()
			s.keep()
			s.changing.Unlock()
		}
	}
}

// handOverListeners does so, and returns the tunnels there are.
func (p *kernelPlane) handOverListeners() []*kernelTunnel {
	p.opening.Lock()
	defer p.opening.Unlock()
	p.mu.RLock()
	listeners := slices.Collect(maps.Keys(p.listeners))
	tunnels := slices.Collect(maps.Values(p.tunnels))
	p.mu.RUnlock()
	for _, l := range listeners {
		p.keeper.Keep(listenerKey(l.Addr()), l.fd)
	}
	return tunnels
}

// keep has the tunnel's socket kept, unless it is being closed.
func (t *kernelTunnel) keep() {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.mu.RLock()
	fd, gone := t.fd, t.closed || t.heir != nil
	t.mu.RUnlock()
	if !gone {
		t.plane.keeper.Keep(tunnelKey(t.id), fd)
	}
}

// keep has the session's descriptors kept, unless it is closed. s.changing is held.
func (s *kernelSession) keep() {
	if s.gone || s.channel == nil {
		return
	}
	pppox, channel := s.channel.Descriptors()
	s.tunnel.plane.keeper.Keep(sessionKey(s.key), pppox, channel)
	if u := s.unit.Load(); u != nil {
		s.tunnel.plane.keeper.Keep(unitKey(s.key, u.Name()), u.FD())
	}
}

// Abandon ends reading, and closes descriptors that the keeper has too: so nothing
// else ends. Who is still at work is waited for.
func (p *kernelPlane) Abandon() error {
	if _, none := p.keeper.(noKeeper); none {
		return p.Close()
	}
	tunnels, listeners, first := p.end()
	if !first {
		return nil
	}
	var errs []error
	if p.watch != nil {
		errs = append(errs, p.watch.Close())
	}
	for _, poller := range p.pollers {
		errs = append(errs, poller.Close())
	}
	make(slots, parallel).each(len(tunnels), func(i int) { tunnels[i].abandon() })
	for _, l := range listeners {
		l.sock.Close()
	}
	for _, fds := range p.remains.takeAll() {
		closeFDs(fds)
	}
	p.forgetAll()
	return errors.Join(append(errs, p.k.Close())...)
}

// forgetAll empties the books.
func (p *kernelPlane) forgetAll() {
	p.opening.Lock()
	defer p.opening.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.tunnels)
	clear(p.listeners)
	clear(p.pairs)
}

// abandon closes the descriptors of a tunnel and its sessions.
func (t *kernelTunnel) abandon() {
	t.changing.Lock()
	defer t.changing.Unlock()
	sessions := t.sessionList()
	t.plane.closing.each(len(sessions), func(i int) { sessions[i].abandon() })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made = false // as far as this process is concerned
	t.attached, t.closed = false, true
	t.sock.Close()
}

func (s *kernelSession) abandon() {
	s.closed.Store(true)
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.gone || s.channel == nil {
		return
	}
	s.gone = true
	if u := s.unit.Load(); u != nil {
		u.Leave()
	}
	s.channel.Close()
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}

// dropKept closes what was kept under a key.
func (p *kernelPlane) dropKept(ctx context.Context, key string, fds []int) {
	p.keeper.Drop(ctx, key)
	closeFDs(fds)
}

// DropRest closes what was kept and nobody adopted. It also removes what outlives
// descriptors: sessions that were made in a tunnel, but had no channel yet, pinned routes,
// proxies of ARP, and local addresses.
func (p *kernelPlane) DropRest(ctx context.Context) (keys []string, err error) {
	keys, kept := p.dropAllKept(ctx)
	more, orphans := p.dropOrphans(ctx)
	return sortedKeys(append(keys, more...)), errors.Join(kept, orphans,
		p.pins.sweep(ctx, p.indexes), p.proxies.sweep(ctx), p.pruneLocals(ctx))
}

// dropAllKept closes what was kept and nobody adopted.
func (p *kernelPlane) dropAllKept(ctx context.Context) (keys []string, err error) {
	rest := p.remains.takeAll()
	// Interfaces first: then nothing passes any more.
	errs := []error{p.dropUnits(ctx, rest)}
	for _, kind := range []string{sessionKind, tunnelKind, listenerKind} {
		errs = append(errs, p.dropKind(ctx, kind, rest))
	}
	return slices.Collect(maps.Keys(rest)), errors.Join(errs...)
}

// keysOf returns the keys of a kind.
func keysOf(kind string, rest map[string][]int) (keys []string) {
	for key := range rest {
		if strings.HasPrefix(key, kind) {
			keys = append(keys, key)
		}
	}
	return keys
}

// dropUnits removes the interfaces of units, many by one command as those of sessions that
// end: one by one each keeps the RTNL lock for grace periods, seconds for thousands.
func (p *kernelPlane) dropUnits(ctx context.Context, rest map[string][]int) error {
	keys := keysOf(unitKind, rest)
	units := make([]*kernel.Unit, len(keys))
	p.closing.each(len(keys), func(i int) {
		u, err := p.k.AdoptUnit(unitName(keys[i]), rest[keys[i]][0])
		if err != nil { // somebody has renamed or removed the interface
			p.dropKept(ctx, keys[i], rest[keys[i]])
			return
		}
		units[i] = u
	})
	err := p.dropRoutes4(ctx, units)
	errs := make([]error, len(units))
	p.closing.each(len(units), func(i int) {
		if u := units[i]; u != nil {
			p.keeper.Drop(ctx, keys[i])
			errs[i] = u.Close()
		}
	})
	return errors.Join(append(errs, err)...)
}

// dropRoutes4 removes the routes of units that are about to go, for the reason that leave4 has.
func (p *kernelPlane) dropRoutes4(ctx context.Context, units []*kernel.Unit) error {
	indexes := make(map[int]bool)
	for _, u := range units {
		if u != nil {
			indexes[u.Index()] = true
		}
	}
	if len(indexes) == 0 {
		return nil
	}
	routes, err := p.k.OurRoutes(ctx)
	var cs []kernel.Change
	for _, r := range routes {
		if r.Prefix.Addr().Is4() && indexes[r.Index] {
			cs = append(cs, kernel.DeleteRoute(r))
		}
	}
	return errors.Join(err, p.k.Apply(ctx, cs...))
}

// dropKind closes what there is under keys of a kind, many at a time.
func (p *kernelPlane) dropKind(ctx context.Context, kind string, rest map[string][]int) error {
	keys := keysOf(kind, rest)
	errs := make([]error, len(keys))
	p.closing.each(len(keys), func(i int) {
		if id, ok := strings.CutPrefix(keys[i], tunnelKind); ok {
			n, err := strconv.ParseUint(id, 10, 16)
			if err == nil {
				err = p.k.DeleteTunnel(ctx, uint16(n)) // which waits until it is gone
			}
			errs[i] = err
		}
		p.dropKept(ctx, keys[i], rest[keys[i]])
	})
	return errors.Join(errs...)
}

// dropOrphans deletes sessions that the kernel has in our tunnels and we have not.
func (p *kernelPlane) dropOrphans(ctx context.Context) (keys []string, err error) {
	if !p.adopts {
		return nil, nil
	}
	all, err := p.k.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, info := range all {
		if info.Tunnel > 0xffff || info.Session > 0xffff {
			continue // L2TPv3 of someone else
		}
		id := SessionKey{l2tp.TunnelID(info.Tunnel), l2tp.SessionID(info.Session)}
		p.mu.RLock()
		t := p.tunnels[id.Tunnel]
		p.mu.RUnlock()
		if t == nil {
			continue
		}
		orphan := &kernelSession{tunnel: t, key: id}
		orphan.closed.Store(true) // nobody is told that it is lost
		if t.enter(orphan) != nil {
			continue // it is one of ours
		}
		errs = append(errs, p.k.DeleteSession(ctx, uint16(id.Tunnel), uint16(id.Session)))
		t.leave(orphan)
		keys = append(keys, sessionKey(id))
	}
	return keys, errors.Join(errs...)
}

// indexes are those of our sessions' interfaces.
func (p *kernelPlane) indexes() map[int]bool {
	p.mu.RLock()
	tunnels := slices.Collect(maps.Values(p.tunnels))
	p.mu.RUnlock()
	all := make(map[int]bool)
	for _, t := range tunnels {
		for _, s := range t.sessionList() {
			if u := s.unit.Load(); u != nil {
				all[u.Index()] = true
			}
		}
	}
	return all
}
