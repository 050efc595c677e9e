package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// pppDefault is a command that changes the default PPP profile.
func pppDefault(parameters string) string {
	return "ppp profile modify profile_name=default " + parameters + "\n"
}

// tunnelDefault is a command that changes the default tunnel profile.
func tunnelDefault(parameters string) string {
	return "tunnel profile modify profile_name=default " + parameters + "\n"
}

// only allows one authentication method.
func only(method string) string {
	var text strings.Builder
	for _, m := range []string{"pap", "chap", "mschapv1", "mschapv2", "eap"} {
		word := "no"
		if m == method {
			word = "yes"
		}
		text.WriteString(" auth_" + m + "=" + word)
	}
	return pppDefault(text.String())
}

func TestEachAuthenticationMethod(t *testing.T) {
	for method, want := range map[string]string{"pap": "PAP", "chap": "CHAP-MD5",
		"mschapv1": "MS-CHAPv1", "mschapv2": "MS-CHAPv2", "eap": "EAP"} {
		for _, password := range []string{"wonderland", "mirror"} {
			t.Run(method+" "+password, func(t *testing.T) {
				lac := strings.ReplaceAll(lacConfig, "wonderland", password)
				inBubble(t, lnsConfig+only(method), lac, func(_ *dataplane.Wire, lns, lac *host) {
					pass(5 * time.Second)
					if password != "wonderland" {
						lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
						lns.wantLog("authentication failed")
						return
					}
					lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
					lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
					of, to := lns.sessions()[0].Status.Ppp.AuthOfPeer, lac.sessions()[0].Status.Ppp.AuthToPeer
					if of != want || to != want {
						t.Errorf("the LNS authenticated by %q, the LAC by %q, want %q", of, to, want)
					}
				})
			})
		}
	}
}

// TestWhoMustAuthenticate: those who call, unless the profile says otherwise.
func TestWhoMustAuthenticate(t *testing.T) {
	nobody := strings.Replace(lacConfig, "user_name=alice user_password=wonderland", "", 1)
	tests := map[string]struct {
		lns, lac string
		up       int
		method   string
	}{
		"by default":         {"", lacConfig, 1, "MS-CHAPv2"},
		"auth_none":          {"auth_none=yes", nobody, 1, ""},
		"auth_peer=no":       {"auth_peer=no", nobody, 1, ""},
		"auth_peer wins":     {"auth_none=yes auth_peer=yes", lacConfig, 1, "MS-CHAPv2"},
		"auth_peer, no name": {"auth_none=yes auth_peer=yes", nobody, 0, ""},
		"LAC asks the LNS":   {"", pppDefault("auth_peer=yes") + lacConfig, 0, ""},
		"the one in common":  {"", only("pap") + lacConfig, 1, "PAP"},
		"method refused":     {"auth_pap=no", only("pap") + lacConfig, 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			lns := lnsConfig
			if test.lns != "" {
				lns += pppDefault(test.lns)
			}
			inBubble(t, lns, test.lac, func(_ *dataplane.Wire, lns, lac *host) {
				pass(70 * time.Second)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, test.up)
				if test.up > 0 {
					if got := lac.sessions()[0].Status.Ppp.AuthToPeer; got != test.method {
						t.Errorf("authenticated by %q, want %q", got, test.method)
					}
				}
			})
		})
	}
}

func TestOneNetworkOnly(t *testing.T) {
	tests := map[string]struct{ off, there, missing string }{
		"IPv4 only": {"ipv6=no", "ipv4 10.9.0", "ipv6 "},
		"IPv6 only": {"ipv4=no", "ipv6 fe80", "ipv4 "},
	}
	for name, test := range tests {
		for _, at := range []string{"LAC", "LNS"} {
			t.Run(name+" at the "+at, func(t *testing.T) {
				lns, lac := lnsConfig, lacConfig
				if at == "LNS" {
					lns += pppDefault(test.off)
				} else {
					lac = pppDefault(test.off) + lac
				}
				inBubble(t, lns, lac, func(_ *dataplane.Wire, lns, lac *host) {
					pass(5 * time.Second)
					for _, h := range []*host{lns, lac} {
						h.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
						text := h.fake.String()
						if !strings.Contains(text, test.there) || strings.Contains(text, test.missing) {
							t.Errorf("want %q and not %q:\n%s", test.there, test.missing, text)
						}
						if got := words(h.events()); !strings.HasSuffix(got, "session-up ppp-up") {
							t.Errorf("events are %s, want ppp-up at the end", got)
						}
					}
				})
			})
		}
	}
}

// TestFixedAddress: a user's own address is not given to others, though it is
// of the pool.
func TestFixedAddress(t *testing.T) {
	text := lnsConfig + "user create user_name=bob user_password=builder ipaddr=10.9.0.2\n"
	inBubble(t, text, sessionsConfig(1), func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		create := func(name, user, password string) {
			_, err := lac.CreateSession(context.Background(), &api.Session{TunnelName: new("office"),
				SessionName: &name, UserName: &user, UserPassword: &password})
			if err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Second)
		}
		// Alice had the first address, bob's: it is hers until she goes.
		create("bob", "bob", "builder")
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lns.wantLog("address is in use")
		lac.DeleteSession(context.Background(), lac.sessions()[0], "")
		pass(5 * time.Second)
		create("bob", "bob", "builder")
		create("s1", "alice", "wonderland")
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		seen := make(map[string]string)
		for _, s := range lns.sessions() {
			seen[s.Status.User] = s.Status.Ppp.PeerIpv4
		}
		if seen["bob"] != "10.9.0.2" || seen["alice"] == "10.9.0.2" {
			t.Errorf("addresses: %v", seen)
		}
	})
}

func TestHiddenAVPs(t *testing.T) {
	hide := "tunnel profile modify profile_name=default hide_avps=yes secret=tea\n"
	inBubble(t, lnsConfig+hide, "", func(w *dataplane.Wire, lns, lac *host) {
		var open atomic.Bool
		w.Tap(func(_, _ netip.AddrPort, b []byte) bool {
			if strings.Contains(string(b), "5550001") {
				open.Store(true)
			}
			return true
		})
		lac.declare(hide + strings.Replace(lacConfig, "session_name",
			"calling_number=5550001 session_name", 1))
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if got := lns.sessions()[0].Status.CallingNumber; got != "5550001" {
			t.Errorf("calling number = %q, want 5550001", got)
		}
		if open.Load() {
			t.Error("the number went over the wire in the clear")
		}
	})
}

// TestSequencingParameters: the LNS decides for both, unless the LAC requires it
// (RFC 2661, 5.4).
func TestSequencingParameters(t *testing.T) {
	const send, require = "send-sequence", "require-sequence"
	tests := map[string]struct{ lns, lac, wantLNS, wantLAC string }{
		"nothing said":        {"", "", "", ""},
		"LAC requires":        {"", "sequencing_required=yes", send, send + require},
		"LNS requires":        {"sequencing_required=yes", "", send + require, send},
		"LAC sends of itself": {"", "use_sequence_numbers=yes", "", ""},
		"LNS sends of itself": {"use_sequence_numbers=yes", "", send, send},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			profile := func(p string) string {
				if p == "" {
					return ""
				}
				return "session profile modify profile_name=default " + p + "\n"
			}
			inBubble(t, lnsConfig+profile(test.lns), profile(test.lac)+lacConfig,
				func(_ *dataplane.Wire, lns, lac *host) {
					pass(20 * time.Second)
					lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
					for h, want := range map[*host]string{lns: test.wantLNS, lac: test.wantLAC} {
						line := ""
						for l := range strings.Lines(h.fake.String()) {
							if strings.HasPrefix(l, "  session") {
								line = l
							}
						}
						for _, flag := range []string{send, require} {
							if strings.Contains(line, flag) != strings.Contains(want, flag) {
								t.Errorf("%v: %q, want %q", h == lns, line, want)
							}
						}
					}
				})
		})
	}
}

func TestInterfaceNames(t *testing.T) {
	lac := strings.Replace(lacConfig, "session_name=s1",
		"session_name=s1 session_id=9 interface_name=wan%s", 1)
	lac = strings.Replace(lac, "dest_ip", "tunnel_id=5 dest_ip", 1)
	inBubble(t, lnsConfig, lac, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		if got := lac.sessions()[0].Status.Interface; got != "wan9" {
			t.Errorf("interface = %q, want wan9", got)
		}
		s := lns.sessions()[0]
		want := fmt.Sprintf("l2tp%d-%d", s.GetTunnelId(), s.GetSessionId())
		if got := s.Status.Interface; got != want {
			t.Errorf("interface = %q, want %q", got, want)
		}
	})
}

func TestDenyLocalTunnelCreates(t *testing.T) {
	deny := "system modify deny_local_tunnel_creates=yes\n"
	inBubble(t, lnsConfig, deny, func(_ *dataplane.Wire, _, lac *host) {
		_, err := lac.CreateTunnel(context.Background(), &api.Tunnel{DestIpaddr: new("192.0.2.1")})
		if !errors.Is(err, management.ErrRefused) {
			t.Errorf("CreateTunnel: %v, want that it is refused", err)
		}
	})
}

// cdns records the results of the CDNs that pass a wire.
func cdns(w *dataplane.Wire) *[]l2tp.Result {
	seen, mu := new([]l2tp.Result), new(sync.Mutex)
	w.Tap(func(_, _ netip.AddrPort, b []byte) bool {
		h, avps, err := l2tp.ParseHeader(b)
		if err != nil || !h.Control || len(avps) == 0 {
			return true
		}
		if m, err := l2tp.ParseMessage(avps, "tea"); err == nil {
			if cdn, ok := m.(*l2tp.CDN); ok {
				mu.Lock()
				*seen = append(*seen, cdn.Result)
				mu.Unlock()
			}
		}
		return true
	})
	return seen
}

// TestRefusalsSayWhy: the CDN has the code that fits.
func TestRefusalsSayWhy(t *testing.T) {
	const none, administrative = l2tp.CDNNoFacilitiesForNow, l2tp.CDNAdministrative
	tests := map[string]struct {
		lns  string
		lac  string
		want l2tp.ResultCode
	}{
		"max_sessions":     {"system modify max_sessions=1", sessionsConfig(2), none},
		"tunnel's":         {tunnelDefault("max_sessions=1"), sessionsConfig(2), none},
		"no address":       {pppDefault("ip_pool_name=tiny"), sessionsConfig(2), none},
		"no local address": {"ppp profile unset profile_name=default local_ipaddr", sessionsConfig(1), none},
		"wrong password":   {"user modify user_name=alice user_password=x", sessionsConfig(1), administrative},
		"no method":        {pppDefault("auth_pap=no"), only("pap") + sessionsConfig(1), administrative},
		"no network":       {pppDefault("ipv6=no"), pppDefault("ipv4=no") + sessionsConfig(1), l2tp.CDNError},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := lnsConfig + "pool create pool_name=tiny addresses=10.8.0.1\n" + test.lns + "\n"
			inBubble(t, text, "", func(w *dataplane.Wire, lns, lac *host) {
				seen := cdns(w)
				lac.declare(test.lac)
				pass(2 * time.Minute)
				if len(*seen) == 0 || (*seen)[0].Code != test.want {
					t.Fatalf("CDNs = %+v, want the first with code %d", *seen, test.want)
				}
				if r := (*seen)[0]; r.Message == "" || r.Code == l2tp.CDNError && r.Error == 0 {
					t.Errorf("the CDN does not say why: %+v", r)
				}
			})
		})
	}
}

// TestDataPlaneRefusals: what the data plane cannot do is a lack of resources.
func TestDataPlaneRefusals(t *testing.T) {
	for _, op := range []dataplane.Op{dataplane.OpAddSession, dataplane.OpConfigure} {
		t.Run(string(op), func(t *testing.T) {
			inBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
				seen := cdns(w)
				fail(lns, op, 1)
				lac.declare(sessionsConfig(1))
				pass(time.Minute)
				if len(*seen) == 0 || (*seen)[0].Code != l2tp.CDNNoFacilitiesForNow {
					t.Fatalf("CDNs = %+v, want code %d", *seen, l2tp.CDNNoFacilitiesForNow)
				}
				if strings.Contains((*seen)[0].Message, "out of order") {
					t.Errorf("the peer is told of our insides: %+v", (*seen)[0])
				}
			})
		})
	}
}

// TestSessionEstablishTimeout: a session that gets no network in time is ended.
func TestSessionEstablishTimeout(t *testing.T) {
	short := lnsConfig + "system modify session_establish_timeout=10\n"
	inBubble(t, short, "", func(w *dataplane.Wire, lns, lac *host) {
		w.Tap(func(_, _ netip.AddrPort, b []byte) bool { return b[0]&0x80 != 0 }) // no data
		lac.declare(sessionsConfig(1))
		pass(9 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_ESTABLISHED, 1)
		pass(2 * time.Second)
		if n := lns.count.sessions.Load(); n != 0 {
			t.Errorf("%d sessions, want 0", n)
		}
		lns.wantLog("set-up took too long")
		lac.wantLog("ended_by=peer")
	})
}

func TestIdleTimeout(t *testing.T) {
	idle := "tunnel profile modify profile_name=default idle_timeout=30\n"
	inBubble(t, lnsConfig+idle, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(2 * time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if _, err := lac.DeleteSession(context.Background(), lac.sessions()[0], ""); err != nil {
			t.Fatal(err)
		}
		pass(29 * time.Second)
		if n := lns.count.tunnelsEstablished.Load(); n != 1 {
			t.Errorf("%d tunnels after 29 s, want 1", n)
		}
		pass(3 * time.Second)
		if n := lns.count.tunnelsEstablished.Load(); n != 0 {
			t.Errorf("%d tunnels after 32 s, want 0", n)
		}
	})
}

func TestHelloFindsADeadPeer(t *testing.T) {
	hello := "tunnel profile modify profile_name=default hello_timeout=10 max_retries=2\n"
	inBubble(t, lnsConfig+hello, lacConfig, func(w *dataplane.Wire, lns, lac *host) {
		pass(15 * time.Second)
		w.Cut(lacAddr)
		pass(6 * time.Second) // a Hello may have been due at once, and is sent again for 1 + 2 + 4 s
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		pass(14 * time.Second) // or after at most 12 s of silence
		if n := lns.count.tunnels.Load(); n != 0 {
			t.Errorf("%d tunnels, want 0", n)
		}
	})
}

// TestBackOff: waits double up to the longest, and begin anew after success.
func TestBackOff(t *testing.T) {
	lac := "tunnel create tunnel_name=far dest_ipaddr=192.0.2.1 secret=tea persist=yes " +
		"persist_delay=2 persist_max_delay=10\n"
	deny := lnsConfig + "system modify deny_remote_tunnel_creates=yes\n"
	inBubble(t, deny, lac, func(_ *dataplane.Wire, _, lac *host) {
		begin, attempts := time.Now(), []time.Duration{}
		for last := uint64(0); len(attempts) < 6; pass(100 * time.Millisecond) {
			shown, err := lac.ShowTunnel(context.Background(), &api.Tunnel{TunnelName: new("far")})
			if err != nil {
				t.Fatal(err)
			}
			s := shown.Object.(*api.Tunnel)
			if s.Status.Attempts != last {
				last = s.Status.Attempts
				attempts = append(attempts, time.Since(begin).Round(time.Second))
			}
		}
		if got, want := fmt.Sprint(attempts), "[0s 2s 6s 14s 24s 34s]"; got != want {
			t.Errorf("attempts after %s, want %s", got, want)
		}
	})
}

// TestMTUOverIPv6 of a peer that has a name.
func TestMTUOverIPv6(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, _, lac *host) {
		lac.lookUp = func(context.Context, string, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("2001:db8::1")}, nil
		}
		lac.declare("tunnel create tunnel_name=far dest_ipaddr=lns.example\n")
		pass(time.Millisecond)
		for _, s := range lac.shards {
			for d := range s.dialers {
				if got := d.resolved.Parameters.MTU; got != 1440 {
					t.Errorf("MTU = %d, want 1440", got)
				}
			}
		}
	})
}

// TestNoMethodLetsNobodyIn: should a profile that demands authentication by no
// method get past the configuration's checks, the link demands it all the same.
func TestNoMethodLetsNobodyIn(t *testing.T) {
	cfg := pppConfig(config.Session{PPP: config.PPPParameters{AuthPeer: true, IPv4: true}}, true)
	if len(cfg.AuthPeer) == 0 {
		t.Error("the link asks for no authentication")
	}
}
