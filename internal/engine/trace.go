package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"culvert/internal/config"
	"culvert/internal/dataplane"
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

// flags are the trace flags that are on for the session: its own, and those of
// its tunnel, its PPP profile and everything.
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
	e.traceSystem("configuration changed")
}

// traceSystem tells of the daemon itself.
func (e *Engine) traceSystem(text string) {
	e.trace.Tell(trace.Subject{Flags: e.trace.System()}, schema.TraceSystem, text)
}

// traceTimer tells that a time of the tunnel's is up.
func (t *tunnel) traceTimer(text string) {
	t.shard.engine.trace.Tell(t.subject(), schema.TraceSystem, text)
}

// traceTimer tells that a time of the session's is up.
func (s *session) traceTimer(text string) {
	s.engine().trace.Tell(s.subject(), schema.TraceSystem, text)
}

// traceCounts tells how much of the limits is used up.
func (t *tunnel) traceCounts() {
	subject := t.subject()
	if subject.Flags&schema.TraceSystem == 0 {
		return
	}
	e := t.shard.engine
	sys := e.store.Snapshot().System()
	e.trace.Event(subject, schema.TraceSystem, fmt.Sprintf(
		"%d tunnels (max_tunnels %d), %d sessions (max_sessions %d), %d in set-up, "+
			"%d of them for peers (at most %d); %d sessions of this tunnel (max_sessions %d)",
		e.count.tunnels.Load(), sys.MaxTunnels, e.count.sessions.Load(), sys.MaxSessions,
		e.count.settingUp.Load(), e.count.askedFor.Load(), e.credit, len(t.sessions),
		t.settings.MaxSessions))
}

// stray shows a control message that is of no tunnel to those who capture.
func (e *Engine) stray(d dataplane.Datagram) {
	if e.trace.Capturing() {
		e.trace.Capture(trace.Packet{
			Direction: trace.Received, Local: d.Local, Peer: d.Peer, Data: d.Data})
	}
}

// captured shows a control message to those who capture.
func (t *tunnel) captured(d trace.Direction, local, peer netip.AddrPort, b []byte) {
	r := t.shard.engine.trace
	if !r.Capturing() {
		return
	}
	p := trace.Packet{Direction: d, Local: local, Peer: peer, Tunnel: t.core.ID(), Data: b}
	if t.dialer != nil {
		p.TunnelName = t.dialer.asked.GetTunnelName()
	}
	r.Capture(p)
}

// do queues a job of the tunnel. What it makes or removes in the data plane is traced.
func (t *tunnel) do(what string, j job) {
	t.shard.do(&t.jobs, t.shard.engine.traceJob(t.subject, what, j))
}

// do queues a job of the session likewise.
func (s *session) do(what string, j job) {
	s.shard().do(&s.jobs, s.engine().traceJob(s.subject, what, j))
}

// traceJob has a job's beginning and its end noted.
func (e *Engine) traceJob(of func() trace.Subject, what string, j job) job {
	if e.trace == nil {
		return j
	}
	begin := time.Now()
	e.trace.Tell(of(), schema.TraceFunc, "queued: ", what)
	done := j.done
	j.done = func(err error) {
		subject := of()
		text := what
		if err != nil {
			text += ": " + err.Error()
		}
		e.trace.Event(subject, schema.TraceData, text)
		if subject.Flags&schema.TraceFunc != 0 {
			e.trace.Event(subject, schema.TraceFunc,
				fmt.Sprintf("done after %v: %s", time.Since(begin), what))
		}
		if done != nil {
			done(err)
		}
	}
	return j
}

// What is made in the data plane, in words.

func textOfTunnel(t dataplane.TunnelSpec) string {
	text := fmt.Sprintf("to %v", t.Peer)
	if t.Local.Addr().IsValid() {
		text = fmt.Sprintf("from %v to %v", t.Local, t.Peer)
	}
	if t.NoUDPChecksum {
		text += ", no UDP checksums of data"
	}
	return text
}

func textOfSession(s dataplane.SessionSpec) string {
	text := fmt.Sprintf("peer's session %d", s.PeerSession)
	if s.SendSequence {
		text += ", numbers what it sends"
	}
	if s.RequireSequence {
		text += ", requires numbers"
	}
	if s.ReorderTimeout > 0 {
		text += fmt.Sprintf(", waits %v for late ones", s.ReorderTimeout)
	}
	return text
}

func textOfLink(l dataplane.LinkSpec) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s, MTU %d, MRU %d", l.Name, l.MTU, l.MRU)
	if l.IPv4.Local.IsValid() {
		fmt.Fprintf(&text, ", IPv4 %v to %v", l.IPv4.Local, l.IPv4.Peer)
	}
	if l.IPv6.Local.IsValid() {
		fmt.Fprintf(&text, ", IPv6 %v to %v", l.IPv6.Local, l.IPv6.Peer)
	}
	for _, r := range l.Routes {
		fmt.Fprintf(&text, ", route %v", r)
	}
	if l.DefaultRoute {
		text.WriteString(", default route")
	}
	return text.String()
}
