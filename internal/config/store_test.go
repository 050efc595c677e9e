package config_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/config"
)

func load(t *testing.T, text string) *config.Store {
	t.Helper()
	s := config.NewStore("machine")
	if err := s.Load("test.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSelectPeer(t *testing.T) {
	s := load(t, `
		tunnel profile create profile_name=a
		tunnel profile create profile_name=b
		tunnel profile create profile_name=c
		tunnel profile create profile_name=d
		peer profile create profile_name=lac1.example tunnel_profile_name=a
		peer profile create profile_name=net peer_ipaddr=192.0.2.0 netmask=255.255.255.0 tunnel_profile_name=b
		peer profile create profile_name=host peer_ipaddr=192.0.2.7 tunnel_profile_name=c
		peer profile create profile_name=six peer_ipaddr=2001:db8::/32 tunnel_profile_name=d
	`).Snapshot()
	tests := []struct {
		host, addr, peer, tunnel string
		matched                  bool
	}{
		{"lac1.example", "192.0.2.7", "lac1.example", "a", true},
		{"other", "192.0.2.8", "net", "b", true},
		{"other", "192.0.2.7", "host", "c", true},
		{"other", "::ffff:192.0.2.7", "host", "c", true},
		{"other", "2001:db8::1", "six", "d", true},
		{"other", "198.51.100.1", "default", "default", false},
		{"default", "198.51.100.1", "default", "default", false},
		{"", "198.51.100.1", "default", "default", false},
	}
	for _, tt := range tests {
		p := s.SelectPeer(tt.host, from(tt.addr))
		if p.ProfileName != tt.peer || p.Matched != tt.matched ||
			p.Tunnel.Parameters.ProfileName != tt.tunnel {
			t.Errorf("SelectPeer(%q, %s) = %s, %v, tunnel profile %s; want %s, %v, %s", tt.host, tt.addr,
				p.ProfileName, p.Matched, p.Tunnel.Parameters.ProfileName, tt.peer, tt.matched, tt.tunnel)
		}
	}
}

// from is a peer's address with the usual port.
func from(addr string) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), 1701)
}

// TestSelectPeerByPort: a profile with a port is for peers that come from there.
func TestSelectPeerByPort(t *testing.T) {
	s := load(t, `
		peer profile create profile_name=branch peer_port=5000
		peer profile create profile_name=net peer_ipaddr=192.0.2.0/24
		peer profile create profile_name=host peer_ipaddr=192.0.2.7 peer_port=5000
	`).Snapshot()
	tests := []struct{ host, from, want string }{
		{"branch", "198.51.100.1:5000", "branch"},
		{"branch", "198.51.100.1:1701", "default"},
		{"branch", "192.0.2.7:1701", "net"},
		{"other", "192.0.2.7:5000", "host"},
		{"other", "192.0.2.7:5001", "net"},
	}
	for _, tt := range tests {
		p := s.SelectPeer(tt.host, netip.MustParseAddrPort(tt.from))
		if p.ProfileName != tt.want || p.Port != 0 {
			t.Errorf("SelectPeer(%q, %s) = %s, port %d; want %s", tt.host, tt.from, p.ProfileName,
				p.Port, tt.want)
		}
	}
	strict := load(t, "peer profile modify profile_name=default peer_port=1701").Snapshot()
	if p := strict.SelectPeer("x", netip.MustParseAddrPort("192.0.2.7:1702")); p.Port != 1701 {
		t.Errorf("from another port than that of the default profile: Port = %d, want 1701", p.Port)
	}
}

// TestPeerProfileForOwnTunnels: its port and its role hold for tunnels of ours too.
func TestPeerProfileForOwnTunnels(t *testing.T) {
	s := load(t, `
		peer profile create profile_name=pop peer_port=5000 lac_lns=lns
		tunnel profile create profile_name=else peer_udp_port=6000
	`).Snapshot()
	for profile, port := range map[string]uint16{"": 5000, "else": 6000} {
		asked := &api.Tunnel{DestIpaddr: new("192.0.2.1"), PeerProfileName: new("pop")}
		if profile != "" {
			asked.ProfileName = &profile
		}
		got, err := s.ResolveTunnel(asked)
		if err != nil {
			t.Fatal(err)
		}
		if got.Parameters.PeerUDPPort != port || got.Role != api.Role_ROLE_LNS {
			t.Errorf("port %d, role %v; want %d, lns", got.Parameters.PeerUDPPort, got.Role, port)
		}
		session, err := s.ResolveSession(got, &api.Session{})
		if err != nil || session.Type != api.SessionType_SESSION_TYPE_LNOC {
			t.Errorf("ResolveSession = %v, %v; want lnoc", session.Type, err)
		}
	}
}

// A mask of zero fits every peer, and every other mask fits it more closely.
func TestZeroMaskIsLeast(t *testing.T) {
	s := load(t, `
		peer profile create profile_name=all netmask=0.0.0.0
		peer profile create profile_name=net peer_ipaddr=10.0.0.0/8
	`).Snapshot()
	for addr, want := range map[string]string{
		"10.1.1.1": "net", "192.0.2.1": "all", "2001:db8::1": "all",
	} {
		if got := s.SelectPeer("x", from(addr)).ProfileName; got != want {
			t.Errorf("SelectPeer(%s) = %s, want %s", addr, got, want)
		}
	}
}

func TestInheritance(t *testing.T) {
	s := load(t, `
		system modify host_name=lns
		tunnel profile create profile_name=p hello_timeout=20
		tunnel profile modify profile_name=default hello_timeout=30 max_retries=7 session_profile_name=s2
		session profile create profile_name=s1 interface_name=a%s
		session profile create profile_name=s2 interface_name=b%s
		ppp profile create profile_name=pp mtu=1400
		ppp profile modify profile_name=default mru=1300
		peer profile create profile_name=peer tunnel_profile_name=p session_profile_name=s1 ppp_profile_name=pp
	`).Snapshot()
	tunnel := s.SelectPeer("peer", from("192.0.2.1")).Tunnel
	p := tunnel.Parameters
	if p.HelloTimeout != 20*time.Second || p.MaxRetries != 7 || p.RetryTimeout != time.Second ||
		p.HostName != "lns" || p.MTU != 1460 {
		t.Errorf("tunnel parameters = %+v", p)
	}
	session := s.IncomingSession(tunnel, api.SessionType_SESSION_TYPE_LNIC, nil)
	if session.Parameters.ProfileName != "s1" || session.Parameters.InterfaceName != "a%s" {
		t.Errorf("the peer's session profile does not go before an inherited one: %+v", session.Parameters)
	}
	if ppp := session.PPP; ppp.ProfileName != "pp" || ppp.MTU != 1400 || ppp.MRU != 1300 || !ppp.AuthPeer {
		t.Errorf("PPP parameters = %+v", session.PPP)
	}
	if mtu := s.SelectPeer("peer", from("2001:db8::1")).Tunnel.Parameters.MTU; mtu != 1440 {
		t.Errorf("MTU over IPv6 = %d, want 1440", mtu)
	}
}

func TestResolveLocal(t *testing.T) {
	s := load(t, `
		tunnel create tunnel_name=t dest_ipaddr=lns.example.net persist=yes our_udp_port=ephemeral secret="it's # \"
		session create tunnel_name=t session_name=s user_name=u user_password='a"b' connect_speed=64000
	`).Snapshot()
	tunnel, err := s.ResolveTunnel(s.Tunnels()[0])
	if err != nil {
		t.Fatal(err)
	}
	if tunnel.Dest.Name != "lns.example.net" || !tunnel.Parameters.Persist || tunnel.Name != "t" ||
		tunnel.Parameters.OurUDPPort != 0 || string(tunnel.Parameters.Secret) != `it's # \` {
		t.Errorf("tunnel = %+v, secret %q", tunnel, string(tunnel.Parameters.Secret))
	}
	session, err := s.ResolveSession(tunnel, s.Sessions()[0])
	if err != nil {
		t.Fatal(err)
	}
	if session.Type != api.SessionType_SESSION_TYPE_LAIC || string(session.UserPassword) != `a"b` ||
		session.Parameters.TxConnectSpeed != 64000 || session.PPP.AuthPeer {
		t.Errorf("session = %+v", session)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"object", "tunel create", `test.conf:1:1: unknown command "tunel"; did you mean "tunnel"?`},
		{"operation", "\ntunnel creat", `test.conf:2:8: unknown word "creat" after "tunnel": expected profile, create, modify, unset, delete, show or list; did you mean "create"?`},
		{"parameter", "system modify max_tunels=1", `test.conf:1:15: unknown parameter of system "max_tunels"; did you mean "max_tunnels"?`},
		{"number", "system modify \\\n max_tunnels=many", `test.conf:2:14: max_tunnels=many: expected a number from 0 to 65535 or unlimited`},
		{"bool", "system modify drain_tunnels=maybe", `test.conf:1:29: drain_tunnels=maybe: expected yes or no`},
		{"enum", "tunnel profile create profile_name=x auth_mode=md5", `test.conf:1:48: auth_mode=md5: expected none, simple or challenge`},
		{"address", "peer profile create profile_name=x peer_ipaddr=1.2.3", `test.conf:1:48: peer_ipaddr=1.2.3: expected an IP address or a prefix such as 192.0.2.0/24`},
		{"secret", "user create user_name=u user_password=\"\x00\"", `test.conf:1:39: user_password: expected text without NUL characters`},
		{"interface", "session profile create profile_name=x interface_name=toolong%t-%s", `test.conf:1:54: interface_name=toolong%t-%s: expected an interface name of at most 15 characters, with %t and %s as long as 65535`},
		{"interface for many", "session profile create profile_name=x interface_name=ppp0", `test.conf:1:39: session profile "x": interface_name=ppp0: expected %s in it, since a profile is for more than one session`},
		{"key", "tunnel profile create mtu=1400", `test.conf:1:1: tunnel profile create: expected profile_name`},
		{"required", "tunnel create tunnel_name=x", `test.conf:1:1: tunnel "x": expected dest_ipaddr=ADDRESS, here or in its tunnel profile: the peer's address or host name`},
		{"value", "system modify max_tunnels", `test.conf:1:15: parameter "max_tunnels": expected "=" and a number from 0 to 65535 or unlimited`},
		{"twice", "system modify max_tunnels=1 max_tunnels=2", `test.conf:1:29: parameter "max_tunnels" is given twice`},
		{"nothing", "system modify", `test.conf:1:1: system modify: expected a parameter to change`},
		{"quote", "system modify host_name=\"abc\n\n", `test.conf:1:25: expected a closing "`},
		{"duplicate", "tunnel profile create profile_name=x\ntunnel profile create profile_name=x", `test.conf:2:23: tunnel profile "x" exists already`},
		{"absent", "tunnel profile modify profile_name=defualt mtu=1400", `test.conf:1:23: there is no tunnel profile "defualt"; did you mean "default"?`},
		{"reference", "# x\ntunnel profile create profile_name=a\npeer profile create profile_name=x tunnel_profile_name=b", `test.conf:3:36: peer profile "x": tunnel_profile_name=b: there is no such tunnel profile; did you mean "a"?`},
		{"hiding", "tunnel create tunnel_name=t dest_ipaddr=::1 hide_avps=yes", `test.conf:1:45: tunnel "t": hide_avps=yes needs a secret`},
		{"challenge", "tunnel create tunnel_name=t dest_ipaddr=::1 auth_mode=challenge", `test.conf:1:45: tunnel "t": auth_mode=challenge needs a secret`},
		{"session of no tunnel", "session create tunnel_name=t session_name=s", `test.conf:1:16: session "t/s": there is no tunnel "t"`},
		{"incoming type", "tunnel create tunnel_name=t dest_ipaddr=::1;session create tunnel_name=t session_name=s session_type=lnic", `test.conf:1:89: session "t/s": session_type: expected laic or lnoc, the others are begun by a peer`},
		{"in use", "ppp profile create profile_name=p; session profile create profile_name=s ppp_profile_name=p\nppp profile delete profile_name=p", `test.conf:2:20: ppp profile "p" is in use by session profile "s"`},
		{"builtin", "ppp profile delete profile_name=default", `test.conf:1:20: ppp profile "default" cannot be deleted, only modified`},
		{"no way to authenticate", "ppp profile modify profile_name=default auth_pap=no auth_chap=no auth_mschapv1=no auth_mschapv2=no auth_eap=no", `test.conf:1:1: ppp profile "default": callers must authenticate, but every way to do so is off: expected one of auth_pap, auth_chap, auth_mschapv1, auth_mschapv2 and auth_eap to be yes, or auth_peer=no`},
		{"show", "system show", `test.conf:1:1: system show has no place in a configuration file: expected create, modify, unset or delete`},
		{"abbreviation", "sys modify max_tunnels=1", `test.conf:1:1: unknown command "sys"; did you mean "system"?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := config.NewStore("machine")
			before := s.Snapshot()
			err := s.Load("test.conf", []byte("system modify max_sessions=3\n"+tt.text))
			got := "no error"
			if err != nil {
				got = err.Error()
			}
			want := shiftLine(tt.want)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if s.Snapshot() != before {
				t.Error("the configuration has changed")
			}
		})
	}
}

// shiftLine counts the line before the text of a test.
func shiftLine(want string) string {
	for _, l := range []string{"3", "2", "1"} {
		if strings.HasPrefix(want, "test.conf:"+l) {
			next := string(l[0] + 1)
			return "test.conf:" + next + strings.TrimPrefix(want, "test.conf:"+l)
		}
	}
	return want
}

func TestErrorKinds(t *testing.T) {
	s := config.NewStore("machine")
	for text, kind := range map[string]error{
		"user delete user_name=x":                                   config.ErrNotFound,
		"peer profile create profile_name=default":                  config.ErrExists,
		"ppp profile delete profile_name=default":                   config.ErrRefused,
		"user create user_name=x":                                   config.ErrInvalid,
		"peer profile create profile_name=x tunnel_profile_name=no": config.ErrInvalid,
	} {
		if err := s.Load("x", []byte(text)); !errors.Is(err, kind) {
			t.Errorf("%s: %v, want %v", text, err, kind)
		}
	}
}
