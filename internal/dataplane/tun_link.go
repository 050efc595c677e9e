package dataplane

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"culvert/kernel"
)

// defaultMTU is the device's while no session has a link.
const defaultMTU = 1500

// minIPv6MTU is the least with which the host does IPv6 on a device at all.
const minIPv6MTU = 1280

// A tunSetup is what the host's device has for which session.
type tunSetup struct {
	mu    sync.Mutex // held while links change, waiting for the kernel included
	links map[*userSession]*LinkSpec
	users map[netip.Prefix][]*userSession // prefixes towards peers; the first has the route
	own   map[netip.Addr][]*userSession   // our addresses
	mtus  map[int]int                     // how many links want at least that
	mtu   int
}

func newTUNSetup() tunSetup {
	return tunSetup{
		links: make(map[*userSession]*LinkSpec),
		users: make(map[netip.Prefix][]*userSession),
		own:   make(map[netip.Addr][]*userSession),
		mtus:  make(map[int]int),
		mtu:   defaultMTU,
	}
}

// configure brings the session's addresses and routes to what spec wants. After
// an error the session has none.
//
// Each local address is on the device once, however many sessions have it, and
// each peer is a route with it as the source: that is much cheaper for the kernel
// than a pair of addresses for each session.
func (n *tunNetwork) configure(ctx context.Context, s *userSession, old, spec *LinkSpec) error {
	n.setup.mu.Lock()
	defer n.setup.mu.Unlock()
	unproxied := n.proxies.set(ctx, s.key, spec.proxied())
	err := n.change(ctx, s, spec)
	if err != nil && spec != nil {
		err = errors.Join(err, n.change(ctx, s, nil), n.proxies.set(ctx, s.key, netip.Addr{}))
	}
	return cmp.Or(err, unproxied)
}

// change makes the difference between what the session has and what it wants. setup.mu is held.
func (n *tunNetwork) change(ctx context.Context, s *userSession, spec *LinkSpec) error {
	old := n.setup.links[s]
	if spec == nil {
		delete(n.setup.links, s)
	} else {
		n.setup.links[s] = spec
	}
	var errs []error
	peer := s.socket.key.peer.Addr()
	if spec.catches(peer) {
		errs = append(errs, n.pins.acquire(ctx, peer, s.key))
	}
	changes := n.resize(old, spec)
	changes = append(changes, n.changeOwn(s, old, spec)...)
	changes = append(changes, n.changeRoutes(s, old, spec)...)
	if len(changes) > 0 {
		errs = append(errs, n.links.Apply(ctx, changes...))
	}
	if !spec.catches(peer) {
		errs = append(errs, n.pins.release(ctx, peer, s.key))
	}
	return errors.Join(errs...)
}

// own returns the local addresses that a link wants.
func (l *LinkSpec) own() (out []netip.Addr) {
	if l.isOpen(protocolIPv4) {
		out = append(out, l.IPv4.Local)
	}
	if l.isOpen(protocolIPv6) {
		out = append(out, l.IPv6.Local.WithZone(""))
	}
	return out
}

// prefixes returns what the link wants to lead to the peer.
func (l *LinkSpec) prefixes() (out []netip.Prefix) {
	if l == nil {
		return nil
	}
	all := slices.Clone(l.Routes)
	if l.isOpen(protocolIPv4) {
		all = append(all, netip.PrefixFrom(l.IPv4.Peer, 32))
	}
	if l.isOpen(protocolIPv6) {
		all = append(all, netip.PrefixFrom(l.IPv6.Peer.WithZone(""), 128))
	}
	if l.DefaultRoute {
		all = append(all, defaultIPv4, defaultIPv6)
	}
	for _, p := range all {
		if p = p.Masked(); l.isOpen(protocolOf(p.Addr())) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

var (
	defaultIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	defaultIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

func protocolOf(a netip.Addr) uint16 {
	if a.Is4() {
		return protocolIPv4
	}
	return protocolIPv6
}

// catches tells whether the link's routes would catch datagrams to the
// tunnel's own peer.
func (l *LinkSpec) catches(peer netip.Addr) bool {
	return slices.ContainsFunc(l.prefixes(), func(p netip.Prefix) bool {
		return p.Contains(peer.WithZone(""))
	})
}

// changeOwn changes the device's addresses.
func (n *tunNetwork) changeOwn(s *userSession, old, spec *LinkSpec) (out []kernel.Change) {
	want := spec.own()
	for _, a := range old.own() {
		if slices.Contains(want, a) {
			continue
		}
		if n.setOwn(a, without(n.setup.own[a], s)); n.setup.own[a] == nil {
			out = append(out, kernel.DeleteAddress(n.index, a, a))
		}
	}
	for _, a := range want {
		if !slices.Contains(n.setup.own[a], s) {
			if n.setOwn(a, with(n.setup.own[a], s)); len(n.setup.own[a]) == 1 {
				out = append(out, kernel.AddAddress(n.index, a, a))
			}
		}
	}
	return out
}

// changeRoutes changes the host's routes into the device. Of several sessions with
// one prefix the first has the route, until it is gone.
func (n *tunNetwork) changeRoutes(s *userSession, old, spec *LinkSpec) (out []kernel.Change) {
	users, want := n.setup.users, spec.prefixes()
	for _, p := range old.prefixes() {
		first := users[p][0] == s
		keep := slices.Contains(want, p)
		if keep && (!first || n.route(p, old) == n.route(p, spec)) {
			continue
		}
		if first {
			out = append(out, kernel.DeleteRoute(n.route(p, old)))
		}
		if keep {
			out = append(out, kernel.AddRoute(n.route(p, spec)))
			continue
		}
		if n.setUsers(p, without(users[p], s)); first && users[p] != nil {
			out = append(out, kernel.AddRoute(n.route(p, n.setup.links[users[p][0]])))
		}
	}
	for _, p := range want {
		if !slices.Contains(users[p], s) {
			if n.setUsers(p, with(users[p], s)); len(users[p]) == 1 {
				out = append(out, kernel.AddRoute(n.route(p, spec)))
			}
		}
	}
	return out
}

// route returns the host's route to a prefix of a link.
func (n *tunNetwork) route(p netip.Prefix, l *LinkSpec) kernel.Route {
	r := kernel.Route{Prefix: p, Index: n.index}
	switch {
	case p.Addr().Is4():
		r.Source = l.IPv4.Local
	case p.Addr().IsLinkLocalUnicast():
		r.Source = l.IPv6.Local.WithZone("")
	case p.Bits() == 0:
		r.Metric = 1 // ahead of routers' advertised ones, which have 1024
	}
	return r
}

// resize makes the device's MTU the largest of all sessions', after one link has
// been replaced by another.
func (n *tunNetwork) resize(old, spec *LinkSpec) []kernel.Change {
	mtus := n.setup.mtus
	if old != nil {
		if mtus[old.deviceMTU()]--; mtus[old.deviceMTU()] == 0 {
			delete(mtus, old.deviceMTU())
		}
	}
	if spec != nil {
		mtus[spec.deviceMTU()]++
	}
	mtu := 0
	for m := range mtus {
		mtu = max(mtu, m)
	}
	if mtu == 0 || mtu == n.setup.mtu {
		return nil
	}
	n.setup.mtu = mtu
	return []kernel.Change{kernel.SetMTU(n.index, mtu)}
}

// deviceMTU is what the device's MTU must not be less than.
func (l *LinkSpec) deviceMTU() int {
	if l.isOpen(protocolIPv6) {
		return max(l.MTU, minIPv6MTU)
	}
	return l.MTU
}

// setUsers makes users the sessions with a prefix, for setup and for packets.
func (n *tunNetwork) setUsers(p netip.Prefix, users []*userSession) {
	table := &n.lookup.peers
	if p.Bits() == 0 {
		table = &n.lookup.defaults
	}
	store(table, p, users)
	if len(users) == 0 {
		delete(n.setup.users, p)
	} else {
		n.setup.users[p] = users
	}
}

// setOwn makes users the sessions with a local address.
func (n *tunNetwork) setOwn(a netip.Addr, users []*userSession) {
	store(&n.lookup.locals, netip.PrefixFrom(a, a.BitLen()), users)
	if len(users) == 0 {
		delete(n.setup.own, a)
	} else {
		n.setup.own[a] = users
	}
}

// store replaces a table by one with a changed entry.
func store(t *atomic.Pointer[sessionTable], p netip.Prefix, users []*userSession) {
	if len(users) == 0 {
		t.Store(t.Load().DeletePersist(p))
	} else {
		t.Store(t.Load().InsertPersist(p, users))
	}
}

// with and without return a list changed. Packets are steered by these lists, so that
// none is ever changed in place.
func with(list []*userSession, s *userSession) []*userSession {
	return append(slices.Clone(list), s)
}

func without(list []*userSession, s *userSession) []*userSession {
	return slices.DeleteFunc(slices.Clone(list), func(u *userSession) bool { return u == s })
}
