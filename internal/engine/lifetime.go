package engine

import (
	"context"
	"fmt"
	"time"

	"culvert/l2tp"
)

// limitLife sets what ends a session that is up: max_connect_time, and
// idle_timeout, for which the data plane is asked when it could be over.
func (s *session) limitLife(now time.Time) {
	set := &s.settings.PPP
	s.endBy, s.idleBy = time.Time{}, time.Time{}
	if set.MaxConnectTime > 0 {
		s.endBy = now.Add(set.MaxConnectTime)
	}
	if set.IdleTimeout > 0 {
		s.idleBy = now.Add(set.IdleTimeout)
	}
}

// timeUp ends a session that was not set up in time, or has been up for long enough.
func (s *session) timeUp(now time.Time) {
	s.endBy = time.Time{}
	s.traceTimer("the time limit of the session's set-up or life is over")
	switch s.phase {
	case up:
		s.hangUp(now, fmt.Sprintf("max_connect_time of %v is over", s.settings.PPP.MaxConnectTime))
	case calling, linking:
		s.cause = "set-up took too long"
		s.engine().total.setUpTimeouts.Add(1)
		s.hangUpCall(l2tp.Result{Code: l2tp.CDNNotEstablishedInTime, Message: s.cause})
	}
}

// askIdle asks the data plane how long the session has been idle.
func (s *session) askIdle() {
	s.idleBy = time.Time{}
	s.traceTimer("idle_timeout may be over")
	if s.phase != up {
		return
	}
	var idle time.Duration
	s.shard().do(&s.jobs, job{
		run: func(ctx context.Context) (err error) {
			idle, err = s.path.Idle(ctx)
			return err
		},
		done: func(err error) { s.idleFor(time.Now(), idle, err) },
	})
}

// idleFor ends a session that has been idle for too long, or comes back when it
// may have been. A data plane may count whole seconds only.
func (s *session) idleFor(now time.Time, idle time.Duration, err error) {
	limit := s.settings.PPP.IdleTimeout
	switch {
	case s.phase != up, limit == 0: // the profile has been changed meanwhile
		return
	case err != nil:
		s.warn("asking how long the session has been idle")(err)
		s.idleBy = now.Add(limit)
	case idle >= limit:
		s.hangUp(now, fmt.Sprintf("idle for %v", limit))
	default:
		s.idleBy = now.Add(max(limit-idle, time.Second))
	}
	s.shard().deadlines.update(s)
}
