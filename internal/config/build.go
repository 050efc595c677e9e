package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/pool"
	"culvert/internal/schema"
)

// An objectError is a fault of the configuration as a whole that can be told
// of one object and one of its parameters.
type objectError struct {
	object proto.Message
	param  string // may be empty
	msg    string
}

func (e *objectError) Error() string { return schema.Label(e.object) + ": " + e.msg }

func (e *objectError) Is(target error) bool { return target == ErrInvalid }

// newSnapshot resolves and validates the objects in tables. It returns all faults
// that do not follow from others.
func newSnapshot(h host, tables map[*schema.Kind]*table) (*Snapshot, []*objectError) {
	s := &Snapshot{host: h, tables: tables}
	broken := s.checkAllReferences()
	system, _ := find[*api.System](s, "")
	s.system = systemOf(s.Effective(system).(*api.System), h.name)
	s.users = make(map[string]User)
	for _, m := range objects[*api.User](s) {
		s.users[m.GetUserName()] = userOf(m)
	}
	for _, m := range objects[*api.Pool](s) {
		p := poolOf(m)
		if err := pool.Check(pool.Config(p)); err != nil {
			broken = append(broken, &objectError{m, "addresses", err.Error()})
		}
		s.pools = append(s.pools, p)
	}
	broken = append(broken, s.indexPeers()...)
	if len(broken) == 0 {
		broken = s.check()
	}
	return s, broken
}

func (s *Snapshot) checkAllReferences() (broken []*objectError) {
	for _, k := range schema.Kinds() {
		for _, m := range s.Objects(k) {
			broken = append(broken, s.checkReferences(m, true)...)
		}
	}
	return broken
}

// checkReferences finds names of what does not exist. Leniently it passes over those
// that openl2tp does not look at.
func (s *Snapshot) checkReferences(m proto.Message, lenient bool) (broken []*objectError) {
	for _, p := range schema.KindOf(m).Params {
		if p.RefersTo == "" || !p.Has(m) || lenient && p.Lenient {
			continue
		}
		target := schema.KindNamed(p.RefersTo)
		if s.table(target).get(p.Text(m)) != nil {
			continue
		}
		msg := fmt.Sprintf("%s=%s: there is no such %s%s", p.Name, p.Text(m), p.RefersTo,
			schema.DidYouMean(p.Text(m), s.table(target).names()))
		broken = append(broken, &objectError{m, p.Name, msg})
	}
	return broken
}

// first is the first of several faults as an error, or nil.
func first(broken []*objectError) error {
	if len(broken) == 0 {
		return nil
	}
	return broken[0]
}

func (s *Snapshot) indexPeers() (broken []*objectError) {
	s.peers = make(map[prefixLength]map[netip.Addr]string)
	for _, m := range objects[*api.PeerProfile](s) {
		prefixes, fault := peerPrefixes(m)
		if fault != nil {
			broken = append(broken, fault)
			continue
		}
		for _, p := range prefixes {
			if other := s.indexPeer(p, m.GetProfileName()); other != "" {
				s.warn(m, "peer_ipaddr=%s is also that of peer profile %q, which goes before it",
					p, other)
			}
		}
	}
	for l := range s.peers {
		s.lengths = append(s.lengths, l)
	}
	slices.SortFunc(s.lengths, func(a, b prefixLength) int { return b.bits - a.bits })
	return broken
}

func (s *Snapshot) indexPeer(p netip.Prefix, name string) (other string) {
	l := prefixLength{p.Addr().Is6(), p.Bits()}
	if s.peers[l] == nil {
		s.peers[l] = make(map[netip.Addr]string)
	}
	if other, ok := s.peers[l][p.Addr()]; ok {
		return other
	}
	s.peers[l][p.Addr()] = name
	return ""
}

// peerPrefixes returns which addresses a peer profile is for. Without an
// address, or with that of no host, it is for none, unless its mask is zero: then
// it is for all.
func peerPrefixes(m *api.PeerProfile) ([]netip.Prefix, *objectError) {
	length, _ := schema.ParseNetmask(m.GetNetmask())
	p, err := schema.ParsePrefix(m.GetPeerIpaddr())
	switch {
	case err != nil || p.Addr().IsUnspecified() && p.IsSingleIP():
		if m.Netmask == nil || length != 0 {
			return nil, nil
		}
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0),
			netip.PrefixFrom(netip.IPv6Unspecified(), 0)}, nil
	case m.Netmask == nil:
		return []netip.Prefix{p}, nil
	case strings.Contains(m.GetPeerIpaddr(), "/"):
		return nil, &objectError{m, "netmask", "peer_ipaddr is a prefix: netmask cannot be set too"}
	}
	if p, err = p.Addr().Prefix(length); err != nil {
		return nil, &objectError{m, "netmask",
			fmt.Sprintf("netmask=%s does not fit peer_ipaddr=%s", m.GetNetmask(), m.GetPeerIpaddr())}
	}
	return []netip.Prefix{p}, nil
}
