package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
)

// slowly makes a host's data plane take its time.
func (h *host) slowly(d time.Duration) {
	h.fake.SetHook(func(ctx context.Context, _ dataplane.Op, _ dataplane.SessionKey) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// wantPoliteEnd has the LAC end its tunnel "office", and checks that nothing is left at either end.
func wantPoliteEnd(lns, lac *host) {
	lac.t.Helper()
	if _, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, ""); err != nil {
		lac.t.Fatal(err)
	}
	pass(3 * time.Minute)
	lns.wantClean()
	lac.wantClean()
}

// wantClean checks that nothing is left of any tunnel and session.
func (h *host) wantClean() {
	h.t.Helper()
	h.wantEmpty()
	h.wantOrder(true)
	for what, n := range map[string]int64{
		"tunnels":              h.count.tunnels.Load(),
		"established tunnels":  h.count.tunnelsEstablished.Load(),
		"sessions":             h.count.sessions.Load(),
		"established sessions": h.count.sessionsEstablished.Load(),
		"sessions that are up": h.count.sessionsUp.Load(),
		"sessions in set-up":   h.count.settingUp.Load(),
		"calls of peers":       h.count.askedFor.Load(),
	} {
		if n != 0 {
			h.t.Errorf("%d %s are counted, want 0", n, what)
		}
	}
	if s, err := h.PoolStatus(context.Background(), "home"); err == nil && s.GetAllocated() != 0 {
		h.t.Errorf("%d addresses are allocated, want 0", s.GetAllocated())
	}
	for _, s := range h.shards {
		left, err := ask(context.Background(), s, func() (string, error) { return s.left(), nil })
		if err != nil || left != "" {
			h.t.Errorf("shard %d: %s %v", s.index, left, err)
		}
	}
}

// left says what a shard still holds.
func (s *shard) left() string {
	var left []string
	for what, n := range map[string]int{
		"tunnels": len(s.tunnels), "firsts": len(s.firsts), "half open": s.halfOpen.count,
		"refused": s.refused, "dialers": len(s.dialers), "wanted": len(s.wanted),
		"half open by source": len(s.halfOpen.of), "shares": len(s.askedFor),
		"peers": len(s.engine.registry.peers), "deadlines": len(s.deadlines.entries), "names": len(s.engine.names.by),
	} {
		if n != 0 {
			left = append(left, fmt.Sprintf("%d %s", n, what))
		}
	}
	return strings.Join(left, ", ")
}

// stages are the moments at which the tests here interfere. Over a wire of 10 ms
// with data planes of 20 ms a session is up after half a second.
func stages(f func(d time.Duration)) {
	for d := time.Duration(0); d < 600*time.Millisecond; d += 7 * time.Millisecond {
		f(d)
	}
}

// inSlowMotion makes the wire and the data planes as slow as that.
func inSlowMotion(w *dataplane.Wire, lns, lac *host) {
	w.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
	lns.slowly(20 * time.Millisecond)
	lac.slowly(20 * time.Millisecond)
}

// atEveryStage runs f at every stage of a tunnel's and two sessions' set-up.
// Afterwards nothing may be left.
func atEveryStage(t *testing.T, f func(lns, lac *host)) {
	stages(func(d time.Duration) {
		t.Run(d.String(), func(t *testing.T) {
			inBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
				inSlowMotion(w, lns, lac)
				lac.declare(sessionsConfig(2))
				pass(d)
				f(lns, lac)
				pass(3 * time.Minute)
				lns.wantClean()
				lac.wantClean()
			})
		})
	})
}

func TestDeleteTunnelAtEveryStage(t *testing.T) {
	atEveryStage(t, func(_, lac *host) {
		_, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
		if err != nil {
			lac.t.Fatal(err)
		}
	})
}

func TestDeleteSessionsAtEveryStage(t *testing.T) {
	atEveryStage(t, func(_, lac *host) {
		for _, name := range []string{"s0", "s1"} {
			_, err := lac.DeleteSession(context.Background(),
				&api.Session{TunnelName: new("office"), SessionName: &name}, "")
			if err != nil {
				lac.t.Fatal(err)
			}
		}
		pass(10 * time.Second)
		if n := lac.count.sessions.Load(); n != 0 {
			lac.t.Errorf("%d sessions are left", n)
		}
		lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
	})
}

func TestLNSDeletesAtEveryStage(t *testing.T) {
	atEveryStage(t, func(lns, lac *host) {
		for _, s := range lns.sessions() {
			if _, err := lns.DeleteSession(context.Background(), s, ""); err != nil {
				lac.t.Fatal(err)
			}
		}
		pass(10 * time.Second)
		lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
	})
}

func TestPeerFallsSilentAtEveryStage(t *testing.T) {
	stages(func(d time.Duration) {
		t.Run(d.String(), func(t *testing.T) {
			inBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
				inSlowMotion(w, lns, lac)
				lac.declare(sessionsConfig(2))
				pass(d)
				w.Cut(lacAddr)
				pass(5 * time.Minute)
				lns.wantClean()
				lac.wantClean()
			})
		})
	})
}

// TestShutdownAtEveryStage: either end may be told to stop at any moment.
func TestShutdownAtEveryStage(t *testing.T) {
	for _, which := range []string{"LAC", "LNS", "LAC, silent peer"} {
		stages(func(d time.Duration) {
			t.Run(fmt.Sprintf("%s after %v", which, d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { shutdownAfter(t, which, d) })
			})
		})
	}
}

func shutdownAfter(t *testing.T, which string, d time.Duration) {
	w := dataplane.NewWire()
	w.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
	lns, lac := newHost(t, w, lnsAddr, lnsConfig), newHost(t, w, lacAddr, "")
	lns.slowly(20 * time.Millisecond)
	lac.slowly(20 * time.Millisecond)
	lac.declare(sessionsConfig(2))
	pass(d)
	first, second, limit := lac, lns, time.Second
	switch which {
	case "LNS":
		first, second = lns, lac
	case "LAC, silent peer":
		w.Cut(lnsAddr)
		limit = 11 * time.Second
	}
	begin := time.Now()
	first.stop()
	if took := time.Since(begin); took > limit {
		t.Errorf("Shutdown took %v, want at most %v", took, limit)
	}
	pass(5 * time.Minute)
	second.wantClean()
	second.stop()
}

// TestDataPlaneFails: whatever operation fails, for ever or for a while, nothing
// is left, and the other end is told or finds out.
func TestDataPlaneFails(t *testing.T) {
	ops := []dataplane.Op{
		dataplane.OpOpenTunnel, dataplane.OpReconnect, dataplane.OpAttach, dataplane.OpAddSession,
		dataplane.OpConfigure, dataplane.OpModify, dataplane.OpDetach, dataplane.OpCloseSession,
	}
	for _, op := range ops {
		for _, where := range []string{"LAC", "LNS"} {
			for times := 1; times <= 100; times += 33 {
				t.Run(fmt.Sprintf("%s at the %s %d times", op, where, times), func(t *testing.T) {
					inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
						broken := lac
						if where == "LNS" {
							broken = lns
						}
						fail(broken, op, times)
						lac.declare(strings.Replace(sessionsConfig(2), "dest", "persist=yes dest", 1))
						pass(2 * time.Minute)
						if times == 1 {
							lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
						}
						wantPoliteEnd(lns, lac)
					})
				})
			}
		}
	}
}

// fail makes an operation fail some times.
func fail(h *host, op dataplane.Op, times int) {
	var done atomic.Int64
	h.fake.SetHook(func(_ context.Context, o dataplane.Op, _ dataplane.SessionKey) error {
		if o != op || done.Add(1) > int64(times) {
			return nil
		}
		return errors.New("out of order")
	})
}

func TestSessionLostComesBack(t *testing.T) {
	inBubble(t, lnsConfig, persistConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		for _, h := range []*host{lac, lns} {
			inventory, err := h.fake.Inventory(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			h.fake.Lose(inventory.Sessions[0], errors.New("somebody deleted it"))
			pass(10 * time.Second)
			h.wantLog("somebody deleted it")
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		}
	})
}
