package config

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// Warnings says, one line each, what of the configuration is read otherwise than it
// is written, and what has no effect and what happens instead.
func (s *Snapshot) Warnings() []string {
	all := append([]string(nil), s.warnings...)
	for _, n := range s.notes {
		all = append(all, n.text)
	}
	for _, m := range objects[*api.PPPProfile](s) {
		all = append(all, withoutEffect(m)...)
	}
	all = append(all, s.missingPools()...)
	all = append(all, s.overlappingPools()...)
	all = append(all, s.unmatchedPeers()...)
	return append(all, s.secretless()...)
}

// warn keeps a warning about an object.
func (s *Snapshot) warn(m proto.Message, format string, args ...any) {
	s.warnings = append(s.warnings, warning(m, format, args...))
}

func warning(m proto.Message, format string, args ...any) string {
	return schema.Label(m) + ": " + fmt.Sprintf(format, args...)
}

// A note is a warning about how a file was read, which holds as long as the
// parameter stays as it was read.
type note struct {
	kind        *schema.Kind
	name, param string
	value, text string
}

// noted returns the notes that still hold of the objects in tables.
func noted(notes []note, tables map[*schema.Kind]*table) []note {
	var still []note
	for _, n := range notes {
		m := tables[n.kind].get(n.name)
		if m == nil {
			continue
		}
		if p := n.kind.Param(n.param); p == nil || p.Text(m) == n.value {
			still = append(still, n)
		}
	}
	return still
}

// withoutEffect says which parameters of a PPP profile do nothing yet.
func withoutEffect(m *api.PPPProfile) (all []string) {
	if m.GetMultilink() {
		all = append(all, warning(m, "multilink=yes has no effect yet: links are not bundled, "+
			"each is a network of its own"))
	}
	if m.GetUseRadius() {
		all = append(all, warning(m, "use_radius=yes has no effect yet: only the users of this "+
			"configuration can authenticate"))
	}
	if m.GetRadiusHint() != "" {
		all = append(all, warning(m, "radius_hint has no effect yet: no RADIUS server is asked"))
	}
	return all
}

// missingPools finds pools that profiles and users name and that do not exist:
// openl2tp's files have none.
func (s *Snapshot) missingPools() (all []string) {
	for _, k := range schema.Kinds() {
		for _, m := range s.Objects(k) {
			for _, fault := range s.checkReferences(m, false) {
				if k.Param(fault.param).Lenient {
					all = append(all, warning(m, "%s: whoever needs an address from it is refused",
						fault.msg))
				}
			}
		}
	}
	return all
}

// overlappingPools finds pools that could both give out one address.
func (s *Snapshot) overlappingPools() (all []string) {
	for i, p := range s.pools {
		for _, q := range s.pools[:i] {
			if overlap(p.Addresses, q.Addresses) {
				all = append(all, fmt.Sprintf("pool %q and pool %q have addresses in common, "+
					"which two peers can be given at once", q.Name, p.Name))
			}
		}
	}
	return all
}

// overlap reports whether two lists of prefixes and ranges have addresses in common.
func overlap(a, b []string) bool {
	for _, x := range a {
		first, last, _ := schema.ParseRange(x)
		for _, y := range b {
			from, to, _ := schema.ParseRange(y)
			if first.Compare(to) <= 0 && from.Compare(last) <= 0 {
				return true
			}
		}
	}
	return false
}

// unmatchedPeers finds peer profiles with a mask for no address.
func (s *Snapshot) unmatchedPeers() (all []string) {
	for _, m := range objects[*api.PeerProfile](s) {
		length, _ := schema.ParseNetmask(m.GetNetmask())
		if m.PeerIpaddr == nil && m.Netmask != nil && length != 0 {
			all = append(all, warning(m, "netmask=%s has no effect without peer_ipaddr", m.GetNetmask()))
		}
	}
	return all
}

// secretless finds tunnel profiles that would have peers prove themselves, or hide
// what they send, without a secret to do it by, and those whose sessions would all have one
// interface. A tunnel of ours may have what its profile lacks.
func (s *Snapshot) secretless() (all []string) {
	for _, m := range objects[*api.TunnelProfile](s) {
		eff := s.Effective(m).(*api.TunnelProfile).GetParameters()
		switch {
		case eff.GetSecret() != "":
		case eff.GetAuthMode() == api.AuthMode_AUTH_MODE_CHALLENGE:
			all = append(all, warning(m, "auth_mode=challenge without a secret: "+
				"peers that open a tunnel with it are refused"))
		case eff.GetHideAvps():
			all = append(all, warning(m, "hide_avps=yes without a secret: nothing is hidden"))
		}
		if n := m.GetParameters().GetInterfaceName(); n != "" && !strings.Contains(n, "%s") {
			all = append(all, warning(m, "interface_name=%s without %%s in it is for one session only", n))
		}
	}
	return all
}
