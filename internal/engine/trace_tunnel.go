package engine

import (
	"fmt"
	"strings"

	"culvert/internal/schema"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// A tunnelWatch is what a tunnel was like before a step, to see what the step did.
type tunnelWatch struct {
	state   l2tp.TunnelState
	session l2tp.SessionID // whom the event is about, if anybody
	call    l2tp.CallState
	stats   *l2tp.Stats // only if somebody wants to know
}

// recorder is who remembers what happens to the tunnel: nobody where it would push out
// what is worth more, unless somebody asked for it by a flag.
func (t *tunnel) recorder() *trace.Recorder {
	if t.unheard && t.flags() == 0 {
		return nil
	}
	return t.shard.engine.trace
}

// watch notes what the tunnel is like before an event.
func (t *tunnel) watch(ev l2tp.Event) tunnelWatch {
	if t.recorder() == nil {
		return tunnelWatch{}
	}
	w := tunnelWatch{state: t.core.State(), session: sessionOf(ev)}
	if w.session != 0 {
		info, _ := t.core.Session(w.session)
		w.call = info.State
	}
	if t.flags()&schema.TraceTransport != 0 {
		w.stats = new(t.core.Stats())
	}
	return w
}

// sessionOf is our identifier of the session that an event is about, or 0.
func sessionOf(ev l2tp.Event) l2tp.SessionID {
	switch ev := ev.(type) {
	case l2tp.MessageReceived:
		h, _, _ := l2tp.ParseHeader(ev.Data)
		return h.SessionID
	case l2tp.PlaceCall:
		return ev.Session
	case l2tp.CallAccepted:
		return ev.Session
	case l2tp.CallConnected:
		return ev.Session
	case l2tp.CallRefused:
		return ev.Session
	case l2tp.HangUp:
		return ev.Session
	case l2tp.SetLinkInfo:
		return ev.Session
	case l2tp.NotifyErrors:
		return ev.Session
	}
	return 0
}

// traceStep notes what a step did: the message received, if that was the event,
// and which states changed.
func (t *tunnel) traceStep(before tunnelWatch, ev l2tp.Event, actions []l2tp.Action) {
	r := t.recorder()
	if r == nil {
		return
	}
	id := before.session
	for _, a := range actions {
		if asked, ok := a.(l2tp.IncomingCall); ok && id == 0 {
			id = asked.Session // which the request could not name
		}
	}
	if m, ok := ev.(l2tp.MessageReceived); ok {
		r.Message(t.subjectOf(id), trace.Received, m.Data, false)
		t.traceTransport(before, m)
	}
	if now := t.core.State(); now != before.state {
		r.State(t.subject(), trace.Connection, uint8(before.state), uint8(now), causeOfStep(ev))
	}
	if id == 0 {
		return
	}
	// A session that is gone is idle, which is the zero state.
	if info, _ := t.core.Session(id); info.State != before.call {
		r.State(t.subjectOf(id), trace.Call, uint8(before.call), uint8(info.State), causeOfStep(ev))
	}
}

// subjectOf is that of one of the tunnel's sessions, which may be about to
// begin or over, or, without one, that of the tunnel.
func (t *tunnel) subjectOf(id l2tp.SessionID) trace.Subject {
	if s := t.sessions[id]; s != nil {
		return s.subject()
	}
	subject := t.subject()
	subject.Session = id
	return subject
}

// causeOfStep names an event.
func causeOfStep(ev l2tp.Event) string {
	switch ev := ev.(type) {
	case l2tp.Tick:
		return "time is up"
	case l2tp.MessageReceived:
		return l2tp.Title(ev.Data) + " received"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "l2tp.")
}

// traceSent notes a message that leaves.
func (t *tunnel) traceSent(a l2tp.Send) {
	r := t.recorder()
	if r == nil {
		return
	}
	r.Message(t.subjectOf(a.Session), trace.Sent, a.Data, a.Again)
	if f := t.flags(); f&schema.TraceTransport != 0 {
		text := "sent " + numbersOf(a.Data)
		if a.Again {
			text += ", again: not acknowledged in time"
		}
		r.Event(t.subject(), schema.TraceTransport, text+"; "+windowOf(t.core.Stats()))
	}
}

// traceTransport says what reliable delivery made of a message.
func (t *tunnel) traceTransport(before tunnelWatch, m l2tp.MessageReceived) {
	if before.stats == nil {
		return
	}
	r, s, now, old := t.shard.engine.trace, t.subject(), t.core.Stats(), *before.stats
	var text strings.Builder
	text.WriteString("received " + numbersOf(m.Data))
	for _, n := range []struct {
		before, now uint32
		what        string
	}{
		{old.Duplicates, now.Duplicates, "a duplicate"},
		{old.OutOfOrder, now.OutOfOrder, "early: others before it are missing"},
		{old.BeyondWindow, now.BeyondWindow, "beyond the window: dropped"},
		{old.Misdirected, now.Misdirected, "for another tunnel: dropped"},
		{old.Malformed, now.Malformed, "malformed"},
		{old.IgnoredAVPs, now.IgnoredAVPs, "AVPs ignored"},
		{old.IgnoredMessages, now.IgnoredMessages, "ignored"},
	} {
		if n.now != n.before {
			text.WriteString(", " + n.what)
		}
	}
	r.Tell(s, schema.TraceTransport, text.String(), "; ", windowOf(now))
}

// numbersOf is what reliable delivery sees of a message.
func numbersOf(b []byte) string {
	h, _, err := l2tp.ParseHeader(b)
	if err != nil {
		return l2tp.Title(b)
	}
	return fmt.Sprintf("%s Ns %d Nr %d", l2tp.Title(b), h.Ns, h.Nr)
}

func windowOf(s l2tp.Stats) string {
	return fmt.Sprintf("Ns %d, Nr %d, window %d, CWND %d, SSTHRESH %d, %d outstanding, %d queued, %d held",
		s.Ns, s.Nr, s.SendWindow, s.CWND, s.SSThresh, s.Outstanding, s.Queued, s.HeldEarly)
}

// traceBegin notes how the tunnel began.
func (t *tunnel) traceBegin(name, text string) {
	t.recorder().Begin(t.subject(), name, text)
}

// traceEnd notes why the tunnel ended.
func (t *tunnel) traceEnd(end l2tp.End) {
	t.recorder().Event(t.subject(), schema.TraceFSM, "tunnel ended: "+end.Text(false))
}

// traceCall notes a call that the peer asks for, and what becomes of it.
func (t *tunnel) traceCall(a l2tp.IncomingCall, fate string) {
	t.shard.engine.trace.Begin(t.subjectOf(a.Session), "", fmt.Sprintf(
		"session %d of the peer asked for, %v: %s", a.PeerSession, a.Call, fate))
}

// traceRetry notes that a tunnel is to be opened again.
func (d *dialer) traceRetry(cause error) {
	e := d.shard.engine
	e.trace.Event(trace.Subject{Tunnel: d.id, Flags: e.trace.System() | d.resolved.Parameters.Trace},
		schema.TraceSystem, fmt.Sprintf("tunnel %s again in %v: %v", d, d.retry.delay, cause))
}
