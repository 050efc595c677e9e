package config

import (
	"cmp"
	"net/netip"
	"strconv"

	"culvert/api"
	"culvert/internal/schema"
)

// IPv6's header is 20 bytes longer than IPv4's, for which the built-in default
// of mtu leaves room.
const ipv6Overhead = 20

// SelectPeer finds the peer profile for a peer that opens a tunnel, by its
// Host Name, else by its address, else the one called default. One whose
// peer_port is another than the peer's is passed over.
func (s *Snapshot) SelectPeer(hostName string, from netip.AddrPort) Peer {
	addr := from.Addr().Unmap().WithZone("")
	name, matched := s.peerProfileFor(hostName, netip.AddrPortFrom(addr, from.Port()))
	peer, _ := find[*api.PeerProfile](s, name)
	p := Peer{
		ProfileName: name,
		Matched:     matched,
		Tunnel:      s.tunnelFor(&api.Tunnel{}, s.peerTunnelProfile(peer), peer, addr),
	}
	if !s.comesFrom(name, from.Port()) {
		p.Port = s.peerPort(name)
	}
	return p
}

// peerPort is the port of a peer profile, 0 if any will do.
func (s *Snapshot) peerPort(name string) uint16 {
	peer, _ := find[*api.PeerProfile](s, name)
	return uint16(s.Effective(peer).(*api.PeerProfile).GetPeerPort())
}

// comesFrom reports whether a peer profile is for peers with a port.
func (s *Snapshot) comesFrom(name string, port uint16) bool {
	want := s.peerPort(name)
	return want == 0 || want == port
}

// peerProfileFor never lets a peer that calls itself "default" pass as one
// that has a profile.
func (s *Snapshot) peerProfileFor(
	hostName string, from netip.AddrPort,
) (name string, matched bool) {
	addr := from.Addr()
	if _, ok := find[*api.PeerProfile](s, hostName); ok && hostName != Default &&
		s.comesFrom(hostName, from.Port()) {
		return hostName, true
	}
	for _, l := range s.lengths {
		if !addr.IsValid() || l.is6 != addr.Is6() {
			continue
		}
		p, err := addr.Prefix(l.bits)
		if err != nil {
			continue
		}
		if name, ok := s.peers[l][p.Addr()]; ok && s.comesFrom(name, from.Port()) {
			return name, true
		}
	}
	return Default, false
}

func (s *Snapshot) peerTunnelProfile(peer *api.PeerProfile) string {
	base, _ := find[*api.PeerProfile](s, Default)
	return cmp.Or(peer.GetTunnelProfileName(), base.GetTunnelProfileName(), Default)
}

// ResolveTunnel resolves a tunnel that a command creates.
func (s *Snapshot) ResolveTunnel(t *api.Tunnel) (Tunnel, error) {
	if err := first(s.checkReferences(t, false)); err != nil {
		return Tunnel{}, err
	}
	given, _ := find[*api.TunnelProfile](s, t.GetProfileName())
	peer, _ := find[*api.PeerProfile](s,
		cmp.Or(t.GetPeerProfileName(), given.GetPeerProfileName(), Default))
	profile := cmp.Or(t.GetProfileName(), s.peerTunnelProfile(peer))
	dest, err := s.destination(t, profile)
	if err != nil {
		return Tunnel{}, err
	}
	r := s.tunnelFor(t, profile, peer, dest.Addr)
	r.Name = t.GetTunnelName()
	r.ID = uint16(t.GetTunnelId())
	r.ConfigID = uint16(t.GetConfigId())
	r.Dest = dest
	return r, inObject(t, checkTunnel(r))
}

// destination is where a tunnel leads: what it says itself, or its profile.
func (s *Snapshot) destination(t *api.Tunnel, profileName string) (Host, error) {
	profile, _ := find[*api.TunnelProfile](s, profileName)
	base, _ := find[*api.TunnelProfile](s, Default)
	dest := cmp.Or(t.GetDestIpaddr(), profile.GetDestIpaddr(), base.GetDestIpaddr())
	if dest == "" {
		return Host{}, &objectError{t, "dest_ipaddr",
			"expected dest_ipaddr=ADDRESS, here or in its tunnel profile: the peer's address or host name"}
	}
	return parseHost(dest), nil
}

func parseHost(text string) Host {
	if a, err := netip.ParseAddr(text); err == nil {
		return Host{Addr: a}
	}
	return Host{Name: text}
}

// tunnelFor resolves a tunnel's parameters. The peer's address, if it is known,
// decides on the built-in MTU.
func (s *Snapshot) tunnelFor(asked *api.Tunnel, profileName string,
	peer *api.PeerProfile, addr netip.Addr) Tunnel {
	eff := &api.Tunnel{Parameters: &api.TunnelParameters{}}
	inherit(eff, s.tunnelSources(asked, profileName, peer), nil)
	t := s.tunnelOfEffective(eff, addr)
	t.Parameters.ProfileName = profileName
	t.PeerProfileName = peer.GetProfileName()
	t.Role = s.Effective(peer).(*api.PeerProfile).GetLacLns()
	return t
}

// tunnelOfEffective makes a tunnel of what sources say, and of what follows from that.
func (s *Snapshot) tunnelOfEffective(eff *api.Tunnel, addr netip.Addr) Tunnel {
	mtuSet := eff.GetParameters().Mtu != nil
	schema.SetDefaults(eff)
	params := tunnelParameters(eff.GetParameters())
	if !mtuSet && addr.Is6() {
		params.MTU -= ipv6Overhead
	}
	if pend := s.system.TunnelPersistPend; pend > 0 && params.PersistMaxDelay == pend {
		params.PersistDelay = min(params.PersistDelay, pend)
	}
	return Tunnel{
		Parameters:         params,
		SessionProfileName: cmp.Or(eff.GetParameters().GetSessionProfileName(), Default),
		PPPProfileName:     cmp.Or(eff.GetParameters().GetPppProfileName(), Default),
	}
}

// ResolveSession resolves a session that a command creates in tunnel t.
func (s *Snapshot) ResolveSession(t Tunnel, m *api.Session) (Session, error) {
	if err := first(s.checkReferences(m, false)); err != nil {
		return Session{}, err
	}
	r := Session{
		Name:          m.GetSessionName(),
		ID:            uint16(m.GetSessionId()),
		Type:          s.sessionType(t, m),
		UserName:      m.GetUserName(),
		UserPassword:  Secret(m.GetUserPassword()),
		CallingNumber: m.GetCallingNumber(),
		CalledNumber:  m.GetCalledNumber(),
		SubAddress:    m.GetSubAddress(),
		Proxy:         proxyOf(m),
	}
	if err := checkSession(m, r, t.Role); err != nil {
		return Session{}, err
	}
	return s.sessionFor(t, r, m), nil
}

// sessionType says which call a command creates.
func (s *Snapshot) sessionType(t Tunnel, m *api.Session) api.SessionType {
	profile, _ := find[*api.SessionProfile](s,
		cmp.Or(m.GetProfileName(), t.SessionProfileName, Default))
	base, _ := find[*api.SessionProfile](s, Default)
	usual := api.SessionType_SESSION_TYPE_LAIC
	if t.Role == api.Role_ROLE_LNS {
		usual = api.SessionType_SESSION_TYPE_LNOC
	}
	return cmp.Or(m.GetSessionType(), profile.GetSessionType(), base.GetSessionType(), usual)
}

// IncomingSession resolves a session that the peer of tunnel t begins. What was said
// of it since is in own, which is nil for nothing.
func (s *Snapshot) IncomingSession(t Tunnel, kind api.SessionType, own *api.Session) Session {
	return s.sessionFor(t, Session{Type: kind}, own)
}

// sessionFor resolves the parameters of a session and its PPP link. A profile
// that was deleted since the tunnel began counts as empty.
func (s *Snapshot) sessionFor(t Tunnel, r Session, m *api.Session) Session {
	name := cmp.Or(m.GetProfileName(), t.SessionProfileName, Default)
	eff := &api.Session{Parameters: &api.SessionParameters{}}
	inherit(eff, s.sessionSources(m, name, t), nil)
	schema.SetDefaults(eff)
	r.Parameters = sessionParameters(eff.GetParameters())
	r.Parameters.ProfileName = name
	ppp := cmp.Or(eff.GetParameters().GetPppProfileName(), Default)
	r.PPP = s.pppFor(ppp, r.Type, t.Parameters.MTU)
	return r
}

// pppFor resolves a PPP profile for a call of the kind over a tunnel.
func (s *Snapshot) pppFor(name string, kind api.SessionType, mtu int) PPPParameters {
	eff := &api.PPPProfile{}
	inherit(eff, s.pppSources(name), nil)
	r := pppOfEffective(eff, kind, mtu)
	r.ProfileName = name
	return r
}

// pppOfEffective makes the parameters of a link of what sources say, and of what
// follows from that.
func pppOfEffective(eff *api.PPPProfile, kind api.SessionType, mtu int) PPPParameters {
	asyncMapSet := eff.Asyncmap != nil
	schema.SetDefaults(eff)
	r := pppParameters(eff)
	r.AuthPeer = authPeer(eff, kind)
	r.AsyncMapSet = asyncMapSet
	if mtu > 0 {
		r.MRU = min(r.MRU, mtu)
	}
	return r
}

// authPeer says whether the peer must authenticate: what is set, else yes for
// those who call us.
func authPeer(p *api.PPPProfile, kind api.SessionType) bool {
	switch {
	case p.AuthPeer != nil:
		return p.GetAuthPeer()
	case p.GetAuthNone():
		return false
	}
	return kind == api.SessionType_SESSION_TYPE_LNIC || kind == api.SessionType_SESSION_TYPE_LAOC
}

// InterfaceName makes the name of a session's network interface.
func InterfaceName(pattern string, tunnelID, sessionID uint16) string {
	name, _ := schema.ExpandInterface(pattern,
		strconv.Itoa(int(tunnelID)), strconv.Itoa(int(sessionID)))
	return name
}
