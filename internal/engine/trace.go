package engine

import (
	"culvert/internal/config"
	"culvert/internal/schema"
	"culvert/internal/trace"
)

// What is traced of a tunnel and a session is asked for whenever something
// happens: changed flags hold at once. To ask costs less than to keep an answer
// up to date in 100,000 sessions.

// flags are the trace flags that are on for the tunnel: its own, and those of
// everything.
func (t *tunnel) flags() schema.TraceFlags {
	return t.shard.engine.trace.System() | t.settings.Trace
}

// flags are the trace flags that are on for the session.
func (s *session) flags() schema.TraceFlags {
	f := s.tunnel.flags()
	if set := s.settings; set != nil {
		f |= set.Parameters.Trace | s.engine().trace.Profile(set.PPP.ProfileName)
	}
	return f
}

func (t *tunnel) subject() trace.Subject {
	return trace.Subject{Tunnel: t.core.ID(), Flags: t.flags()}
}

func (s *session) subject() trace.Subject {
	return trace.Subject{Tunnel: s.tunnel.core.ID(), Session: s.id, Flags: s.flags()}
}

// traceAs makes the flags of a configuration those that hold.
func (e *Engine) traceAs(snapshot *config.Snapshot) {
	e.trace.Configure(snapshot.System().Trace, snapshot.PPPTraceFlags())
}
