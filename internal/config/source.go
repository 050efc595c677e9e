package config

import (
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// A source is somebody who may say what a parameter is: the command that made the
// object, or a profile. M is of the object's kind.
type source struct {
	origin string
	m      proto.Message
}

// The origins of values that no profile gives.
const (
	given   = "given"
	builtIn = "default"
)

// inherit gives eff each parameter from the first source that has it, and notes
// which that is, where origins is not nil. That a profile uses the profile called
// default says nothing: another source may name one.
func inherit(eff proto.Message, sources []source, origins map[string]string) {
	for _, p := range schema.KindOf(eff).Params {
		if p.Key || p.Action {
			continue
		}
		for _, src := range sources {
			if !p.Has(src.m) || src.origin != given && saysNothing(p, src.m) {
				continue
			}
			p.Copy(eff, src.m)
			if origins != nil {
				origins[p.Name] = src.origin
			}
			break
		}
	}
}

// saysNothing reports whether the parameter names the profile default. A pool of that
// name is one like any other.
func saysNothing(p *schema.Param, m proto.Message) bool {
	return p.RefersTo != "" && schema.KindNamed(p.RefersTo).Builtin == Default && p.Text(m) == Default
}

func profileOrigin(kind, name string) string { return kind + " " + name }

// tunnelSources are who says what a tunnel is, the nearest first: its command, its
// tunnel profile, its peer profile, what is said of all, and the system.
func (s *Snapshot) tunnelSources(asked *api.Tunnel, profileName string,
	peer *api.PeerProfile) []source {
	profile, _ := find[*api.TunnelProfile](s, profileName)
	base, _ := find[*api.TunnelProfile](s, Default)
	basePeer, _ := find[*api.PeerProfile](s, Default)
	peerOrigin := profileOrigin("peer profile", peer.GetProfileName())
	sources := []source{
		{given, asked},
		ofTunnelProfile(profile),
		{peerOrigin, ofPeerProfile(peer, false)},
	}
	if profileName != Default {
		sources = append(sources, ofTunnelProfile(base))
	}
	return append(sources,
		source{profileOrigin("peer profile", Default), ofPeerProfile(basePeer, false)},
		source{peerOrigin, ofPeerProfile(peer, true)},
		source{profileOrigin("peer profile", Default), ofPeerProfile(basePeer, true)},
		s.ofSystem())
}

func ofTunnelProfile(m *api.TunnelProfile) source {
	said := &api.Tunnel{Parameters: m.GetParameters()}
	if m != nil {
		said.DestIpaddr = m.DestIpaddr
	}
	return source{profileOrigin("tunnel profile", m.GetProfileName()), said}
}

// ofPeerProfile is what a peer profile says of a tunnel: which profiles its sessions
// use or, of less weight, the port.
func ofPeerProfile(m *api.PeerProfile, port bool) *api.Tunnel {
	if m == nil {
		return &api.Tunnel{}
	}
	if port {
		p := &api.TunnelParameters{}
		if m.GetPeerPort() > 0 {
			p.PeerUdpPort = m.PeerPort
		}
		return &api.Tunnel{Parameters: p}
	}
	return &api.Tunnel{Parameters: &api.TunnelParameters{
		SessionProfileName: m.SessionProfileName, PppProfileName: m.PppProfileName}}
}

// ofSystem is what the object system says of tunnels. A host name there always is.
func (s *Snapshot) ofSystem() source {
	p := &api.TunnelParameters{HostName: new(s.system.HostName)}
	if pend := s.system.TunnelPersistPend; pend > 0 {
		p.PersistMaxDelay = new(uint32(pend.Seconds()))
	}
	return source{"system", &api.Tunnel{Parameters: p}}
}

// sessionSources are who says what a session is: its command, its session profile,
// its tunnel where that uses a PPP profile, what is said of all, and the tunnel again.
func (s *Snapshot) sessionSources(asked *api.Session, profileName string, t Tunnel) []source {
	if asked == nil {
		asked = &api.Session{}
	}
	profile, _ := find[*api.SessionProfile](s, profileName)
	base, _ := find[*api.SessionProfile](s, Default)
	sources := []source{{given, asked}, ofSessionProfile(profile)}
	if t.PPPProfileName != "" {
		sources = append(sources, source{"tunnel", &api.Session{Parameters: &api.SessionParameters{
			PppProfileName: &t.PPPProfileName}}})
	}
	if profileName != Default {
		sources = append(sources, ofSessionProfile(base))
	}
	last := &api.SessionParameters{}
	if t.Parameters.InterfaceName != "" {
		last.InterfaceName = &t.Parameters.InterfaceName
	}
	if t.Parameters.AllowPPPProxy {
		last.UsePppProxy = &t.Parameters.AllowPPPProxy
	}
	return append(sources, source{"tunnel", &api.Session{Parameters: last}})
}

func ofSessionProfile(m *api.SessionProfile) source {
	said := &api.Session{Parameters: m.GetParameters()}
	if m != nil {
		said.SessionType = m.SessionType
	}
	return source{profileOrigin("session profile", m.GetProfileName()), said}
}

// pppSources are who says what a PPP link is: its profile, what is said of all, and
// the system.
func (s *Snapshot) pppSources(profileName string) []source {
	var sources []source
	if profile, ok := find[*api.PPPProfile](s, profileName); ok {
		sources = append(sources, source{profileOrigin("ppp profile", profileName), profile})
	}
	if base, ok := find[*api.PPPProfile](s, Default); ok && profileName != Default {
		sources = append(sources, source{profileOrigin("ppp profile", Default), base})
	}
	return append(sources, source{"system", &api.PPPProfile{LocalName: new(s.system.HostName)}})
}
