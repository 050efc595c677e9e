package engine

import (
	"context"
	"runtime/debug"
	"time"

	"culvert/l2tp"
)

// contain recovers from a panic in a turn: a fault of ours must not take down
// 50,000 others. The session or tunnel that it struck is ended without its core, whose
// state cannot be trusted any more.
func (s *shard) contain(struck turn) {
	cause := recover()
	if cause == nil {
		return
	}
	s.engine.logFault(cause)
	switch {
	case struck.tunnel != nil:
		struck.tunnel.abandon(time.Now())
	case struck.session != nil:
		struck.session.abandonLink()
	}
}

func (e *Engine) logFault(cause any) {
	e.total.faults.Add(1)
	if !e.faultLines.allow(time.Since(e.started)) {
		return // a packet may do it, and be repeated
	}
	e.log.Error("INTERNAL FAULT, please report it", "panic", cause, "stack", string(debug.Stack()))
}

// protect runs a job. A fault in it is the job's error.
func (e *Engine) protect(run func(ctx context.Context) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			e.logFault(cause)
			err = errFault
		}
	}()
	return run(e.jobContext)
}

// abandonLink ends a session whose link is not to be trusted.
func (s *session) abandonLink() {
	s.link = nil
	s.cause = "internal fault"
	s.hangUpCall(l2tp.Result{Code: l2tp.CDNError, Error: l2tp.ErrorVendorSpecific, Message: s.cause})
}

// abandon ends a tunnel whose core is not to be trusted: the peer finds out
// by the silence.
func (t *tunnel) abandon(now time.Time) {
	end := l2tp.End{Result: l2tp.Result{Code: l2tp.StopError, Message: "internal fault"}, Lost: true}
	for _, s := range t.sessions {
		s.callDown(now, end)
	}
	if t.touch(); t.end == nil {
		t.stopped(now, end)
	}
	if !t.finished {
		t.finish()
	}
}
