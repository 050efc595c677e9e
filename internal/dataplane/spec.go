package dataplane

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
)

// Causes of errors that operations on tunnels and sessions have.
var (
	errNotAttached = errors.New("the tunnel is not attached yet")
	errAttached    = errors.New("the tunnel is attached already")
	errNotOpen     = errors.New("the protocol is closed")
	errRaw         = errors.New("the session is another program's")
)

// String returns the identifiers as tunnel/session.
func (k SessionKey) String() string { return fmt.Sprintf("%d/%d", k.Tunnel, k.Session) }

// compare orders keys by tunnel, then session.
func (k SessionKey) compare(l SessionKey) int {
	return cmp.Or(cmp.Compare(k.Tunnel, l.Tunnel), cmp.Compare(k.Session, l.Session))
}

// isOpen tells whether packets of a protocol flow. A nil link is closed.
func (l *LinkSpec) isOpen(protocol uint16) bool {
	switch {
	case l == nil:
		return false
	case protocol == protocolIPv4:
		return l.IPv4.isOpen()
	}
	return l.IPv6.isOpen()
}

// isOpen tells whether the network protocol is to be open.
func (p PointToPoint) isOpen() bool { return p.Local.IsValid() && p.Peer.IsValid() }

// check says what is wrong with a specification; old is the one before, if any.
func (l LinkSpec) check(old *LinkSpec) error {
	switch {
	case len(l.Name) < 1 || len(l.Name) > 15:
		return fmt.Errorf("interface name %q: expected 1 to 15 bytes", l.Name)
	case old != nil && old.Name != l.Name:
		return fmt.Errorf("interface name %q: it is %s and cannot change", l.Name, old.Name)
	case l.MTU < 68 || l.MTU > 65535:
		return fmt.Errorf("MTU %d: expected 68 to 65535", l.MTU)
	case l.IPv4.isOpen() && (!l.IPv4.Local.Is4() || !l.IPv4.Peer.Is4()):
		return fmt.Errorf("IPv4 from %s to %s: expected IPv4 addresses", l.IPv4.Local, l.IPv4.Peer)
	case l.IPv6.isOpen() && (!isLinkLocal(l.IPv6.Local) || !isLinkLocal(l.IPv6.Peer)):
		return fmt.Errorf("IPv6 from %s to %s: expected link-local addresses",
			l.IPv6.Local, l.IPv6.Peer)
	}
	return nil
}

// Hash returns a number that is, for one seed, the same for equal specifications, and
// never 0.
func (l LinkSpec) Hash(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, r := range l.Routes {
		maphash.WriteComparable(&h, r)
	}
	maphash.WriteComparable(&h, struct {
		name                               string
		mtu, mru                           int
		ipv4, ipv6                         PointToPoint
		unnumbered, defaultRoute, proxyARP bool
	}{l.Name, l.MTU, l.MRU, l.IPv4, l.IPv6, l.Unnumbered, l.DefaultRoute, l.ProxyARP})
	return h.Sum64() | 1
}

func isLinkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }
