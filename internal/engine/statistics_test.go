package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
)

func (h *host) statistics() *api.Statistics {
	h.t.Helper()
	st, err := h.SystemStatus(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return st.Statistics
}

// messages are the counts of one type.
func messagesOf(st *api.Statistics, name string) *api.MessageCount {
	i := slices.IndexFunc(st.Messages, func(m *api.MessageCount) bool { return m.Type == name })
	if i < 0 {
		return &api.MessageCount{}
	}
	return st.Messages[i]
}

// TestSetUpTimesOfASlowHost: what the data plane takes to make the interface, and then to
// open it, counts.
func TestSetUpTimesOfASlowHost(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpConfigure {
				time.Sleep(2 * time.Second)
			}
			return nil
		})
		lac.declare(sessionsConfig(1))
		pass(20 * time.Second)
		if _, count, sum := lns.SetUpTimes(); count != 1 || sum < 4 {
			t.Errorf("set-up times: %d of %.1f s, want one of 4 s and more", count, sum)
		}
	})
}

func TestStatisticsOfASession(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
		pass(5 * time.Minute) // nothing is left: what was counted is still there
		lns.wantClean()
		want := &api.Statistics{TunnelsCreated: 1, TunnelsEstablished: 1, SessionsCreated: 1,
			SessionsEstablished: 1, SessionsUp: 1, PppAuthSuccesses: 1}
		got := lns.statistics()
		for _, name := range []string{"SCCRQ", "SCCCN", "ICRQ", "ICCN", "CDN", "StopCCN"} {
			if m := messagesOf(got, name); m.Rx != 1 || m.Tx != 0 {
				t.Errorf("%s: %d received and %d sent, want 1 and 0", name, m.Rx, m.Tx)
			}
		}
		got.Messages, got.RxZlb, got.TxZlb = nil, 0, 0
		if !proto.Equal(got, want) {
			t.Errorf("statistics are\n%v, want\n%v", got, want)
		}
		upTo, count, _ := lns.SetUpTimes()
		if count != 1 || upTo[5] != 1 {
			t.Errorf("set-up times: %v, %d, want one", upTo, count)
		}
		if e := lns.SessionEndings(); len(e) != 1 || e[0].By != "peer" || e[0].Count != 1 {
			t.Errorf("sessions have ended by %+v, want one by the peer", e)
		}

		if err := lns.ResetStatistics(context.Background()); err != nil {
			t.Fatal(err)
		}
		got = lns.statistics()
		if got.TunnelsCreated != 0 || messagesOf(got, "SCCRQ").Rx != 0 {
			t.Errorf("after a reset statistics are %v", got)
		}
		if total, _ := lns.Statistics(context.Background()); total.TunnelsCreated != 1 {
			t.Errorf("since the start %d tunnels are counted, want 1", total.TunnelsCreated)
		}
	})
}

// TestStatisticsOfFailures: each failure is counted where an operator looks for it.
func TestStatisticsOfFailures(t *testing.T) {
	for name, c := range map[string]struct {
		lns, lac string
		count    func(*api.Statistics) uint64 // at the LNS
	}{
		"wrong secret": {lnsConfig, strings.Replace(lacConfig, "secret=tea", "secret=coffee", 1),
			(*api.Statistics).GetTunnelAuthFailures},
		"wrong password": {lnsConfig, strings.Replace(lacConfig, "=wonderland", "=nowhere", 1),
			(*api.Statistics).GetPppAuthFailures},
		"no address": {strings.Replace(lnsConfig, "10.9.0.0/24", "10.9.0.1", 1), lacConfig,
			(*api.Statistics).GetNoAddress},
		"drained": {lnsConfig + "system modify drain_tunnels=yes\n", lacConfig,
			(*api.Statistics).GetTunnelsRefused},
		"max_sessions of the system": {lnsConfig + "system modify max_sessions=1\n", sessionsConfig(2),
			(*api.Statistics).GetTooManySessions},
		"max_sessions of a tunnel": {lnsConfig +
			"tunnel profile modify profile_name=default max_sessions=1\n", sessionsConfig(2),
			(*api.Statistics).GetTooManySessions},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, c.lns, c.lac, func(_ *dataplane.Wire, lns, lac *host) {
				pass(time.Minute)
				if n := c.count(lns.statistics()); n == 0 {
					t.Errorf("it is not counted: %v", lns.statistics())
				}
			})
		})
	}
}

// What the path takes no more is counted where it was to be sent.
func TestStatisticsOfFailedSends(t *testing.T) {
	lac := "tunnel profile modify profile_name=default do_pmtu_discovery=yes\n" + sessionsConfig(1)
	inBubble(t, lnsConfig, lac, func(w *dataplane.Wire, _, lac *host) {
		pass(time.Second)
		if n := lac.statistics().SendFailures; n != 0 {
			t.Errorf("%d messages could not be sent while all was well", n)
		}
		w.Narrow(30) // shorter than any control message
		pass(5 * time.Minute)
		if n := lac.statistics().SendFailures; n == 0 {
			t.Error("no failed send is counted")
		}
	})
}

func TestStatisticsOfSilence(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		w.Cut(lacAddr)
		pass(5 * time.Minute)
		if st := lns.statistics(); st.TunnelsLost != 1 || st.Retransmits == 0 {
			t.Errorf("%d tunnels lost after %d retransmissions, want 1 after some",
				st.TunnelsLost, st.Retransmits)
		}
	})
}

// TestStatisticsOfStrangers: no tunnel is said to be lost whose peer was perhaps never there,
// whether it gave way or its time was over.
func TestStatisticsOfStrangers(t *testing.T) {
	inFlood(t, "system modify max_half_open_tunnels=16\n", func(s *stranger, lns, _ *host) {
		for range 10 {
			s.oneByOne(lns, 4, s.anywhere)
			pass(1100 * time.Millisecond)
		}
		pass(5 * time.Minute)
		st := lns.statistics()
		if st.TunnelsFailed != 40 || st.HalfOpenTunnelsEvicted < 10 || st.HalfOpenTunnelsEvicted > 30 {
			t.Fatalf("%d tunnels failed, of which %d gave way; want 40 and some",
				st.TunnelsFailed, st.HalfOpenTunnelsEvicted)
		}
		if st.TunnelsLost != 0 {
			t.Errorf("%d tunnels are counted as lost, want none", st.TunnelsLost)
		}
		ended := make(map[string]uint64)
		for _, end := range lns.TunnelEndings() {
			ended[end.By] += end.Count
		}
		if ended["local"] != st.HalfOpenTunnelsEvicted {
			t.Errorf("ended by whom: %v, want %d by us, which gave way", ended, st.HalfOpenTunnelsEvicted)
		}
	})
}

func TestPeersAndUsers(t *testing.T) {
	inBubble(t, lnsConfig, sessionsConfig(3), func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		peers, err := lns.ListPeers(context.Background())
		if err != nil || len(peers) != 1 {
			t.Fatalf("ListPeers = %v, %v, want one", peers, err)
		}
		if p := peers[0]; p.GetPeerIpaddr() != lacAddr.String() ||
			p.GetLocalIpaddr() != lnsAddr.String() || p.Status.Tunnels != 1 ||
			p.Status.Sessions != 3 || p.Status.HostName != "host-192.0.2.2" {
			t.Errorf("the peer is %v", p)
		}
		for _, h := range []*host{lns, lac} {
			var seen []*api.User
			page := management.Page{Limit: 2}
			for range 5 {
				users, err := h.ListUsers(context.Background(), page)
				if err != nil {
					t.Fatal(err)
				}
				if seen = append(seen, users...); len(users) < page.Limit {
					break
				}
				last := users[len(users)-1].Status
				page.AfterTunnel, page.AfterSession = uint16(last.TunnelId), uint16(last.SessionId)
			}
			if len(seen) != 3 {
				t.Fatalf("%d users are listed, want 3: %v", len(seen), seen)
			}
			for _, u := range seen {
				if u.GetUserName() != "alice" || u.Status.CreatedByPeer != (h == lns) ||
					!strings.HasPrefix(u.Status.PeerIpv4, "10.9.0.") {
					t.Errorf("a user is %v", u)
				}
			}
		}
	})
}

// TestRequestsOfAStoppedEngine: they fail at once, rather than wait for a loop that has
// ended.
func TestRequestsOfAStoppedEngine(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		lac.stop()
		if _, err := lac.SystemStatus(context.Background()); err == nil {
			t.Error("a stopped engine answers")
		}
	})
}

// TestMessagesAreCounted: by their types, those sent again each time, and calls that
// the core turns down by itself.
func TestMessagesAreCounted(t *testing.T) {
	text := lnsConfig + "tunnel profile modify profile_name=default max_sessions=1\n"
	inBubble(t, text, "", func(w *dataplane.Wire, lns, lac *host) {
		w.Cut(lnsAddr)
		lac.declare(sessionsConfig(2))
		pass(1500 * time.Millisecond)
		w.Mend(lnsAddr)
		pass(10 * time.Second)
		for _, want := range []struct {
			h    *host
			name string
			sent uint64
		}{
			{lac, "SCCRQ", 3}, {lac, "ICRQ", 2}, {lns, "SCCRP", 1}, {lns, "CDN", 1},
		} {
			for _, m := range want.h.statistics().Messages {
				if m.Type == want.name && (m.Tx != want.sent || m.Rx != 0) {
					t.Errorf("%s: sent %d, received %d; want %d, 0", m.Type, m.Tx, m.Rx, want.sent)
				}
			}
		}
		if n := lns.statistics().SessionsRefused; n != 1 {
			t.Errorf("%d sessions were refused, want 1", n)
		}
	})
}

// TestSubtract: counters that were set to zero while they were read are zero, and not
// what comes below it.
func TestSubtract(t *testing.T) {
	counted := func(created, sent uint64) *api.Statistics {
		return &api.Statistics{TunnelsCreated: created,
			Messages: []*api.MessageCount{{Type: "HELLO", Tx: sent}}}
	}
	for _, test := range []struct{ got, base, want *api.Statistics }{
		{counted(9, 5), counted(4, 5), counted(5, 0)},
		{counted(4, 4), counted(9, 5), counted(0, 0)},
	} {
		subtract(test.got.ProtoReflect(), test.base.ProtoReflect())
		if !proto.Equal(test.got, test.want) {
			t.Errorf("%v is left, want %v", test.got, test.want)
		}
	}
}
