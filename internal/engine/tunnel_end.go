package engine

import (
	"context"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// close ends the tunnel politely: PPP first, then the control connection.
func (t *tunnel) close(now time.Time, result l2tp.Result) {
	if t.closing || t.end != nil {
		return
	}
	t.closing, t.result = true, result
	t.touch()
	for _, s := range t.sessions {
		s.hangUp(now, "tunnel closed")
	}
	if len(t.sessions) == 0 {
		t.shard.step(t, l2tp.Stop{Result: result})
		return
	}
	t.closeBy = now.Add(closeGrace)
	t.shard.deadlines.update(t)
}

// sessionGone forgets a session whose kernel objects are gone too.
func (t *tunnel) sessionGone(now time.Time, s *session) {
	delete(t.sessions, s.id)
	delete(t.changed, s.id)
	t.core.Allow(s.id)
	if len(t.sessions) > 0 {
		return
	}
	t.sessions = make(map[l2tp.SessionID]*session) // the old one keeps the room of all that were there
	switch {
	case t.end != nil:
		t.detach()
		if t.finished {
			t.leave()
		}
	case t.closing:
		t.closeBy = time.Time{}
		t.shard.step(t, l2tp.Stop{Result: t.result})
	default:
		t.idleSince = now
		t.touch()
		t.shard.deadlines.update(t)
	}
}

// stopped is called when the control connection has ended: the sessions are
// down already, though the kernel may still be busy with them.
func (t *tunnel) stopped(now time.Time, end l2tp.End) {
	t.end = &end
	t.closeBy, t.idleSince = time.Time{}, time.Time{}
	if !t.refused {
		t.shard.engine.count.tunnels.Add(-1)
	}
	if t.establishedAt.IsZero() {
		t.shard.halfOpen.remove(t)
	} else {
		t.shard.engine.count.tunnelsEstablished.Add(-1)
		t.shard.engine.gate.prove(t.peer.Addr())
	}
	if !t.byPeer || !t.establishedAt.IsZero() || t.shard.engine.mayLog(t.peer.Addr()) {
		t.log().Info("tunnel stopped", "ended_by", whose(end), "cause", end.Result.StopString())
	}
	t.traceEnd(end)
	t.countEnd(end)
	t.tellDown()
	t.waiting = nil
	t.dropQueue()
	if len(t.sessions) == 0 {
		t.detach()
	}
	if t.dialer != nil {
		t.dialer.tunnelEnded(now, end)
	}
}

// detach takes the tunnel out of the data plane. Its socket stays while the core lingers.
func (t *tunnel) detach() {
	if t.path == nil && !t.jobs.pending() {
		t.tellDeleted()
		t.shard.tellIfGone()
		return
	}
	t.tearDown("deleting data tunnel", dataplane.Tunnel.Detach, func() {
		t.attached = false
		t.tellDeleted()
	})
}

// tearDown has a worker take something of the tunnel out of the data plane, and
// then calls then, whether that went well or not.
func (t *tunnel) tearDown(
	doing string, run func(dataplane.Tunnel, context.Context) error, then func(),
) {
	t.do(doing, job{
		urgency: forTeardown,
		run: func(ctx context.Context) error {
			if t.path == nil {
				return nil
			}
			return run(t.path, ctx)
		},
		done: func(err error) {
			if err != nil {
				t.log().Warn(doing, "err", err)
			}
			then()
			t.shard.tellIfGone()
		},
	})
}

// finish ends the core's life. The tunnel goes once its sessions are gone.
func (t *tunnel) finish() {
	t.finished = true
	t.shard.deadlines.remove(t)
	if len(t.sessions) == 0 {
		t.leave()
	}
}

// leave closes the socket and forgets the tunnel.
func (t *tunnel) leave() {
	if t.path == nil && !t.jobs.pending() {
		t.forget()
		t.shard.tellIfGone()
		return
	}
	t.tearDown("closing tunnel socket", dataplane.Tunnel.Close, t.forget)
}

// forget takes the tunnel off the shard.
func (t *tunnel) forget() {
	t.shard.past.add(t.core.Stats())
	delete(t.shard.tunnels, t.core.ID())
	t.shard.engine.registry.remove(t.core.ID(), t.peer)
	if t.shard.firsts[t.first] == t {
		delete(t.shard.firsts, t.first)
	}
	if t.refused {
		t.shard.refused--
	}
	if next := t.successor; next != nil && !next.deleted {
		next.dial(time.Now())
	}
}

// isGone reports whether nothing of the tunnel is in the data plane any more,
// but perhaps its socket, and the peer knows.
func (t *tunnel) isGone() bool {
	return t.end != nil && len(t.sessions) == 0 && !t.jobs.pending() && t.core.Drained()
}
