package engine

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// perTunnel are the sessions of a tunnel called office, and the user of all of them.
func perTunnel(n int, more string) string {
	return strings.Replace(sessionsConfig(n), "dest_ipaddr=192.0.2.1", "dest_ipaddr=192.0.2.1"+more, 1)
}

// manyLNS is an LNS with addresses for thousands.
const manyLNS = `
user create user_name=alice user_password=wonderland
pool create pool_name=home addresses=10.9.0.0/16 reserved=10.9.0.1
ppp profile modify profile_name=default local_ipaddr=10.9.0.1 ip_pool_name=home
tunnel profile modify profile_name=default secret=tea auth_mode=challenge rx_window_size=1000
`

// TestGreedyPeer: a peer that asks for more calls than the kernel takes is refused, for
// now, when as many are in set-up for it as are left for others, who get theirs.
func TestGreedyPeer(t *testing.T) {
	inBubble(t, manyLNS, perTunnel(1, ""), func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lns.credit = 100
		lns.slowly(2 * time.Second)
		greedy := newScriptFrom(t, w, &l2tp.Config{
			HostName: "greedy", SendWindow: 1000, Secret: "tea"}, "192.0.2.9:1701")
		for range 300 {
			greedy.call()
		}
		greedy.settle(8 * time.Second)
		refused := 0
		for id, r := range greedy.down {
			if r.Code != l2tp.CDNNoFacilitiesForNow {
				t.Errorf("call %d was refused with %v, want that there are no facilities for now", id, r)
			}
			refused++
		}
		if refused != 250 {
			t.Errorf("%d calls were refused, want all but half of 100", refused)
		}
		if n := lns.statistics().TooManyCalls; n != 250 {
			t.Errorf("%d calls were too many, want 250", n)
		}
		more := newHost(t, w, lateAddr, perTunnel(20, ""))
		defer more.stop()
		greedy.settle(20 * time.Second)
		more.wantSessions(api.SessionState_SESSION_STATE_UP, 20)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if n := strings.Count(lns.logs.String(), "session refused"); n > 40 {
			t.Errorf("%d lines say that a session was refused, want some", n)
		}
		greedy.step(l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopGeneral}})
		greedy.settle(10 * time.Second)
		if n := lns.count.settingUp.Load(); n != 0 {
			t.Errorf("%d sessions are in set-up, want none", n)
		}
	})
}

// TestSlowKernel: where the kernel is slower than peers wait, new calls are refused at
// once, those that waited too long are not made, and when it is fast again all is well.
func TestSlowKernel(t *testing.T) {
	inBubble(t, manyLNS, "", func(_ *dataplane.Wire, lns, lac *host) {
		var pace atomic.Int64
		pace.Store(int64(8 * time.Second))
		lns.workers.limit = 16 // 2 sessions a second
		var made atomic.Int64
		lns.fake.SetHook(func(ctx context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				made.Add(1)
				time.Sleep(time.Duration(pace.Load()))
			}
			return nil
		})
		lac.declare(perTunnel(200, " persist=yes"))
		pass(6 * time.Second)
		if _, err := lac.CreateSession(context.Background(), &api.Session{
			TunnelName: new("office"), SessionName: new("late"),
			UserName: new("alice"), UserPassword: new("wonderland")}); err != nil {
			t.Fatal(err)
		}
		pass(500 * time.Millisecond)
		st := lns.statistics()
		if st.CallsTooLate != 1 {
			t.Errorf("%d calls were refused since it is too busy, want that one", st.CallsTooLate)
		}
		pass(10 * time.Second) // the third wave of 16 would have waited for 16 s
		if st = lns.statistics(); st.CallsTooLate < 168 || made.Load() != 32 {
			t.Errorf("%d calls were given up, %d sessions made; want 32 of 200 made",
				st.CallsTooLate, made.Load())
		}
		if st.KernelErrors != 0 {
			t.Errorf("%d kernel errors are counted, want none", st.KernelErrors)
		}
		pace.Store(int64(time.Millisecond))
		pass(3 * time.Minute)
		lac.wantCarried(201)
	})
}

// wantCarried checks how many sessions carry a network.
func (h *host) wantCarried(want int64) {
	h.t.Helper()
	if n := h.count.sessionsUp.Load(); n != want {
		h.t.Errorf("%d sessions are up, want %d", n, want)
	}
}

// TestReconnectStorm: a LAC with many sessions dies and is back at once, before and
// after it is found to be dead. All come up again, and another LAC's sessions do not
// notice, also those that it begins meanwhile.
func TestReconnectStorm(t *testing.T) {
	const many, few = 2000, 300
	for name, away := range map[string]time.Duration{"at once": 0, "later": 3 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, manyLNS, perTunnel(few, ""), func(w *dataplane.Wire, lns, lac *host) {
				lns.fake.SetHook(stormKernel)
				dying := newHost(t, w, lateAddr, perTunnel(many, " persist=yes"))
				pass(time.Minute)
				lns.wantCarried(many + few)
				w.Cut(lateAddr)
				dying.stop()
				pass(away)
				w.Mend(lateAddr)
				back := newHost(t, w, lateAddr, perTunnel(many, " persist=yes"))
				defer back.stop()
				begin := time.Now()
				lac.declare("session create tunnel_name=office session_name=new " +
					"user_name=alice user_password=wonderland\n")
				pass(10 * time.Second)
				lac.wantCarried(few + 1)
				for back.count.sessionsUp.Load() < many && time.Since(begin) < 5*time.Minute {
					pass(time.Second)
				}
				t.Logf("%d sessions are up again after %v", many, time.Since(begin))
				back.wantCarried(many)
				pass(3 * time.Minute)
				lns.wantCarried(many + few + 1)
				back.wantCarried(many)
				if st := lac.statistics(); st.SessionsUp != few+1 {
					t.Errorf("sessions of the other LAC came up %d times, want %d", st.SessionsUp, few+1)
				}
			})
		})
	}
}

// stormKernel takes as long as a kernel with RCU grace periods.
func stormKernel(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
	switch op {
	case dataplane.OpCloseSession:
		time.Sleep(500 * time.Millisecond)
	case dataplane.OpAddSession, dataplane.OpConfigure:
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// TestWorkersTakeTurns: teardown does not hold up set-up nor the other way round, and
// what has begun goes before new calls.
func TestWorkersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &workers{limit: 1}
		hold := make(chan struct{})
		w.run(forSetup, func() { <-hold })
		var order strings.Builder
		for i := range 3 {
			for u, name := range map[urgency]string{forNewCall: "n", forSetup: "s", forTeardown: "t"} {
				w.run(u, func() { fmt.Fprint(&order, name, i, " ") })
			}
		}
		pass(3 * time.Second)
		if d := w.delay(time.Now()); d != 3*time.Second {
			t.Errorf("new calls wait for %v, want 3 s", d)
		}
		close(hold)
		w.wait()
		if got, want := order.String(), "s0 t0 s1 t1 s2 t2 n0 n1 n2 "; got != want {
			t.Errorf("the jobs ran as %s, want %s", got, want)
		}
		if d := w.delay(time.Now()); d != 0 {
			t.Errorf("new calls wait for %v, want that none waits", d)
		}
	})
}

// TestFloodAndRestart: a process that dies in a flood leaves nothing of strangers, and the
// next one knows the peers whose tunnels it takes over.
func TestFloodAndRestart(t *testing.T) {
	inMortalBubble(t, lnsConfig, lacConfig, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		s := newStranger(w)
		s.send(100*time.Millisecond, 50000, s.anywhere)
		if n := lns.count.halfOpen.Load(); n < 1000 {
			t.Fatalf("%d tunnels are half open, want 2000", n)
		}
		lns.restart(time.Second, nil)
		if n, all := lns.count.halfOpen.Load(), lns.count.tunnels.Load(); n != 0 || all != 1 {
			t.Errorf("%d tunnels, %d of them half open, want that of the LAC", all, n)
		}
		s.send(100*time.Millisecond, 50000, s.anywhere)
		lac.declare("tunnel create tunnel_name=more dest_ipaddr=192.0.2.1\n" +
			"session create tunnel_name=more user_name=alice user_password=wonderland\n")
		pass(500 * time.Millisecond)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}
