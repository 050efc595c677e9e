package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
)

// inTurns runs f with a LAC that was asked for many calls at once, and an LNS whose kernel
// takes none of them until it is released.
func inTurns(t *testing.T, many int, f func(lns, lac *host, release func())) {
	inMortalBubble(t, manyLNS, "", func(_ *dataplane.Wire, lns, lac *host) {
		var free atomic.Bool
		stuck := make(chan struct{})
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession && !free.Load() {
				<-stuck
			}
			return nil
		})
		lac.declare(perTunnel(many, " persist=yes"))
		pass(4 * time.Second)
		release := sync.OnceFunc(func() {
			free.Store(true)
			close(stuck)
		})
		defer release()
		f(lns, lac, release)
	})
}

// wantPlaced checks how many calls the LAC has in set-up, and how many wait for that.
func (h *host) wantPlaced(placed, waiting int) {
	h.t.Helper()
	got, others := 0, 0
	for _, s := range h.shards {
		n, err := ask(context.Background(), s, func() (n [2]int, _ error) {
			for _, t := range s.tunnels {
				n[0], n[1] = n[0]+t.placing.inSetUp, n[1]+len(t.placing.waiting)
			}
			return n, nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
		got, others = got+n[0], others+n[1]
	}
	if got != placed || others != waiting {
		h.t.Errorf("%d calls are in set-up and %d wait, want %d and %d", got, others, placed, waiting)
	}
}

// TestCallsInTurns: of many calls of ours some are in set-up at once, and each is placed
// once, in the order in which they were asked for.
func TestCallsInTurns(t *testing.T) {
	const many = 1000
	inTurns(t, many, func(lns, lac *host, release func()) {
		lac.wantPlaced(maxPlaced, many-maxPlaced)
		if n := lns.count.sessions.Load(); n != maxPlaced {
			t.Errorf("the LNS was asked for %d calls, want %d", n, maxPlaced)
		}
		lac.listAll(many)
		placed := make(map[string]bool)
		for page := (management.Page{Limit: many}); len(placed) < maxPlaced; {
			list, err := lac.ListSessions(context.Background(), nil, page)
			if err != nil || len(list) == 0 {
				t.Fatal("not all that are placed are listed:", err)
			}
			for _, s := range list {
				placed[s.GetSessionName()] = s.Status.Attempts == 1
			}
			page = page.AfterSessions(list)
		}
		for i := range many {
			if name := fmt.Sprint("s", i); placed[name] != (i < maxPlaced) {
				t.Fatalf("call %s is placed: %v", name, placed[name])
			}
		}
		release()
		pass(time.Minute)
		lac.wantCarried(many)
		lac.wantPlaced(0, 0)
		if n := lac.count.sessionsCreated.Load(); n != many {
			t.Errorf("calls were placed %d times, want each of %d once", n, many)
		}
	})
}

// TestCallsDeletedBeforeTheirTurn: a call that is deleted while it waits is not placed.
func TestCallsDeletedBeforeTheirTurn(t *testing.T) {
	const many, deleted = 400, 100
	inTurns(t, many, func(lns, lac *host, release func()) {
		for i := range deleted {
			_, err := lac.DeleteSession(context.Background(), &api.Session{TunnelName: new("office"),
				SessionName: new(fmt.Sprint("s", maxPlaced+i))}, "")
			if err != nil {
				t.Fatal(err)
			}
		}
		lac.wantPlaced(maxPlaced, many-maxPlaced-deleted)
		release()
		pass(time.Minute)
		lac.wantCarried(many - deleted)
	})
}

// TestCallsWaitForTheNextTunnel: calls that wait for their turn when the tunnel ends are
// placed in the next one.
func TestCallsWaitForTheNextTunnel(t *testing.T) {
	const many = 400
	inTurns(t, many, func(lns, lac *host, release func()) {
		if _, err := lns.DeleteTunnel(context.Background(), &api.Tunnel{
			TunnelId: lns.sessions()[0].TunnelId}, ""); err != nil {
			t.Fatal(err)
		}
		release()
		pass(time.Minute)
		lac.wantPlaced(0, 0)
		lac.wantCarried(many)
	})
}

// TestCallsWaitThroughARestart: calls that wait for their turn when the LAC is killed are
// placed by the next process.
func TestCallsWaitThroughARestart(t *testing.T) {
	const many = 400
	inTurns(t, many, func(_, lac *host, release func()) {
		lac.wantPlaced(maxPlaced, many-maxPlaced)
		lac.restart(time.Second, nil)
		release()
		pass(2 * time.Minute)
		lac.wantPlaced(0, 0)
		lac.wantCarried(many)
	})
}

// TestCallsThatFailTakeNoTurn: calls that come to nothing leave their turn to others.
func TestCallsThatFailTakeNoTurn(t *testing.T) {
	const many = 600
	inBubble(t, manyLNS, "", func(_ *dataplane.Wire, lns, lac *host) {
		var made atomic.Int64
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession && made.Add(1) <= 300 {
				return errors.New("no buffer space available")
			}
			return nil
		})
		lac.declare(perTunnel(many, ""))
		pass(time.Minute)
		lac.wantPlaced(0, 0)
		lac.wantCarried(many - 300)
	})
}

// TestCallsToASlowLNS: an LNS that takes 80 calls a second refuses none of a thousand that
// are asked for at once.
func TestCallsToASlowLNS(t *testing.T) {
	const many = 1000
	inBubble(t, manyLNS, "", func(_ *dataplane.Wire, lns, lac *host) {
		lns.workers.limit = 8
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
		lac.declare(perTunnel(many, " persist=yes"))
		pass(15 * time.Second)
		lac.wantCarried(many)
		if n := lns.statistics().CallsTooLate; n != 0 {
			t.Errorf("%d calls were refused, want none", n)
		}
	})
}
