package dataplane

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"sync"

	"culvert/kernel"
)

// locals are the addresses of this host's ends of links whose interfaces have none
// of their own (LinkSpec.Unnumbered). The host has each of them once, on its loopback
// interface, as long as a session uses it.
type locals struct {
	links *kernel.Links

	mu     sync.Mutex // also held while the kernel is asked: this is rare
	byAddr map[netip.Addr]*local
}

type local struct {
	users int
	ours  bool // not an operator's
}

// load finds out which addresses an earlier process has left. They are ours now.
func (l *locals) load(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byAddr = make(map[netip.Addr]*local)
	left, err := l.links.HostAddresses(ctx)
	for _, a := range left {
		l.byAddr[a] = &local{ours: true}
	}
	return err
}

// prune removes what nobody uses.
func (l *locals) prune(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for addr, have := range l.byAddr {
		if have.users == 0 {
			errs = append(errs, l.remove(ctx, addr))
		}
	}
	return errors.Join(errs...)
}

// acquire makes the host have an address. To each belongs a release.
func (l *locals) acquire(ctx context.Context, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.byAddr[addr]
	if have == nil {
		err := l.links.Apply(ctx, kernel.AddHostAddress(addr))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		have = &local{ours: err == nil}
		l.byAddr[addr] = have
	}
	have.users++
	return nil
}

// release ends a use. The address goes with the last.
func (l *locals) release(ctx context.Context, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.byAddr[addr]
	if have.users--; have.users > 0 {
		return nil
	}
	return l.remove(ctx, addr)
}

// remove takes an address from the host. l.mu is held.
func (l *locals) remove(ctx context.Context, addr netip.Addr) error {
	ours := l.byAddr[addr].ours
	delete(l.byAddr, addr)
	if !ours {
		return nil
	}
	return l.links.Apply(ctx, kernel.DeleteHostAddress(addr))
}
