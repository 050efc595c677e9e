package engine

import (
	"context"
	"reflect"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/ppp"
)

// takeSession restores one session. One that was not up, and one that the data
// plane does not have, is hung up: its peer hears of it at once. Where we were asked to
// have it, it is placed anew.
func (h *heir) takeSession(t *tunnel, r *sessionRecord) {
	s := h.restoreSession(t, r)
	c, cause := h.restoreCall(s, r.Wanted)
	switch {
	case r.doubt != nil:
		cause = "state cannot be read"
	case isTold(s.told, r.Told):
		cause = "ending interrupted by a restart"
	case r.Phase != up:
		cause = "set-up interrupted by a restart"
	case cause == "":
		cause = s.takeOver(r)
	}
	if c != nil {
		h.enter(c, r, cause != "")
	}
	if cause == "" {
		h.sessions.Add(1)
		s.goOn(r)
		return
	}
	s.phase = closing
	h.hungUp.Add(1)
	t.shard.mail.post(func() {
		s.cause = cause
		s.hangUpCall(l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "interrupted by a restart"})
	})
}

// takeOver takes over a session that is up, or says why that cannot be.
func (s *session) takeOver(r *sessionRecord) string {
	if err := s.adopt(r); err != nil {
		s.log().Error("session cannot be taken over", "err", err)
		return "taking over: " + err.Error()
	}
	return ""
}

// enter makes the call of a session known. If that is hung up for the restart another one is to
// follow, whether the tunnel persists or not: what the configuration declares begins
// anew in any case, and what a command created if it was not ending for another reason.
func (h *heir) enter(c *call, r *sessionRecord, hungUp bool) {
	c.enter()
	c.session.wanted = c
	now := h.declared.sessions[r.Wanted]
	if now != nil {
		h.take(now)
	}
	c.interrupted = hungUp && (now != nil || r.Phase < closing && !isTold(c.session.told, r.Told))
}

// restoreSession makes the session of its record, without its path, link and call.
func (h *heir) restoreSession(t *tunnel, r *sessionRecord) *session {
	now := time.Now()
	age := h.engine.age(r.moment, now)
	s := &session{
		tunnel: t, id: r.Core.Session, peerID: r.Core.PeerSession, kind: r.Core.Kind, phase: r.Phase,
		told: h.toldOf(t.core.ID(), r.Core.Session, r.Told), call: r.Call,
		created: r.retell(r.Created, now, age), establishedAt: r.retell(r.Established, now, age),
	}
	s.settings = t.shard.settings.incoming(h.snapshot, t.settings, s.kind)
	if r.Shape != nil { // what must be undone, whatever becomes of it
		s.network.name = r.Shape.Name
	}
	if r.Network != nil {
		s.network.resolving = r.Network.Resolving
	}
	t.sessions[s.id] = s
	h.engine.count.sessions.Add(1)
	if !s.establishedAt.IsZero() {
		h.engine.count.sessionsEstablished.Add(1)
	}
	if s.phase == up {
		s.wasUp = true
		h.engine.count.sessionsUp.Add(1)
	}
	if asked, err := askedSession(r.Changed); err == nil && r.Changed != nil {
		t.note(s.id, asked)
		resolved := h.snapshot.IncomingSession(t.settings.resolved, sessionType(s.kind), asked)
		s.settings = t.shard.settings.session(h.snapshot, resolved, true)
	}
	return s
}

// restoreCall makes the call of a session that we were asked to have, if we were, which
// nobody knows yet, and gives the session its settings. It says why the session should
// not be, if so.
func (h *heir) restoreCall(s *session, r *callRecord) (c *call, why string) {
	if r == nil {
		return nil, ""
	}
	d := s.tunnel.dialer
	asked, err := askedSession(r.Asked)
	if err != nil || d == nil || r.Deleted {
		return nil, "nobody asks for the session any more"
	}
	now := h.declared.sessions[r]
	switch {
	case now != nil:
		asked = now
	case !d.adopted && asked.GetSessionName() != "":
		return nil, "no longer configured"
	}
	resolved, err := h.snapshot.ResolveSession(d.resolved, asked)
	if err != nil {
		return nil, err.Error()
	}
	s.settings = s.shard().settings.session(h.snapshot, resolved, false)
	return &call{dialer: d, asked: asked, session: s, attempts: r.Attempts, limit: resolved.PPP.MaxFailureCount}, ""
}

// adopt takes over what the data plane and the pools have of the session, and
// restores its link.
func (s *session) adopt(r *sessionRecord) (err error) {
	now := time.Now()
	age := s.engine().age(r.moment, now)
	name := s.network.name
	s.network = r.Network.restore()
	s.network.name = name
	s.network.numbered = r.Shape != nil && !r.Shape.Unnumbered
	s.reclaim()
	s.resumeLife(r, now, age)
	if s.path, err = s.tunnel.path.AdoptSession(context.Background(), *r.Spec,
		dataplane.Configured{Link: r.Shape, Unsure: r.Shaping}); err != nil {
		s.path = nil
		return err
	}
	if r.Link == nil {
		return nil
	}
	s.link, err = ppp.Restore(s.settings.linkConfig(s.call), now, r.Link.Later(age))
	if err != nil {
		return err
	}
	if lcp, _, _ := s.link.States(); lcp == ppp.Opened {
		s.network.peerMRU = s.link.Terms().PeerMRU
	}
	return nil
}

// resumeLife has the times go on at which the session may end, where the profile as it is
// now still has such times.
func (s *session) resumeLife(r *sessionRecord, now time.Time, age time.Duration) {
	s.limitLife(now)
	if !s.endBy.IsZero() && !r.EndBy.IsZero() {
		s.endBy = r.rebase(r.EndBy, now, age)
	}
	if !s.idleBy.IsZero() && !r.IdleBy.IsZero() {
		s.idleBy = r.rebase(r.IdleBy, now, age)
	}
}

func (r *networkRecord) restore() network {
	return network{user: r.User, pool: r.Pool, pooled: r.Pooled, chosen: true, chosenFor: r.ChosenFor,
		ready: true, open4: r.Open4, open6: r.Open6, addresses: r.Addresses, resolving: r.Resolving}
}

// reclaim takes the session's address out of its pool again. If the pool has
// changed so that it cannot, the session goes on with it all the same.
func (s *session) reclaim() {
	n := &s.network
	if n.pool == "" {
		return
	}
	if err := s.engine().pools.Claim(n.pool, n.pooled, n.user); err != nil {
		s.log().Warn("address of a session that goes on is not its pool's any more", "err", err)
		n.pool = ""
	}
}

// goOn does for a session that was taken over what only a loop may do.
func (s *session) goOn(r *sessionRecord) {
	s.network.shape.failed = !s.isShaped(r)
	s.plane.failed = r.Modifying || s.spec() != *r.Spec
	s.shard().deadlines.update(s)
	s.shard().mail.post(func() {
		if s.phase != up {
			return
		}
		if s.network.shape.isUnsure() {
			s.configure(s.completed)
		} else {
			s.completed(nil)
		}
		if s.plane.isUnsure() {
			s.modifyPath("taking over")
		}
		s.tunnel.watchPath(time.Now(), s)
	})
}

// isShaped reports whether the interface is as it should be. The profile may have changed, and
// the interface may be missing: a keeper that began anew may have had only the rest yet.
func (s *session) isShaped(r *sessionRecord) bool {
	if s.link == nil {
		return true // there is none: another program has the frames
	}
	return s.path.Interface() != "" && r.Shape != nil && !r.Shaping &&
		reflect.DeepEqual(s.linkSpec(), *r.Shape)
}

// completed does what the last process would have done once the interface was as it should be.
func (s *session) completed(err error) {
	if err != nil {
		s.warn("completing the interface")(err)
		return
	}
	network := ppp.IPv6
	if s.network.open4 {
		network = ppp.IPv4
	}
	s.tellNetworkUp(network)
	s.resumeNameServers()
}
