package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// sessionsConfig is that of a client with n sessions in one tunnel.
func sessionsConfig(n int) string {
	var b strings.Builder
	b.WriteString("tunnel profile modify profile_name=default secret=tea\n" +
		"tunnel create tunnel_name=office dest_ipaddr=192.0.2.1\n")
	for i := range n {
		fmt.Fprintf(&b, "session create tunnel_name=office session_name=s%d "+
			"user_name=alice user_password=wonderland\n", i)
	}
	return b.String()
}

func TestFaultEndsOneSessionOnly(t *testing.T) {
	inBubble(t, lnsConfig, sessionsConfig(3), func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
		struck := lns.sessions()[1]
		id := dataplane.SessionKey{
			Tunnel:  l2tp.TunnelID(struck.GetTunnelId()),
			Session: l2tp.SessionID(struck.GetSessionId()),
		}
		shard := lns.shardOf(id.Tunnel)
		shard.mail.post(func() { shard.session(id).path = nil }) // a fault of ours
		pass(2 * time.Minute)                                    // an echo trips over it
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		if !strings.Contains(lns.logs.String(), "INTERNAL FAULT") {
			t.Error("the fault was not logged")
		}
	})
}

func TestLimits(t *testing.T) {
	tests := map[string]struct {
		lns  string
		want int
	}{
		"sessions in all":     {"system modify max_sessions=2", 2},
		"sessions in tunnel":  {"tunnel profile modify profile_name=default max_sessions=2", 2},
		"no tunnels of peers": {"system modify deny_remote_tunnel_creates=yes", 0},
		"drain":               {"system modify drain_tunnels=yes", 0},
		"addresses":           {"ppp profile modify profile_name=default ip_pool_name=tiny", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := lnsConfig + "pool create pool_name=tiny addresses=10.8.0.1\n" + test.lns + "\n"
			inBubble(t, text, sessionsConfig(3), func(_ *dataplane.Wire, lns, _ *host) {
				pass(10 * time.Second)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, test.want)
			})
		})
	}
}

// TestOverloadRefusesNewCallsOnly: with a kernel that never answers, calls beyond a
// peer's share of the credit (3 of 5: then as many are left) are refused and the session that is up stays.
func TestOverloadRefusesNewCallsOnly(t *testing.T) {
	inBubble(t, lnsConfig, sessionsConfig(1), func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lns.credit = 5
		stuck := make(chan struct{})
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				<-stuck
			}
			return nil
		})
		for i := range 20 {
			_, err := lac.CreateSession(context.Background(), &api.Session{
				TunnelName: new("office"), SessionName: new(fmt.Sprint("more", i)),
				UserName: new("alice"), UserPassword: new("wonderland"),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		if got := lns.count.sessionsRefused.Load(); got != 17 {
			t.Errorf("%d sessions were refused, want 17", got)
		}
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		close(stuck)
		pass(10 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 4)
	})
}

func TestPeerProfileByName(t *testing.T) {
	text := lnsConfig + `
tunnel profile modify profile_name=default auth_mode=simple
tunnel profile create profile_name=known auth_mode=simple secret=tea
peer profile create profile_name=branch tunnel_profile_name=known
`
	for hostName, want := range map[string]int{"branch": 1, "stranger": 0} {
		t.Run(hostName, func(t *testing.T) {
			lac := strings.Replace(lacConfig, "secret=tea", "secret=tea host_name="+hostName, 1)
			inBubble(t, text, lac, func(_ *dataplane.Wire, lns, _ *host) {
				pass(5 * time.Second)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, want)
			})
		})
	}
}

// TestChallengeWithoutSecret: a profile that would have peers prove themselves by a
// secret that it does not have lets none in.
func TestChallengeWithoutSecret(t *testing.T) {
	for mode, want := range map[string]int{"none": 1, "challenge": 0} {
		t.Run(mode, func(t *testing.T) {
			text := lnsConfig + "peer profile create profile_name=branch tunnel_profile_name=bare\n" +
				"tunnel profile create profile_name=bare secret=\"\" auth_mode=" + mode
			lac := strings.Replace(lacConfig, "secret=tea", "host_name=branch", 1)
			inBubble(t, text, lac, func(_ *dataplane.Wire, lns, _ *host) {
				pass(5 * time.Second)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, want)
			})
		})
	}
}

// TestPeerAnswersFromAnotherPort: an LNS may answer an SCCRQ from a port of
// its choice, and the LAC must follow (RFC 2661, 8.1).
func TestPeerAnswersFromAnotherPort(t *testing.T) {
	for _, port := range []string{"1701", "0"} {
		t.Run("LAC from port "+port, func(t *testing.T) {
			ephemeral := lnsConfig + "tunnel profile modify profile_name=default our_udp_port=0\n"
			lac := strings.Replace(lacConfig, "secret=tea", "secret=tea our_udp_port="+port, 1)
			inBubble(t, ephemeral, lac, func(_ *dataplane.Wire, lns, lac *host) {
				pass(5 * time.Second)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
				tunnel, err := lac.ShowTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")})
				if err != nil {
					t.Fatal(err)
				}
				if tunnel.Object.(*api.Tunnel).Status.PeerAddress == "192.0.2.1:1701" {
					t.Error("the LNS answered from port 1701: nothing was followed")
				}
			})
		})
	}
}

func TestSeveralTunnelsBetweenTheSameHosts(t *testing.T) {
	var lac strings.Builder
	lac.WriteString("tunnel profile modify profile_name=default secret=tea\n")
	for i := range 3 {
		fmt.Fprintf(&lac, "tunnel create tunnel_name=t%d dest_ipaddr=192.0.2.1\n", i)
		for j := range 2 {
			fmt.Fprintf(&lac, "session create tunnel_name=t%d session_name=s%d "+
				"user_name=alice user_password=wonderland\n", i, j)
		}
	}
	inBubble(t, lnsConfig, lac.String(), func(_ *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 6)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 6)
	})
}

// TestTie: two hosts open a tunnel to each other at once, with tie breakers; one tunnel
// remains, on whatever shards the two are.
func TestTie(t *testing.T) {
	for _, ids := range []string{"", "tunnel_id=4 ", "tunnel_id=5 "} {
		t.Run(ids, func(t *testing.T) {
			both := "tunnel profile modify profile_name=default use_tiebreaker=yes\n" +
				"tunnel create tunnel_name=out " + ids + "dest_ipaddr="
			synctest.Test(t, func(t *testing.T) {
				w := dataplane.NewWire()
				w.Impair(1, dataplane.Conditions{Delay: 100 * time.Millisecond})
				a := newHost(t, w, lnsAddr, both+lacAddr.String())
				b := newHost(t, w, lacAddr, both+lnsAddr.String())
				defer a.stop()
				defer b.stop()
				pass(10 * time.Second)
				for _, h := range []*host{a, b} {
					if n := h.count.tunnelsEstablished.Load(); n != 1 {
						t.Errorf("%d tunnels are established, want 1", n)
					}
				}
				pass(time.Minute)
				if len(a.ties.by)+len(b.ties.by) > 0 {
					t.Error("ties are left")
				}
			})
		})
	}
}

func TestOutgoingCall(t *testing.T) {
	// The one who opens the tunnel is the LNS here, and asks the LAC to call.
	caller := `
pool create pool_name=home addresses=10.9.0.0/24 reserved=10.9.0.1
ppp profile modify profile_name=default local_ipaddr=10.9.0.1 ip_pool_name=home auth_none=yes remote_ipaddr=10.9.0.7
tunnel create tunnel_name=pop dest_ipaddr=192.0.2.2
session create tunnel_name=pop session_name=out session_type=lnoc called_number=5551234
`
	called := "ppp profile modify profile_name=default auth_none=yes local_ipaddr=10.9.0.7 remote_ipaddr=10.9.0.1\n"
	inBubble(t, caller, called, func(_ *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if got := lac.sessions()[0].Status.Type; got != api.SessionType_SESSION_TYPE_LAOC {
			t.Errorf("the LAC's session is %v, want laoc", got)
		}
	})
}

func TestBackendRefuses(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		ctx := context.Background()
		incoming := &api.Tunnel{TunnelId: lns.sessions()[0].TunnelId}
		first := lac.sessions()[0].SessionId
		other := &api.Session{TunnelName: new("office"), SessionName: new("other"),
			UserName: new("alice"), UserPassword: new("wonderland")}
		if _, err := lac.CreateSession(ctx, other); err != nil {
			t.Fatal(err)
		}
		tests := map[string]struct {
			do   func() error
			want error
		}{
			"tunnel name taken": {func() error {
				_, err := lac.CreateTunnel(ctx, &api.Tunnel{
					TunnelName: new("office"), DestIpaddr: new("192.0.2.9")})
				return err
			}, management.ErrExists},
			"session name taken": {func() error {
				_, err := lac.CreateSession(ctx, &api.Session{
					TunnelName: new("office"), SessionName: new("s1")})
				return err
			}, management.ErrExists},
			"no such tunnel": {func() error {
				_, err := lac.ShowTunnel(ctx, &api.Tunnel{TunnelName: new("home")})
				return err
			}, management.ErrNotFound},
			"no such session": {func() error {
				_, err := lac.DeleteSession(ctx, &api.Session{
					TunnelName: new("office"), SessionName: new("s2")}, "")
				return err
			}, management.ErrNotFound},
			"the peer's tunnel cannot persist": {func() error {
				_, err := lns.ModifyTunnel(ctx, &api.Tunnel{TunnelId: incoming.TunnelId,
					Parameters: &api.TunnelParameters{Persist: new(true)}}, nil)
				return err
			}, management.ErrRefused},
			"rename to a name taken": {func() error {
				_, err := lac.ModifySession(ctx, &api.Session{TunnelName: new("office"),
					SessionId: first, SessionName: new("other")}, nil)
				return err
			}, management.ErrExists},
		}
		for name, test := range tests {
			if err := test.do(); !errors.Is(err, test.want) {
				t.Errorf("%s: error %v, want %v", name, err, test.want)
			}
		}
		pass(time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}

func TestModifyReachesTheInterface(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, _, lac *host) {
		pass(time.Second)
		change := &api.Tunnel{TunnelName: new("office"),
			Parameters: &api.TunnelParameters{Mtu: new(uint32(1300))}}
		if _, err := lac.ModifyTunnel(context.Background(), change, nil); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if text := lac.fake.String(); !strings.Contains(text, "1300") {
			t.Errorf("no interface has MTU 1300:\n%s", text)
		}
	})
}

// TestListsComeInPages: every tunnel and session is listed once, whatever the
// size of the page.
func TestListsComeInPages(t *testing.T) {
	inBubble(t, lnsConfig, sessionsConfig(7), func(_ *dataplane.Wire, lns, _ *host) {
		pass(time.Second)
		seen := make(map[uint32]bool)
		var page management.Page
		for page.Limit = 3; ; {
			list, err := lns.ListSessions(context.Background(), nil, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				seen[s.GetSessionId()] = true
				page.AfterTunnel = uint16(s.GetTunnelId())
				page.AfterSession = uint16(s.GetSessionId())
			}
			if len(list) < page.Limit {
				break
			}
		}
		if len(seen) != 7 {
			t.Errorf("%d sessions were listed, want 7", len(seen))
		}
	})
}

// TestGarbageChangesNothing: what is not L2TP, or for nobody, or from somebody
// else, is counted and ends nothing.
func TestGarbageChangesNothing(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(w *dataplane.Wire, lns, _ *host) {
		pass(time.Second)
		stranger := netip.MustParseAddrPort("203.0.113.5:1701")
		target := netip.AddrPortFrom(lnsAddr, 1701)
		id := uint16(lns.sessions()[0].GetTunnelId())
		for _, b := range [][]byte{
			{}, {0xc8}, []byte("GET / HTTP/1.0\r\n\r\n"),
			{0xc8, 2, 0, 12, byte(id >> 8), byte(id), 0, 0, 0, 0, 0, 0},
			{0xc8, 2, 0, 20, byte(id >> 8), byte(id), 0, 0, 0, 2, 0, 2, 0x80, 8, 0, 0, 0, 0, 0, 4},
			{0, 2, byte(id >> 8), byte(id), 0, 1, 0xff, 3, 0xc0, 0x21, 5, 1, 0, 4},
		} {
			w.Send(stranger, target, b)
		}
		pass(2 * time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		st, err := lns.SystemStatus(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		n := st.GetStatistics()
		if n.RxShortPackets != 2 || n.RxWrongVersion != 1 || n.RxUnknownTunnel != 2 ||
			n.RxUnknownSession != 1 || n.RxBadPackets != 6 {
			t.Errorf("counted: %v", n)
		}
	})
}
