package config_test

import (
	"net/netip"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/config"
)

// The rules here are those of openl2tp by which profiles are chosen and inherited, but
// for its bugs and for decision 0002.

const profiles = `
	session profile create profile_name=s1
	session profile create profile_name=s2
	session profile create profile_name=with_ppp ppp_profile_name=p2
	session profile create profile_name=with_default ppp_profile_name=default
	ppp profile create profile_name=p1
	ppp profile create profile_name=p2
	tunnel profile create profile_name=plain
	tunnel profile create profile_name=names session_profile_name=s1 ppp_profile_name=p1
	tunnel profile create profile_name=defaults session_profile_name=default ppp_profile_name=default
	peer profile create profile_name=plain tunnel_profile_name=plain
	peer profile create profile_name=names tunnel_profile_name=plain session_profile_name=s2 ppp_profile_name=p2
	peer profile create profile_name=both tunnel_profile_name=names session_profile_name=s2 ppp_profile_name=p2
	peer profile create profile_name=skips tunnel_profile_name=defaults session_profile_name=s2 ppp_profile_name=p2
`

// tunnelFrom resolves a tunnel, created by a command with words, or opened by the peer
// that is called so.
func tunnelFrom(t *testing.T, s *config.Snapshot, words, peer string) config.Tunnel {
	t.Helper()
	if peer != "" {
		return s.SelectPeer(peer, netip.MustParseAddrPort("192.0.2.1:1701")).Tunnel
	}
	all := load(t, string(config.Format(s))+"tunnel create tunnel_name=x dest_ipaddr=192.0.2.1 "+words).Snapshot()
	tunnel, err := all.ResolveTunnel(all.Tunnels()[0])
	if err != nil {
		t.Fatal(err)
	}
	return tunnel
}

// Of session and PPP profile: "tunnel profile's if set and not default; else the peer
// profile's if set and not default; else default. Explicit parameters override." For
// tunnels of commands, and for those that a peer opens.
func TestRuleProfilesOfTunnel(t *testing.T) {
	s := load(t, profiles).Snapshot()
	for _, tt := range []struct{ words, peer, want string }{
		{"", "", "default default default"},
		{"profile_name=names", "", "names s1 p1"},
		{"profile_name=plain peer_profile_name=names", "", "plain s2 p2"},
		{"profile_name=names peer_profile_name=names", "", "names s1 p1"},
		{"profile_name=defaults peer_profile_name=names", "", "defaults s2 p2"},
		{"peer_profile_name=both", "", "names s1 p1"},
		{"peer_profile_name=both session_profile_name=s2 ppp_profile_name=p2", "", "names s2 p2"},
		{"peer_profile_name=both session_profile_name=default", "", "names default p1"},
		{"", "plain", "plain default default"},
		{"", "names", "plain s2 p2"},
		{"", "both", "names s1 p1"},
		{"", "skips", "defaults s2 p2"},
		{"", "unknown", "default default default"},
	} {
		r := tunnelFrom(t, s, tt.words, tt.peer)
		got := r.Parameters.ProfileName + " " + r.SessionProfileName + " " + r.PPPProfileName
		if got != tt.want {
			t.Errorf("%s%s: %s, want %s", tt.words, tt.peer, got, tt.want)
		}
	}
}

// "Session profile: explicit profile_name, else the tunnel's. PPP profile: explicit; else
// the session profile's if set and not default; else the tunnel's; else default."
func TestRuleProfilesOfSession(t *testing.T) {
	s := load(t, profiles).Snapshot()
	for _, tt := range []struct{ tunnel, session, want string }{
		{"", "", "default default"},
		{"session_profile_name=s1", "", "s1 default"},
		{"session_profile_name=s1 ppp_profile_name=p1", "", "s1 p1"},
		{"session_profile_name=with_ppp ppp_profile_name=p1", "", "with_ppp p2"},
		{"session_profile_name=with_default ppp_profile_name=p1", "", "with_default p1"},
		{"session_profile_name=with_ppp ppp_profile_name=p1", "profile_name=s1", "s1 p1"},
		{"session_profile_name=with_ppp", "ppp_profile_name=p1", "with_ppp p1"},
	} {
		tunnel := tunnelFrom(t, s, tt.tunnel, "")
		all := load(t, string(config.Format(s))+"tunnel create tunnel_name=x dest_ipaddr=192.0.2.1 "+
			tt.tunnel+"\nsession create tunnel_name=x "+tt.session).Snapshot()
		r, err := all.ResolveSession(tunnel, all.Sessions()[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Parameters.ProfileName + " " + r.PPP.ProfileName; got != tt.want {
			t.Errorf("%s, %s: %s, want %s", tt.tunnel, tt.session, got, tt.want)
		}
		if tt.session != "" {
			continue
		}
		incoming := s.IncomingSession(tunnel, api.SessionType_SESSION_TYPE_LNIC, nil)
		if got := incoming.Parameters.ProfileName + " " + incoming.PPP.ProfileName; got != tt.want {
			t.Errorf("%s, of the peer: %s, want %s", tt.tunnel, got, tt.want)
		}
	}
}

// "Explicit create parameters override", the ports too, which in openl2tp do not.
func TestRuleExplicitOverrides(t *testing.T) {
	s := load(t, "tunnel profile modify profile_name=default our_udp_port=5000 peer_udp_port=5001 hello_timeout=7").Snapshot()
	p := tunnelFrom(t, s, "our_udp_port=6000 hello_timeout=off", "").Parameters
	if p.OurUDPPort != 6000 || p.PeerUDPPort != 5001 || p.HelloTimeout != 0 {
		t.Errorf("parameters = %+v", p)
	}
}

// "Unknown names" are refused.
func TestRuleUnknownNames(t *testing.T) {
	for _, words := range []string{"profile_name=x", "peer_profile_name=x", "session_profile_name=x",
		"ppp_profile_name=x"} {
		err := config.NewStore("m").Load("f", []byte("tunnel create tunnel_name=t dest_ipaddr=::1 "+words))
		if err == nil {
			t.Errorf("%s is taken", words)
		}
	}
	for _, words := range []string{"profile_name=x", "ppp_profile_name=x"} {
		err := config.NewStore("m").Load("f", []byte("tunnel create tunnel_name=t dest_ipaddr=::1\n"+
			"session create tunnel_name=t "+words))
		if err == nil {
			t.Errorf("session: %s is taken", words)
		}
	}
}

// "MTU/MRU for PPP = min(ppp profile, tunnel)": the MRU here, the MTU where the link is.
func TestRuleSmallerMRU(t *testing.T) {
	s := load(t, "ppp profile modify profile_name=default mru=1450 mtu=1450").Snapshot()
	for words, want := range map[string]int{"mtu=1400": 1400, "mtu=1500": 1450} {
		r := s.IncomingSession(tunnelFrom(t, s, words, ""), api.SessionType_SESSION_TYPE_LNIC, nil)
		if r.PPP.MRU != want || r.PPP.MTU != 1450 {
			t.Errorf("%s: MRU %d, MTU %d, want %d, 1450", words, r.PPP.MRU, r.PPP.MTU, want)
		}
	}
}

// "A peer profile created takes its names from the default one": it inherits them.
func TestRulePeerInheritsFromDefault(t *testing.T) {
	s := load(t, profiles+"peer profile modify profile_name=default tunnel_profile_name=names lac_lns=lns\n"+
		"peer profile create profile_name=new").Snapshot()
	tunnel := tunnelFrom(t, s, "", "new")
	if tunnel.Parameters.ProfileName != "names" || tunnel.Role != api.Role_ROLE_LNS {
		t.Errorf("tunnel = %+v", tunnel)
	}
}

// Only a profile may be called default without saying anything: a pool of that name is used.
func TestPoolCalledDefault(t *testing.T) {
	s := load(t, "pool create pool_name=default addresses=10.0.0.0/24\n"+
		"ppp profile modify profile_name=default ip_pool_name=default").Snapshot()
	call := s.IncomingSession(tunnelFrom(t, s, "", "anybody"), api.SessionType_SESSION_TYPE_LNIC, nil)
	if call.PPP.PoolName != "default" {
		t.Errorf("the pool is %q", call.PPP.PoolName)
	}
}

// What runs keeps what it was resolved to when it began.
func TestRuleRunningKeeps(t *testing.T) {
	s := load(t, "tunnel create tunnel_name=t dest_ipaddr=::1")
	was, err := s.Snapshot().ResolveTunnel(s.Snapshot().Tunnels()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load("f", []byte("tunnel profile modify profile_name=default hello_timeout=7")); err != nil {
		t.Fatal(err)
	}
	now, err := s.Snapshot().ResolveTunnel(s.Snapshot().Tunnels()[0])
	if err != nil || was.Parameters.HelloTimeout != time.Minute || now.Parameters.HelloTimeout != 7*time.Second {
		t.Errorf("it was %v, it is %v", was.Parameters.HelloTimeout, now.Parameters.HelloTimeout)
	}
}
