package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
)

const office = `
	system modify host_name=here tunnel_persist_pend_timeout=300
	tunnel profile modify profile_name=default max_retries=9
	tunnel profile create profile_name=office hello_timeout=20 secret=swordfish session_profile_name=calls
	session profile modify profile_name=default trace_flags=fsm
	session profile create profile_name=calls reorder_timeout=50 ppp_profile_name=links
	ppp profile modify profile_name=default lcp_retransmit_interval=5 multilink=yes
	ppp profile create profile_name=links mtu=1400 auth_none=yes
	peer profile modify profile_name=default lac_lns=laclns
	peer profile create profile_name=branch tunnel_profile_name=office peer_port=1702
	tunnel create tunnel_name=t dest_ipaddr=2001:db8::1 peer_profile_name=branch mtu=1300
	session create tunnel_name=t session_name=s user_name=u connect_speed=64000
`

func TestExplainTunnel(t *testing.T) {
	s := load(t, office)
	asked := s.Snapshot().Tunnels()[0]
	running, err := s.Snapshot().ResolveTunnel(asked)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Snapshot().ExplainTunnel(asked, running)
	explained(t, e, map[string]string{
		"dest_ipaddr":          "2001:db8::1 given",
		"mtu":                  "1300 given",
		"peer_profile_name":    "branch given",
		"profile_name":         "office peer profile branch",
		"hello_timeout":        "20 tunnel profile office",
		"secret":               "swordfish tunnel profile office",
		"session_profile_name": "calls tunnel profile office",
		"ppp_profile_name":     "default default",
		"max_retries":          "9 tunnel profile default",
		"peer_udp_port":        "1702 peer profile branch",
		"host_name":            "here system",
		"persist_max_delay":    "300 system",
		"retry_timeout":        "1 default",
		"src_ipaddr":           " ",
	})
	unchanged(t, e)
	if err := s.Load("x", []byte("tunnel profile modify profile_name=office hello_timeout=30 max_retries=2\n"+
		"tunnel profile modify profile_name=default retry_timeout=3 max_sessions=5\n"+
		"tunnel profile unset profile_name=office secret\n"+
		"peer profile unset profile_name=branch tunnel_profile_name")); err != nil {
		t.Fatal(err)
	}
	explained(t, s.Snapshot().ExplainTunnel(asked, running), map[string]string{
		"mtu":           "1300 given",
		"profile_name":  "office default, since changed",
		"hello_timeout": "20 tunnel profile office, since changed",
		"max_retries":   "9 tunnel profile office, since changed",
		"retry_timeout": "1 tunnel profile default, since changed",
		"max_sessions":  "unlimited tunnel profile default, since changed",
		"persist":       "no default",
	})
}

// What a peer began has no command; its address of IPv6 makes the MTU less.
func TestExplainIncoming(t *testing.T) {
	s := load(t, office).Snapshot()
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		peer := s.SelectPeer("branch", netip.AddrPortFrom(netip.MustParseAddr(addr), 1702))
		e := s.ExplainTunnel(&api.Tunnel{}, peer.Tunnel)
		unchanged(t, e)
		explained(t, e, map[string]string{
			"profile_name":      "office peer profile branch",
			"peer_profile_name": "branch default",
			"hello_timeout":     "20 tunnel profile office",
		})
		session := s.IncomingSession(peer.Tunnel, api.SessionType_SESSION_TYPE_LNIC, nil)
		e = s.ExplainSession(peer.Tunnel, &api.Session{}, session)
		unchanged(t, e)
		explained(t, e, map[string]string{
			"profile_name":     "calls tunnel",
			"ppp_profile_name": "links session profile calls",
			"session_type":     "lnic default",
		})
	}
}

func TestExplainSession(t *testing.T) {
	s := load(t, office)
	tunnel, err := s.Snapshot().ResolveTunnel(s.Snapshot().Tunnels()[0])
	if err != nil {
		t.Fatal(err)
	}
	asked := s.Snapshot().Sessions()[0]
	running, err := s.Snapshot().ResolveSession(tunnel, asked)
	if err != nil {
		t.Fatal(err)
	}
	e := s.Snapshot().ExplainSession(tunnel, asked, running)
	unchanged(t, e)
	explained(t, e, map[string]string{
		"user_name":        "u given",
		"connect_speed":    "64000:64000 given",
		"reorder_timeout":  "50 session profile calls",
		"trace_flags":      "fsm session profile default",
		"interface_name":   "l2tp%t-%s default",
		"use_ppp_proxy":    "no default",
		"ppp_profile_name": "links session profile calls",
	})
	link := config.Explanation{Effective: e.Link, Origins: e.LinkOrigins}
	unchanged(t, link)
	explained(t, link, map[string]string{
		"mtu":                      "1400 ppp profile links",
		"mru":                      "1300 tunnel",
		"auth_none":                "yes ppp profile links",
		"auth_peer":                "no ppp profile links",
		"lcp_retransmit_interval":  "5 ppp profile default",
		"ipcp_retransmit_interval": "5 ppp profile default",
		"multilink":                "yes ppp profile default",
		"local_name":               "here system",
		"chap_restart":             "3 default",
	})
	if err := s.Load("x", []byte("session profile modify profile_name=calls reorder_timeout=7\n"+
		"ppp profile modify profile_name=links chap_restart=9")); err != nil {
		t.Fatal(err)
	}
	e = s.Snapshot().ExplainSession(tunnel, asked, running)
	explained(t, e, map[string]string{"reorder_timeout": "50 session profile calls, since changed"})
	explained(t, config.Explanation{Effective: e.Link, Origins: e.LinkOrigins},
		map[string]string{"chap_restart": "3 ppp profile links, since changed"})
}

func TestExplainProfile(t *testing.T) {
	s := load(t, office).Snapshot()
	m, _ := s.Object(&api.TunnelProfile{ProfileName: new("office")})
	e := s.Explain(m)
	explained(t, e, map[string]string{
		"hello_timeout": "20 given",
		"max_retries":   "9 tunnel profile default",
		"retry_timeout": "1 default",
		"host_name":     " ",
	})
	m, _ = s.Object(&api.System{})
	explained(t, s.Explain(m), map[string]string{"host_name": "here given", "log_level": "info default"})
}

// explained compares parameters of an explanation: the value and the origin.
func explained(t *testing.T, e config.Explanation, want map[string]string) {
	t.Helper()
	k := schema.KindOf(e.Effective)
	for name, want := range want {
		if got := k.Param(name).Text(e.Effective) + " " + e.Origins[name]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// unchanged looks for values that seem to have changed, and values without an
// origin or origins without a value.
func unchanged(t *testing.T, e config.Explanation) {
	t.Helper()
	for _, p := range schema.KindOf(e.Effective).Params {
		origin, ok := e.Origins[p.Name]
		if strings.Contains(origin, "changed") || !p.Key && ok != p.Has(e.Effective) {
			t.Errorf("%s=%s comes from %q", p.Name, p.Text(e.Effective), origin)
		}
	}
}
