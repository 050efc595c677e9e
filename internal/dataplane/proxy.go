package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"

	"culvert/kernel"
)

// ErrNoProxyARP is a Configure that did everything but LinkSpec.ProxyARP: the peer
// is not found by ARP, whatever the reason.
var ErrNoProxyARP = errors.New("answer ARP for the peer")

// proxies answer ARP for peers on the networks that their addresses belong to.
// Sessions whose peers have the same address share the answer.
type proxies struct {
	links *kernel.Links

	mu     sync.Mutex // also held while the kernel is asked
	byAddr map[netip.Addr]*proxy
	of     map[SessionKey]netip.Addr
}

type proxy struct {
	index int // of the network's interface
	users int
}

// set makes addr the one that is answered for on behalf of a session, an invalid
// one none. It is called before the address is routed into the session: until
// then the host's own route tells the network that it belongs to.
func (p *proxies) set(ctx context.Context, id SessionKey, addr netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[id] == addr {
		return nil
	}
	err := p.release(ctx, id)
	if addr.IsValid() {
		err = errors.Join(err, p.acquire(ctx, id, addr))
	}
	if err != nil && !errors.Is(err, ErrNoProxyARP) {
		err = fmt.Errorf("%w: %w", ErrNoProxyARP, err)
	}
	return err
}

// acquire begins to answer. Where the host does not forward, it will as soon as that is
// turned on. p.mu is held.
func (p *proxies) acquire(ctx context.Context, id SessionKey, addr netip.Addr) error {
	var index int
	var unanswered error
	if p.byAddr[addr] == nil {
		subnet, err := p.links.SubnetOf(ctx, addr)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: no network here has %v", ErrNoProxyARP, addr)
		}
		if err == nil {
			err = p.links.Apply(ctx, kernel.AddProxy(subnet.Index, addr))
		}
		if err != nil {
			return err
		}
		if !subnet.Forwards {
			unanswered = fmt.Errorf("%w: forwarding of IPv4 is off on %s", ErrNoProxyARP, subnet.Name)
		}
		index = subnet.Index
	}
	p.enter(id, addr, index)
	return unanswered
}

// adopt notes that an interface answers for addr on behalf of a session. With index 0
// none does: the next set sees to it.
func (p *proxies) adopt(id SessionKey, addr netip.Addr, index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index != 0 {
		p.enter(id, addr, index)
	}
}

// enter counts the session as a user. p.mu is held.
func (p *proxies) enter(id SessionKey, addr netip.Addr, index int) {
	if p.byAddr == nil {
		p.byAddr, p.of = make(map[netip.Addr]*proxy), make(map[SessionKey]netip.Addr)
	}
	if p.byAddr[addr] == nil {
		p.byAddr[addr] = &proxy{index: index}
	}
	p.byAddr[addr].users++
	p.of[id] = addr
}

// sweep ends what an earlier process left.
func (p *proxies) sweep(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := p.links.OurProxies(ctx)
	if err != nil {
		return err
	}
	var left []kernel.Change
	for _, have := range all {
		if p.byAddr[have.Addr] == nil {
			left = append(left, kernel.DeleteProxy(have.Index, have.Addr))
		}
	}
	return p.links.Apply(ctx, left...)
}

// release ends what the session has, if it has anything. p.mu is held.
func (p *proxies) release(ctx context.Context, id SessionKey) error {
	addr, ok := p.of[id]
	if !ok {
		return nil
	}
	delete(p.of, id)
	have := p.byAddr[addr]
	if have.users--; have.users > 0 {
		return nil
	}
	delete(p.byAddr, addr)
	return p.links.Apply(ctx, kernel.DeleteProxy(have.index, addr))
}

// proxied returns the address for which ARP is to be answered, if any.
func (l *LinkSpec) proxied() netip.Addr {
	if l != nil && l.ProxyARP && l.IPv4.isOpen() {
		return l.IPv4.Peer
	}
	return netip.Addr{}
}
