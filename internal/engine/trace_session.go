package engine

import (
	"fmt"
	"strings"

	"culvert/internal/schema"
	"culvert/internal/trace"
	"culvert/ppp"
)

// A linkWatch is what a link was like before a step.
type linkWatch struct {
	lcp, ipcp, ipv6cp ppp.State
	phase             ppp.Phase
}

func watchLink(l *ppp.Link) (w linkWatch) {
	w.lcp, w.ipcp, w.ipv6cp = l.States()
	w.phase = l.Phase()
	return w
}

// watch notes the frame received, if that is the event, and what the link is
// like before it.
func (s *session) watch(ev ppp.Event) linkWatch {
	r := s.engine().trace
	if r == nil {
		return linkWatch{}
	}
	if f, ok := ev.(ppp.FrameReceived); ok {
		r.Frame(s.subject(), trace.Received, f.Frame, s.phase == up)
	}
	return watchLink(s.link)
}

// traceStep notes which states of the link an event changed.
func (s *session) traceStep(before linkWatch, ev ppp.Event) {
	r := s.engine().trace
	now := watchLink(s.link)
	if r == nil || now == before {
		return
	}
	subject, cause := s.subject(), causeOfLink(ev)
	for _, m := range []struct {
		machine     trace.Machine
		before, now ppp.State
	}{
		{trace.LCP, before.lcp, now.lcp},
		{trace.IPCP, before.ipcp, now.ipcp},
		{trace.IPv6CP, before.ipv6cp, now.ipv6cp},
	} {
		if m.now != m.before {
			r.State(subject, m.machine, uint8(m.before), uint8(m.now), cause)
		}
	}
	if now.phase != before.phase {
		r.State(subject, trace.Phase, uint8(before.phase), uint8(now.phase), cause)
	}
}

// causeOfLink names an event.
func causeOfLink(ev ppp.Event) string {
	switch ev := ev.(type) {
	case ppp.Tick:
		return "time is up"
	case ppp.FrameReceived:
		return ppp.Title(ev.Frame) + " received"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "ppp.")
}

// traceAction notes what the link says that is to be done.
func (s *session) traceAction(a ppp.Action) {
	r := s.engine().trace
	if r == nil {
		return
	}
	switch a := a.(type) {
	case ppp.SendFrame:
		r.Frame(s.subject(), trace.Sent, a.Frame, s.phase == up)
	case ppp.LinkUp, ppp.LocalAuthenticated, ppp.NetworkUp, ppp.NetworkDown, ppp.Finished:
		r.Event(s.subject(), schema.TraceFSM, fmt.Sprint(a))
	}
}

// traceVerdict notes what we think of who a peer says it is. The operator is told
// more than the peer.
func (s *session) traceVerdict(c ppp.Credentials, v ppp.Verdict) {
	r := s.engine().trace
	if r == nil || v.Continue || v.OK && s.phase == up { // as it was before
		return
	}
	fate := "accepted"
	if !v.OK {
		fate = "refused: " + s.whyRefused(c.Name)
	}
	r.Event(s.subject(), schema.TracePPPControl,
		fmt.Sprintf("user %q by %v: %s", c.Name, c.Method, fate))
}

// whyRefused says why a user was refused, who is known to have been.
func (s *session) whyRefused(name string) string {
	user, known := s.engine().user(name)
	switch {
	case !known:
		return "there is no such user"
	case !s.maySignIn(name, user):
		return "the PPP profile is for another user (remote_name)"
	}
	return "wrong password"
}

// traceBegin notes how the session began, if we began it.
func (s *session) traceBegin(name, text string) {
	s.engine().trace.Begin(s.subject(), name, text)
}

// traceEnd notes why the session ended.
func (s *session) traceEnd() {
	text := s.end.Text(true)
	if s.cause != "" { // the CDN says the same, and less
		text = whose(*s.end) + ": " + s.cause
	}
	s.engine().trace.Event(s.subject(), schema.TraceFSM, "session ended: "+text)
}
