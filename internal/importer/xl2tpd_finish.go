package importer

import (
	"fmt"
	"net"

	"culvert/internal/config"
	"culvert/internal/schema"
)

// finishLNS ties the profiles of an LNS section together: for everybody, or for
// the LACs that it names.
func (x *xl2tpd) finishLNS(s *xl2tpdSection) error {
	d := x.draft
	if err := x.finishPool(s); err != nil {
		return err
	}
	if s.user != "" {
		if err := d.setDefault(s.ppp, "local_name", s.user); err != nil {
			return err
		}
	}
	if s.tunnel.name != config.Default || len(s.peers) > 0 {
		if err := x.peerProfiles(s); err != nil {
			return err
		}
	}
	return x.accessControl(s)
}

// finishPool makes the section's pool.
func (x *xl2tpd) finishPool(s *xl2tpdSection) error {
	set, err := s.pool.IPSet()
	if err != nil || s.noPool || len(set.Ranges()) == 0 {
		return err
	}
	pool := target{"pool", safeName(s.name)}
	for _, r := range set.Ranges() {
		if err := x.draft.add(pool, "addresses", r.String()); err != nil {
			return err
		}
	}
	return x.draft.set(s.ppp, "ip_pool_name", pool.name)
}

// peerProfiles lets the section's LACs find its profiles.
func (x *xl2tpd) peerProfiles(s *xl2tpdSection) error {
	d := x.draft
	if s.name == config.Default && s.tunnel.name != config.Default {
		if err := x.everybody(s); err != nil {
			return err
		}
	}
	if len(s.peers) == 0 && s.name != config.Default {
		d.note(s.head, `names no "lac": its profiles are used by nobody until a peer profile names them`)
	}
	for i, prefix := range s.peers {
		name := safeName(s.name)
		if i > 0 || name == config.Default {
			name = safeName(fmt.Sprintf("%s-%d", s.name, i+1))
		}
		if err := d.set(target{"peer profile", name}, "peer_ipaddr", prefix.String()); err != nil {
			return err
		}
		if err := x.peerProfile(name, s); err != nil {
			return err
		}
	}
	for _, t := range []target{s.tunnel, s.session, s.ppp} {
		d.object(t)
	}
	return nil
}

// everybody lets peers of no section find the profiles of [lns default], where these
// are not called default.
func (x *xl2tpd) everybody(s *xl2tpdSection) error {
	d := x.draft
	if !x.access || len(s.peers) == 0 {
		if err := x.peerProfile(config.Default, s); err != nil {
			return err
		}
	}
	for _, name := range x.known {
		theirs := d.object(target{"tunnel profile", name})
		for _, p := range schema.KindOf(theirs).Params {
			if ours := d.object(s.tunnel); !p.Key && p.Has(ours) && !p.Has(theirs) {
				p.Copy(theirs, ours)
			}
		}
		peer := target{"peer profile", name}
		if err := d.set(peer, "session_profile_name", s.session.name); err != nil {
			return err
		}
		if err := d.set(peer, "ppp_profile_name", s.ppp.name); err != nil {
			return err
		}
	}
	return nil
}

// peerProfile has the named peer profile lead to the section's profiles.
func (x *xl2tpd) peerProfile(name string, s *xl2tpdSection) error {
	for _, setting := range [][2]string{
		{"tunnel_profile_name", s.tunnel.name},
		{"session_profile_name", s.session.name},
		{"ppp_profile_name", s.ppp.name},
	} {
		if err := x.draft.set(target{"peer profile", name}, setting[0], setting[1]); err != nil {
			return err
		}
	}
	return nil
}

// accessControl keeps out the peers that no "lac" names.
func (x *xl2tpd) accessControl(s *xl2tpdSection) error {
	if !x.access || len(s.peers) == 0 {
		return nil
	}
	if x.draft.get(defaultTunnel, "auth_mode") == "challenge" {
		x.draft.note(s.head, "access control together with challenge: peers are asked for the secret, "+
			"and not kept out by their address")
		return nil
	}
	return x.draft.set(defaultTunnel, "auth_mode", "simple")
}

// finishLAC makes the tunnel and the session that a LAC section describes, or a
// profile for them if they are not to begin by themselves.
func (x *xl2tpd) finishLAC(s *xl2tpdSection) error {
	d := x.draft
	if s.lnsHost == "" {
		d.note(s.head, `has no "lns": nothing was made of it`)
		for _, t := range []target{s.tunnel, s.session, s.ppp} {
			d.remove(t)
		}
		return nil
	}
	host, port := s.lnsHost, ""
	if h, p, err := net.SplitHostPort(s.lnsHost); err == nil {
		host, port = h, p
	}
	settings := []struct {
		t            target
		param, value string
	}{
		{s.tunnel, "dest_ipaddr", host},
		{s.tunnel, "peer_udp_port", port},
		{s.tunnel, "session_profile_name", s.session.name},
		{s.tunnel, "ppp_profile_name", s.ppp.name},
	}
	d.object(s.session)
	d.object(s.ppp)
	for _, set := range settings {
		if set.value == "" {
			continue
		}
		if err := d.set(set.t, set.param, set.value); err != nil {
			return err
		}
	}
	if err := x.redial(s); err != nil {
		return err
	}
	if !s.autodial {
		d.note(s.head, "does not begin by itself: tunnel create tunnel_name=%[1]s profile_name=%[1]s, "+
			"and session create tunnel_name=%[1]s session_name=%[1]s begin it", s.tunnel.name)
		return nil
	}
	return x.dial(s)
}

// redial has the tunnel opened again.
func (x *xl2tpd) redial(s *xl2tpdSection) error {
	if !s.redial {
		return nil
	}
	if err := x.draft.set(s.tunnel, "persist", "yes"); err != nil {
		return err
	}
	if s.wait == "" {
		return nil
	}
	if err := x.draft.set(s.tunnel, "persist_delay", s.wait); err != nil {
		return err
	}
	return x.draft.setDefault(s.tunnel, "persist_max_delay", s.wait)
}

// dial declares the tunnel and its session.
func (x *xl2tpd) dial(s *xl2tpdSection) error {
	d := x.draft
	tunnel := target{"tunnel", s.tunnel.name}
	session := target{"session", s.tunnel.name + "/" + s.tunnel.name}
	if err := d.set(tunnel, "profile_name", s.tunnel.name); err != nil {
		return err
	}
	d.object(session)
	user := s.user
	if s.pppd.user != "" {
		user = s.pppd.user
	}
	if user == "" {
		return nil
	}
	if err := d.set(session, "user_name", user); err != nil {
		return err
	}
	x.used[user] = true
	password, known := s.pppd.password, s.pppd.password != ""
	if !known {
		password, known = x.given[user]
	}
	if !known {
		d.note(s.head, "the password of %s is in no file given: set user_password of session %s", user, session.name)
		return nil
	}
	return d.set(session, "user_password", password)
}
