package config

import (
	"cmp"
	"net/netip"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// An Explanation says what holds of an object, inherited and built-in values
// included, and for each parameter, by its name, where the value comes from:
// "given", "default", "tunnel profile office" and the like.
type Explanation struct {
	Effective proto.Message
	Origins   map[string]string

	// Of a session: the parameters of its PPP link, in the same way.
	Link        *api.PPPProfile
	LinkOrigins map[string]string
}

// sinceChanged marks the origin of a value that is another today.
const sinceChanged = ", since changed"

// Explain explains an object of the configuration.
func (s *Snapshot) Explain(m proto.Message) Explanation {
	k := schema.KindOf(m)
	sources := []source{{given, m}}
	if base := s.table(k).get(k.Builtin); base != nil && k.Builtin != "" && name(m) != k.Builtin {
		sources = append(sources, source{profileOrigin(k.Words, k.Builtin), base})
	}
	e := Explanation{Effective: proto.Clone(m), Origins: make(map[string]string)}
	inherit(e.Effective, sources, e.Origins)
	setDefaults(e.Effective, e.Origins)
	return e
}

// setDefaults sets what no source has, and has a built-in default.
func setDefaults(eff proto.Message, origins map[string]string) {
	schema.SetDefaults(eff)
	for _, p := range schema.KindOf(eff).Params {
		if _, ok := origins[p.Name]; !ok && p.Default != "" && !p.Key {
			origins[p.Name] = builtIn
		}
	}
}

// ExplainTunnel explains a tunnel, of which asked is what a command said (empty
// if a peer opened it) and running what it was resolved to when it began. What the
// profiles say otherwise today ends with ", since changed".
func (s *Snapshot) ExplainTunnel(asked *api.Tunnel, running Tunnel) Explanation {
	name, of := s.explainProfile(asked, running)
	peer, ok := find[*api.PeerProfile](s, running.PeerProfileName)
	if !ok {
		peer = &api.PeerProfile{ProfileName: &running.PeerProfileName}
	}
	eff := &api.Tunnel{Parameters: &api.TunnelParameters{}}
	origins := make(map[string]string)
	inherit(eff, s.tunnelSources(asked, running.Parameters.ProfileName, peer), origins)
	addr := running.Dest.Addr
	if eff.GetParameters().Mtu == nil && !addr.IsValid() &&
		running.Parameters.MTU == builtInMTU()-ipv6Overhead {
		addr = netip.IPv6Loopback() // the peer has an address of IPv6
	}
	today := s.tunnelOfEffective(eff, addr)
	today.Name, today.ID, today.ConfigID, today.Dest = running.Name, running.ID, running.ConfigID, running.Dest
	today.Parameters.ProfileName, today.PeerProfileName = name, running.PeerProfileName
	setDefaults(eff, origins)
	origins["profile_name"] = of
	for _, name := range []string{"config_id", "session_profile_name", "ppp_profile_name"} {
		if _, ok := origins[name]; !ok {
			origins[name] = builtIn
		}
	}
	if _, ok := origins["peer_profile_name"]; !ok && running.PeerProfileName != "" {
		origins["peer_profile_name"] = builtIn
		if profile, _ := find[*api.TunnelProfile](s, running.Parameters.ProfileName); asked.
			GetProfileName() != "" && profile.GetPeerProfileName() == running.PeerProfileName {
			origins["peer_profile_name"] = profileOrigin("tunnel profile", asked.GetProfileName())
		}
	}
	return compare(eff, tunnelMessage(today), tunnelMessage(running), origins,
		profileOrigin("tunnel profile", running.Parameters.ProfileName))
}

func builtInMTU() int {
	m := &api.Tunnel{}
	schema.SetDefaults(m)
	return int(m.GetParameters().GetMtu())
}

// explainProfile returns which tunnel profile a tunnel would have today, and where
// that comes from.
func (s *Snapshot) explainProfile(asked *api.Tunnel, running Tunnel) (name, origin string) {
	if asked.ProfileName != nil {
		return asked.GetProfileName(), given
	}
	for _, n := range []string{running.PeerProfileName, Default} {
		if peer, _ := find[*api.PeerProfile](s, n); peer.GetTunnelProfileName() != "" {
			return peer.GetTunnelProfileName(), profileOrigin("peer profile", n)
		}
	}
	return Default, builtIn
}

// ExplainSession explains a session of a tunnel in the same way.
func (s *Snapshot) ExplainSession(tunnel Tunnel, asked *api.Session, running Session) Explanation {
	origins := map[string]string{}
	eff := &api.Session{Parameters: &api.SessionParameters{}}
	inherit(eff, s.sessionSources(asked, running.Parameters.ProfileName, tunnel), origins)
	today := running
	setDefaults(eff, origins)
	today.Parameters = sessionParameters(eff.GetParameters())
	today.Parameters.ProfileName = cmp.Or(asked.GetProfileName(), tunnel.SessionProfileName, Default)
	today.PPP.ProfileName = cmp.Or(eff.GetParameters().GetPppProfileName(), Default)
	for name, origin := range map[string]string{"profile_name": "tunnel", "ppp_profile_name": builtIn,
		"session_type": builtIn, "use_ppp_proxy": builtIn} {
		if _, ok := origins[name]; !ok {
			origins[name] = origin
		}
	}
	e := compare(eff, sessionMessage(today), sessionMessage(running), origins,
		profileOrigin("session profile", running.Parameters.ProfileName))
	e.Link, e.LinkOrigins = s.explainLink(tunnel, running)
	return e
}

// explainLink explains the PPP link of a session.
func (s *Snapshot) explainLink(tunnel Tunnel, running Session) (*api.PPPProfile, map[string]string) {
	name := running.PPP.ProfileName
	origins := map[string]string{}
	eff := &api.PPPProfile{}
	inherit(eff, s.pppSources(name), origins)
	set := proto.CloneOf(eff)
	today := pppOfEffective(eff, running.Type, tunnel.Parameters.MTU)
	today.ProfileName = name
	setDefaults(eff, origins)
	if today.MRU < int(eff.GetMru()) {
		origins["mru"] = "tunnel"
	}
	if set.AuthPeer == nil {
		origins["auth_peer"] = origins["auth_none"]
	}
	for _, p := range []string{"max_config_requests", "max_config_naks", "max_terminate_requests",
		"retransmit_interval"} {
		if _, ok := origins["ipcp_"+p]; !ok {
			origins["ipcp_"+p] = origins["lcp_"+p]
		}
	}
	e := compare(eff, pppMessage(today), pppMessage(running.PPP), origins,
		profileOrigin("ppp profile", name))
	return e.Effective.(*api.PPPProfile), e.Origins
}

// compare makes the explanation of what runs: eff and today are what the sources say
// today, before and after what follows from it. Of what runs otherwise the
// origin is marked; of what nothing today accounts for it is the profile.
func compare(eff, today, running proto.Message, origins map[string]string,
	profile string) Explanation {
	k := schema.KindOf(running)
	e := Explanation{Effective: running, Origins: make(map[string]string)}
	for _, p := range k.Params {
		if p.Key {
			continue
		}
		if !p.Has(running) {
			// It is no part of what runs, or empty.
			if p.Has(eff) && !p.Has(today) {
				p.Copy(e.Effective, eff)
				e.Origins[p.Name] = origins[p.Name]
			}
			continue
		}
		origin, ok := origins[p.Name]
		if !ok {
			origin = given
		}
		if origin != given && !p.Equal(running, today) {
			if origin == builtIn && p.RefersTo == "" {
				origin = profile
			}
			origin += sinceChanged
		}
		e.Origins[p.Name] = origin
	}
	return e
}
