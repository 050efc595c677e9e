package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"

	"culvert/kernel"
)

// A linkState is what an interface has of a LinkSpec.
type linkState struct {
	mtu, mru   int
	up         bool
	pass4      bool         // IPv4 is open
	ipv4, ipv6 PointToPoint // addresses of the interface
	source     netip.Addr   // of IPv4 packets, if the interface has no address of its own
	routes     []kernel.Route
	pinned     bool           // the way to the tunnel's peer
	unknown    bool           // a change failed: what was to be removed may be there, and the other way
	tried      []PointToPoint // what may be there since then
}

// Configure brings the interface to the state that spec describes. What the kernel
// refuses is left for the next Configure to try again.
func (s *kernelSession) Configure(ctx context.Context, spec LinkSpec) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.configure(ctx, spec); err != nil {
		return fmt.Errorf("configure session %s: %w", s.key, err)
	}
	return nil
}

func (s *kernelSession) configure(ctx context.Context, spec LinkSpec) error {
	if s.closed.Load() {
		return fs.ErrClosed
	}
	if s.raw {
		return errRaw
	}
	var old *LinkSpec
	if u := s.unit.Load(); u != nil {
		old = &LinkSpec{Name: u.Name()}
	}
	if err := spec.check(old); err != nil {
		return err
	}
	if old == nil {
		if err := s.createUnit(ctx, spec); err != nil {
			return err
		}
	}
	want := s.wanted(spec)
	unproxied := s.tunnel.plane.proxies.set(ctx, s.key, spec.proxied())
	if err := s.pass(want); err != nil {
		return errors.Join(err, unproxied)
	}
	if err := s.apply(ctx, want); err != nil {
		return errors.Join(err, unproxied)
	}
	return unproxied
}

// createUnit makes the interface and joins the channel to it.
func (s *kernelSession) createUnit(ctx context.Context, spec LinkSpec) error {
	u, err := s.kernel().CreateUnit(ctx, spec.Name, spec.MTU)
	if err != nil {
		return err
	}
	fd := u.FD()
	// Connected first: a unit without a channel is at its end of file for a
	// poller, as if it were gone. And before it goes up: only by its channel the
	// kernel knows that it needs no queue (docs/performance.md).
	err = u.Connect(s.channel)
	if err == nil {
		err = s.poller.Add(fd, func() { s.ready(u, fd) })
	}
	if err != nil {
		return errors.Join(err, u.Close())
	}
	s.unitFD, s.link = fd, linkState{mtu: spec.MTU}
	s.unit.Store(u)
	s.tunnel.plane.keeper.Keep(unitKey(s.key, u.Name()), fd)
	return nil
}

// wanted returns the state that spec describes.
func (s *kernelSession) wanted(spec LinkSpec) linkState {
	want := linkState{mtu: spec.MTU, mru: spec.MRU, up: true}
	index := s.unit.Load().Index()
	want.pass4 = spec.IPv4.isOpen()
	switch {
	case want.pass4 && spec.Unnumbered:
		want.source = spec.IPv4.Local
		want.routes = append(want.routes, kernel.Route{
			Prefix: netip.PrefixFrom(spec.IPv4.Peer, spec.IPv4.Peer.BitLen()),
			Index:  index, Source: want.source,
		})
	case want.pass4:
		want.ipv4 = spec.IPv4
	}
	if spec.IPv6.isOpen() && spec.MTU >= minIPv6MTU {
		want.ipv6 = spec.IPv6
	}
	prefixes := spec.Routes
	if spec.DefaultRoute {
		prefixes = append(slices.Clone(prefixes), netip.MustParsePrefix("0.0.0.0/0"),
			netip.MustParsePrefix("::/0"))
	}
	for _, p := range prefixes {
		v6 := p.Addr().Is6()
		if !v6 && !want.pass4 || v6 && !want.ipv6.isOpen() {
			continue
		}
		r := kernel.Route{Prefix: p.Masked(), Index: index}
		if !v6 {
			r.Source = want.source
		}
		if v6 && p.Bits() == 0 {
			r.Metric = 1 // ahead of the default routes that routers announce (1024)
		}
		want.routes = append(want.routes, r)
		want.pinned = want.pinned || p.Bits() == 0 && v6 == s.tunnel.Peer().Addr().Is6()
	}
	return want
}

// pass opens and closes network protocols. Before addresses and routes come:
// what is sent as soon as they are there is not to be dropped. And before
// they go: a closed protocol passes nothing from now on.
func (s *kernelSession) pass(want linkState) error {
	u := s.unit.Load()
	return errors.Join(u.Pass(kernel.IPv4, want.pass4), u.Pass(kernel.IPv6, want.ipv6.isOpen()))
}

// apply makes the changes that lead from s.link to want.
func (s *kernelSession) apply(ctx context.Context, want linkState) error {
	u, have := s.unit.Load(), &s.link
	if want.mru != have.mru && want.mru > 0 {
		if err := u.SetMRU(want.mru); err != nil {
			return err
		}
		have.mru = want.mru
	}
	if err := s.hold(ctx, want); err != nil {
		return err
	}
	changes := have.changes(u.Index(), want)
	if err := s.kernel().Apply(ctx, changes...); err != nil {
		have.mayHave(want)
		return err
	}
	*have = want
	return s.letGo(ctx, want)
}

// mayHave notes that a change failed: of either state anything may be there.
func (have *linkState) mayHave(want linkState) {
	have.routes = union(have.routes, want.routes...)
	have.tried = union(have.tried, want.ipv4, want.ipv6)
	have.unknown = true
}

// union returns all with those of more that it lacks.
func union[T comparable](all []T, more ...T) []T {
	all = slices.Clip(all) // the array may be another state's
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// hold makes the host have what want needs besides the interface: the way to the
// tunnel's peer, and the local address.
func (s *kernelSession) hold(ctx context.Context, want linkState) error {
	if want.source.IsValid() && !slices.Contains(s.sources, want.source) {
		if err := s.tunnel.plane.locals.acquire(ctx, want.source); err != nil {
			return err
		}
		s.sources = append(s.sources, want.source)
	}
	if !want.pinned {
		return nil
	}
	return s.tunnel.plane.pins.acquire(ctx, s.tunnel.Peer().Addr(), s.key)
}

// letGo gives up what hold has got and want does not need.
func (s *kernelSession) letGo(ctx context.Context, want linkState) error {
	var errs []error
	for _, a := range s.sources {
		if a != want.source {
			errs = append(errs, s.tunnel.plane.locals.release(ctx, a))
		}
	}
	s.sources = slices.DeleteFunc(s.sources, func(a netip.Addr) bool { return a != want.source })
	if !want.pinned {
		errs = append(errs, s.tunnel.plane.pins.release(ctx, s.tunnel.Peer().Addr(), s.key))
	}
	return errors.Join(errs...)
}

// changes returns what leads from have to want: first what goes, then what comes.
func (have *linkState) changes(index int, want linkState) (cs []kernel.Change) {
	for _, r := range have.routes {
		if !slices.Contains(want.routes, r) {
			cs = append(cs, kernel.DeleteRoute(r))
		}
	}
	for _, a := range [][2]PointToPoint{{have.ipv4, want.ipv4}, {have.ipv6, want.ipv6}} {
		if a[0].isOpen() && a[0] != a[1] {
			cs = append(cs, kernel.DeleteAddress(index, a[0].Local, a[0].Peer))
		}
	}
	for _, a := range have.tried {
		if a.isOpen() && a != want.ipv4 && a != want.ipv6 {
			cs = append(cs, kernel.DeleteAddress(index, a.Local, a.Peer))
		}
	}
	if have.mtu != want.mtu || have.unknown {
		cs = append(cs, kernel.SetMTU(index, want.mtu))
	}
	if !have.up || have.unknown {
		// Without NoLinkLocal: for ppp interfaces the kernel invents no address.
		cs = append(cs, kernel.SetUp(index, true))
	}
	for _, a := range [][2]PointToPoint{{have.ipv4, want.ipv4}, {have.ipv6, want.ipv6}} {
		if a[1].isOpen() && (a[0] != a[1] || have.unknown) {
			cs = append(cs, kernel.AddAddress(index, a[1].Local, a[1].Peer))
		}
	}
	for _, r := range want.routes {
		if !slices.Contains(have.routes, r) || have.unknown || have.loses(r, want) {
			cs = append(cs, kernel.AddRoute(r))
		}
	}
	return cs
}

// leave4 returns what takes away the addresses and routes of IPv4. Were they left to go
// with the interface, the kernel would look through the routes of all interfaces for
// those that went with it.
func (have *linkState) leave4(index int) (cs []kernel.Change) {
	for _, r := range have.routes {
		if r.Prefix.Addr().Is4() {
			cs = append(cs, kernel.DeleteRoute(r))
		}
	}
	if have.ipv4.isOpen() {
		cs = append(cs, kernel.DeleteAddress(index, have.ipv4.Local, have.ipv4.Peer))
	}
	return cs
}

// loses tells whether a route goes when the addresses change: with the last IPv4
// address of an interface the kernel removes its IPv4 routes.
func (have *linkState) loses(r kernel.Route, want linkState) bool {
	return r.Prefix.Addr().Is4() && have.ipv4 != want.ipv4
}
