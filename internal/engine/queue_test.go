package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/l2tp"
)

// queuedSessions are how many sessions the tests here have, all in one tunnel.
const queuedSessions = 200

// inQueueBubble runs f with an LNS all of whose sessions are up, of which it hangs up
// all at once: their CDNs wait for the window.
func inQueueBubble(t *testing.T, f func(lns, lac *host)) {
	t.Helper()
	config := strings.Replace(lnsConfig, "10.9.0.0/24", "10.9.0.0/20", 1)
	inMortalBubble(t, config, sessionsConfig(queuedSessions), func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, queuedSessions)
		w.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
		lns.onShard(func(tun *tunnel) {
			for id := range tun.sessions {
				tun.shard.step(tun, l2tp.HangUp{Session: id, Result: l2tp.Result{Code: l2tp.CDNAdministrative}})
			}
		})
		f(lns, lac)
	})
}

// messagesKept is how many records that the host has of messages that wait.
func (h *host) messagesKept() int {
	n := 0
	for k := range h.peek() {
		if k.Kind == kindQueued {
			n++
		}
	}
	return n
}

// Killed while CDNs wait, whenever that is: each of them leaves under the next process, and none
// twice.
func TestKilledWhileMessagesWait(t *testing.T) {
	for _, d := range []time.Duration{0, 15 * time.Millisecond, 45 * time.Millisecond, 200 * time.Millisecond} {
		t.Run(d.String(), func(t *testing.T) {
			inQueueBubble(t, func(lns, lac *host) {
				pass(d)
				if n := lns.messagesKept(); n == 0 {
					t.Fatal("nothing waits")
				}
				lns.onShard(func(tun *tunnel) { tun.shard.keeping.journal.Rewrite(tun.shard.keepAll) })
				lns.restart(100*time.Millisecond, nil)
				pass(50 * time.Millisecond)
				lns.restart(100*time.Millisecond, nil)
				pass(30 * time.Second)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
				if n := lns.messagesKept(); n != 0 {
					t.Errorf("%d messages wait, want none", n)
				}
				lns.onShard(func(tun *tunnel) {
					if n := tun.core.Stats().Sent[l2tp.TypeCDN]; n != queuedSessions {
						t.Errorf("%d CDNs were sent, want %d", n, queuedSessions)
					}
				})
				lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
				pass(3 * time.Minute)
				lns.wantClean()
			})
		})
	}
}

// While many messages wait, a tunnel costs no more to be recorded than otherwise.
func TestRecordOfAQueueIsSmall(t *testing.T) {
	inQueueBubble(t, func(lns, lac *host) {
		if n := lns.messagesKept(); n < queuedSessions/2 {
			t.Fatalf("%d messages wait, want most of %d", n, queuedSessions)
		}
		before := lns.journalSize()
		lns.onShard(func(tun *tunnel) { tun.touch() })
		lns.peek() // waits for the record
		if n := lns.journalSize() - before; n == 0 || n > 4<<10 {
			t.Errorf("the tunnel's record takes %d bytes, want some and few", n)
		}
	})
}

// What an earlier version has recorded with its tunnel waits before what this one has.
func TestReadQueue(t *testing.T) {
	tunnel := tunnelRecord{Core: l2tp.Snapshot{ID: 7}}
	tunnel.Core.Delivery.Queue = []l2tp.OutgoingSnapshot{{About: 1}}
	in, errs := readInheritance(journal.Records{
		{Kind: kindTunnel, Tunnel: 7}:                 encode(tunnel),
		{Kind: kindQueued, Tunnel: 7, Session: 0}:     encode(queuedRecord{1 << 16, l2tp.OutgoingSnapshot{About: 3}}),
		{Kind: kindQueued, Tunnel: 7, Session: 65535}: encode(queuedRecord{65535, l2tp.OutgoingSnapshot{About: 2}}),
		{Kind: kindQueued, Tunnel: 7, Session: 1}:     []byte("?"),
		{Kind: kindQueued, Tunnel: 8, Session: 1}:     encode(queuedRecord{}),
	})
	if len(errs) != 1 || len(in.tunnels) != 1 {
		t.Fatalf("%d tunnels, errors %v, want one of each", len(in.tunnels), errs)
	}
	queue := in.tunnels[7].Core.Delivery.Queue
	for i, m := range queue {
		if m.About != l2tp.SessionID(i+1) || len(queue) != 3 {
			t.Fatalf("queue = %+v", queue)
		}
	}
}
