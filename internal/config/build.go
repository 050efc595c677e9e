package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

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

// newSnapshot resolves and validates the objects in tables.
func newSnapshot(hostName string, tables map[*schema.Kind]*table) (*Snapshot, error) {
	s := &Snapshot{hostName: hostName, tables: tables}
	if err := s.checkAllReferences(); err != nil {
		return nil, err
	}
	system, _ := find[*api.System](s, "")
	s.system = systemOf(s.Effective(system).(*api.System), hostName)
	s.users = make(map[string]User)
	for _, m := range objects[*api.User](s) {
		s.users[m.GetUserName()] = userOf(m)
	}
	for _, m := range objects[*api.Pool](s) {
		p := poolOf(m)
		if err := pool.Check(pool.Config(p)); err != nil {
			return nil, &objectError{m, "addresses", err.Error()}
		}
		s.pools = append(s.pools, p)
	}
	if err := s.indexPeers(); err != nil {
		return nil, err
	}
	return s, s.check()
}

func (s *Snapshot) checkAllReferences() error {
	for _, k := range schema.Kinds() {
		for _, m := range s.Objects(k) {
			if err := s.checkReferences(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkReferences finds a name of something that does not exist.
func (s *Snapshot) checkReferences(m proto.Message) error {
	for _, p := range schema.KindOf(m).Params {
		if p.RefersTo == "" || !p.Has(m) {
			continue
		}
		target := schema.KindNamed(p.RefersTo)
		if _, ok := s.table(target).byName[p.Text(m)]; ok {
			continue
		}
		msg := fmt.Sprintf("%s=%s: there is no such %s%s", p.Name, p.Text(m), p.RefersTo,
			schema.DidYouMean(p.Text(m), s.table(target).order))
		return &objectError{m, p.Name, msg}
	}
	return nil
}

func (s *Snapshot) indexPeers() error {
	s.peers = make(map[prefixLength]map[netip.Addr]string)
	for _, m := range objects[*api.PeerProfile](s) {
		prefixes, err := peerPrefixes(m)
		if err != nil {
			return err
		}
		for _, p := range prefixes {
			if other := s.indexPeer(p, m.GetProfileName()); other != "" {
				return &objectError{m, "peer_ipaddr",
					fmt.Sprintf("peer_ipaddr=%s is also that of peer profile %q", p, other)}
			}
		}
	}
	for l := range s.peers {
		s.lengths = append(s.lengths, l)
	}
	slices.SortFunc(s.lengths, func(a, b prefixLength) int { return b.bits - a.bits })
	return nil
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
// address it is for none, unless its mask is zero: then it is for all.
func peerPrefixes(m *api.PeerProfile) ([]netip.Prefix, error) {
	length, _ := schema.ParseNetmask(m.GetNetmask())
	if m.PeerIpaddr == nil {
		switch {
		case m.Netmask == nil:
			return nil, nil
		case length == 0:
			return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0),
				netip.PrefixFrom(netip.IPv6Unspecified(), 0)}, nil
		}
		return nil, &objectError{m, "netmask", "netmask is set but peer_ipaddr is not"}
	}
	p, err := schema.ParsePrefix(m.GetPeerIpaddr())
	if err != nil || m.Netmask == nil {
		return []netip.Prefix{p}, err
	}
	if strings.Contains(m.GetPeerIpaddr(), "/") {
		return nil, &objectError{m, "netmask", "peer_ipaddr is a prefix: netmask cannot be set too"}
	}
	if p, err = p.Addr().Prefix(length); err != nil {
		return nil, &objectError{m, "netmask",
			fmt.Sprintf("netmask=%s does not fit peer_ipaddr=%s", m.GetNetmask(), m.GetPeerIpaddr())}
	}
	return []netip.Prefix{p}, nil
}

// check finds parameters that cannot be together.
func (s *Snapshot) check() error {
	for _, m := range objects[*api.SessionProfile](s) {
		n := m.GetParameters().GetInterfaceName()
		if n != "" && !strings.Contains(n, "%s") {
			return &objectError{m, "interface_name", "interface_name=" + n +
				": expected %s in it, since a profile is for more than one session"}
		}
	}
	for _, m := range objects[*api.PPPProfile](s) {
		if err := s.checkPPP(m); err != nil {
			return err
		}
	}
	for _, m := range objects[*api.PeerProfile](s) {
		t := s.tunnelFor(nil, s.peerTunnelProfile(m), m, netip.Addr{})
		if err := checkTunnel(t); err != nil {
			profile, _ := find[*api.TunnelProfile](s, t.Parameters.ProfileName)
			return &objectError{profile, err.(*tunnelError).param, err.Error()}
		}
	}
	return s.checkDeclared()
}

func (s *Snapshot) checkPPP(m *api.PPPProfile) error {
	eff := s.Effective(m).(*api.PPPProfile)
	if !eff.GetIpv4() && !eff.GetIpv6() {
		return &objectError{m, "ipv4", "ipv4=no and ipv6=no: expected one of them to be yes"}
	}
	anyWay := eff.GetAuthPap() || eff.GetAuthChap() || eff.GetAuthMschapv1() ||
		eff.GetAuthMschapv2() || eff.GetAuthEap()
	if authPeer(eff, api.SessionType_SESSION_TYPE_LNIC) && !anyWay {
		return &objectError{m, "auth_peer", "callers must authenticate, but every way to do so " +
			"is off: expected one of auth_pap, auth_chap, auth_mschapv1, auth_mschapv2 and " +
			"auth_eap to be yes, or auth_peer=no"}
	}
	return nil
}

// checkDeclared checks the tunnels and sessions that are to exist.
func (s *Snapshot) checkDeclared() error {
	for _, t := range s.Tunnels() {
		if _, err := s.ResolveTunnel(t); err != nil {
			return err
		}
	}
	for _, m := range s.Sessions() {
		t := s.tunnelOf(m)
		if t == nil {
			return &objectError{m, "tunnel_name", "there is no " + schema.Label(tunnelKey(m))}
		}
		r, err := s.ResolveTunnel(t)
		if err == nil {
			_, err = s.ResolveSession(r, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inObject names the object in an error that does not name it yet.
func inObject(m proto.Message, err error) error {
	if t, ok := err.(*tunnelError); ok {
		return &objectError{m, t.param, t.msg}
	}
	return err
}

func tunnelKey(m *api.Session) *api.Tunnel {
	return &api.Tunnel{TunnelName: m.TunnelName, TunnelId: m.TunnelId}
}

// tunnelOf finds the declared tunnel of a session, or returns nil.
func (s *Snapshot) tunnelOf(m *api.Session) *api.Tunnel {
	if t, ok := s.Object(tunnelKey(m)); ok {
		return t.(*api.Tunnel)
	}
	for _, t := range s.Tunnels() {
		if m.TunnelId != nil && t.TunnelId != nil && m.GetTunnelId() == t.GetTunnelId() ||
			m.TunnelName != nil && m.GetTunnelName() == t.GetTunnelName() {
			return t
		}
	}
	return nil
}

// A tunnelError is a fault in how parameters of a tunnel or session go together.
type tunnelError struct{ param, msg string }

func (e *tunnelError) Error() string        { return e.msg }
func (e *tunnelError) Is(target error) bool { return target == ErrInvalid }

func checkTunnel(t Tunnel) error {
	p := t.Parameters
	switch {
	case p.HideAVPs && p.Secret == "":
		return &tunnelError{"hide_avps", "hide_avps=yes needs a secret"}
	case p.AuthMode == api.AuthMode_AUTH_MODE_CHALLENGE && p.Secret == "":
		return &tunnelError{"auth_mode", "auth_mode=challenge needs a secret"}
	case p.PersistMaxDelay < p.PersistDelay:
		return &tunnelError{"persist_delay",
			fmt.Sprintf("persist_delay=%d is more than persist_max_delay=%d",
				p.PersistDelay/time.Second, p.PersistMaxDelay/time.Second)}
	case p.Src.IsValid() && t.Dest.Addr.IsValid() && p.Src.Is4() != t.Dest.Addr.Is4():
		return &tunnelError{"src_ipaddr",
			fmt.Sprintf("src_ipaddr=%s and dest_ipaddr=%s are not of one family",
				p.Src, t.Dest.Addr)}
	}
	return nil
}

// checkSession checks what a session is: which call, and whether we may be its LAC
// or LNS towards the tunnel's peer.
func checkSession(m *api.Session, r Session, role api.Role) error {
	const laic, lnoc = api.SessionType_SESSION_TYPE_LAIC, api.SessionType_SESSION_TYPE_LNOC
	switch {
	case r.Type != laic && r.Type != lnoc:
		return &objectError{m, "session_type",
			"session_type: expected laic or lnoc, the others are begun by a peer"}
	case r.Type == laic && role == api.Role_ROLE_LNS:
		return &objectError{m, "session_type",
			"session_type=laic: by lac_lns of the peer profile we are LNS only: expected lnoc"}
	case r.Type == lnoc && role == api.Role_ROLE_LAC:
		return &objectError{m, "session_type",
			"session_type=lnoc: by lac_lns of the peer profile we are LAC only: expected laic"}
	}
	return nil
}
