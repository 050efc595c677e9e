package engine

import (
	"fmt"
	"net/netip"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// maxRefused is how many refused tunnels of a shard linger at once. Beyond it those
// who are to be refused get no answer: a flood of them is not to use up all identifiers.
const maxRefused = 1024

// receiveFirst handles a message to no tunnel: an SCCRQ, new or repeated.
func (s *shard) receiveFirst(d dataplane.Datagram) {
	sccrq, err := l2tp.PeekSCCRQ(d.Data)
	if err != nil {
		s.engine.total.noTunnel.Add(1)
		s.engine.stray(d)
		return
	}
	if s.repeats(d, sccrq) {
		return
	}
	if s.losesTie(d.Peer.Addr(), sccrq) {
		s.engine.stray(d)
		return
	}
	s.settle(s.engine.ties.with(d.Peer.Addr().Unmap()), d, sccrq)
}

// repeats gives a copy of an SCCRQ to the tunnel that it began, and reports whether
// it is one.
func (s *shard) repeats(d dataplane.Datagram, sccrq l2tp.SCCRQ) bool {
	t := s.firsts[first{d.Peer, sccrq.AssignedTunnelID}]
	if t == nil || t.peerKnowsItsEnd() {
		return false
	}
	t.captured(trace.Received, d.Local, d.Peer, d.Data)
	s.step(t, l2tp.MessageReceived{Data: d.Data})
	return true
}

// peerKnowsItsEnd reports whether the tunnel has ended and its peer knows: what
// comes with the same identifier is a new SCCRQ then. A peer that has just
// started again may well choose the same.
func (t *tunnel) peerKnowsItsEnd() bool {
	return t.end != nil && (t.end.ByPeer || t.core.Drained())
}

// A first names the SCCRQ that began a tunnel: copies of it are recognised
// however often the peer repeats it (RFC 2661, 5.8).
type first struct {
	peer netip.AddrPort
	id   l2tp.TunnelID // that the peer assigned
}

// accept makes a tunnel for an SCCRQ, or refuses it with a StopCCN.
func (s *shard) accept(d dataplane.Datagram, sccrq l2tp.SCCRQ) {
	snapshot := s.engine.store.Snapshot()
	peer := snapshot.SelectPeer(sccrq.HostName, d.Peer)
	refusal, ok := s.admit(snapshot.System(), peer, d.Peer.Addr())
	id := l2tp.TunnelID(0)
	if ok {
		id = s.newTunnelID()
	}
	if id == 0 {
		s.engine.count.tunnelsRefused.Add(1)
		s.engine.stray(d)
		return
	}
	settings := s.settings.tunnel(snapshot, peer.Tunnel, localOf(d, peer.Tunnel.Parameters))
	if refusal != nil {
		s.refuse(d, sccrq, settings, id, *refusal)
		return
	}
	answers := s.engine.listenerOf(d, settings)
	t := s.newTunnel(l2tp.Respond(settings.core, id), settings, d.Peer)
	t.unheard = s.engine.gate.isPressed(time.Now(), d.Peer.Addr())
	t.enlist()
	t.beginBy(first{d.Peer, sccrq.AssignedTunnelID})
	s.halfOpen.add(t)
	t.traceBegin("", fmt.Sprintf("tunnel asked for by %v, host %q, peer profile %s, tunnel profile %s",
		d.Peer, sccrq.HostName, peer.ProfileName, settings.ProfileName))
	t.captured(trace.Received, d.Local, d.Peer, d.Data)
	if answers != nil {
		t.answerBy(answers, d.Local)
	} else {
		t.open(func() {})
	}
	s.step(t, l2tp.MessageReceived{Data: d.Data})
}

// admit reports whether an SCCRQ is to be answered, and with which refusal if so.
func (s *shard) admit(sys config.System, peer config.Peer, addr netip.Addr) (*l2tp.Result, bool) {
	refusal := s.engine.refuses(sys, peer)
	if refusal == nil {
		if !s.makeRoom(time.Now(), sys, addr) {
			return nil, false
		}
		refusal = s.engine.tooManyTunnels(sys)
	}
	if refusal != nil && s.refused >= maxRefused {
		s.engine.total.unanswered.Add(1)
		s.engine.overload.notice("tunnels", addr)
		return nil, false
	}
	return refusal, true
}

// refuse answers an SCCRQ with a StopCCN, from the socket by which it came.
func (s *shard) refuse(
	d dataplane.Datagram, sccrq l2tp.SCCRQ, settings *tunnelSettings,
	id l2tp.TunnelID, r l2tp.Result,
) {
	if s.engine.mayLog(d.Peer.Addr()) {
		s.engine.log.Warn("tunnel refused", "peer", d.Peer, "host_name", sccrq.HostName,
			"cause", r.StopString())
	}
	s.engine.count.tunnelsRefused.Add(1)
	s.refused++
	t := s.newTunnel(l2tp.Refuse(settings.core, id, r), settings, d.Peer)
	t.refused = true
	t.beginBy(first{d.Peer, sccrq.AssignedTunnelID})
	t.traceBegin("", fmt.Sprintf("tunnel asked for by %v, host %q: refused, %s",
		d.Peer, sccrq.HostName, r.StopString()))
	t.captured(trace.Received, d.Local, d.Peer, d.Data)
	t.answerBy(s.engine.listenerAt(d.Local), d.Local)
	s.step(t, l2tp.MessageReceived{Data: d.Data})
}

// beginBy notes which SCCRQ began the tunnel.
func (t *tunnel) beginBy(f first) {
	t.first, t.byPeer = f, true
	t.shard.firsts[f] = t
}

// localOf is our end of a tunnel that a peer opens: where it found us, or
// another port there if the profile wants one. The usual port stands for the
// daemon's own.
func localOf(d dataplane.Datagram, p config.TunnelParameters) netip.AddrPort {
	if p.OurUDPPort == UsualPort {
		return d.Local
	}
	return netip.AddrPortFrom(d.Local.Addr(), p.OurUDPPort)
}

// refuses says why a peer gets no tunnel, or nil.
func (e *Engine) refuses(sys config.System, peer config.Peer) *l2tp.Result {
	switch {
	case e.stopping.Load():
		return &l2tp.Result{Code: l2tp.StopShutdown}
	case sys.DenyRemoteTunnelCreates, sys.DrainTunnels:
		return stopError(l2tp.ErrorTryAnother, "administratively disabled")
	case peer.Port != 0:
		return &l2tp.Result{Code: l2tp.StopNotAuthorized, Message: "unexpected port"}
	case peer.Tunnel.Parameters.AuthMode == api.AuthMode_AUTH_MODE_SIMPLE && !peer.Matched:
		return &l2tp.Result{Code: l2tp.StopNotAuthorized, Message: "unknown peer"}
	case peer.Tunnel.Parameters.AuthMode == api.AuthMode_AUTH_MODE_CHALLENGE &&
		peer.Tunnel.Parameters.Secret == "":
		return &l2tp.Result{Code: l2tp.StopNotAuthorized, Message: "there is no secret here"}
	}
	return nil
}

// tooManyTunnels refuses a tunnel, and counts it, if max_tunnels are there.
func (e *Engine) tooManyTunnels(sys config.System) *l2tp.Result {
	if sys.MaxTunnels == 0 || e.count.tunnels.Load() < int64(sys.MaxTunnels) {
		return nil
	}
	e.total.tooManyTunnels.Add(1)
	return stopError(l2tp.ErrorResources, "too many tunnels")
}

func stopError(code l2tp.ErrorCode, message string) *l2tp.Result {
	return &l2tp.Result{Code: l2tp.StopError, Error: code, Message: message}
}

// listenerAt returns the listener with an address, or nil.
func (e *Engine) listenerAt(local netip.AddrPort) dataplane.Listener {
	for _, l := range e.listeners {
		at := l.Addr()
		if at.Port() == local.Port() && at.Addr().Is4() == local.Addr().Unmap().Is4() {
			return l
		}
	}
	return nil
}

// listenerOf returns the listener from which the tunnel that d begins is answered
// until it is established, or nil if it needs a socket of its own at once.
//
// A socket for everybody who sends an SCCRQ would be work for the kernel, and all
// sockets of one port are in one list, which it walks for each datagram. Where the port
// is to be another one, or may have to be, the first answer must come from there
// already; see docs/decisions/0003-same-addresses-two-tunnels.md.
func (e *Engine) listenerOf(d dataplane.Datagram, settings *tunnelSettings) dataplane.Listener {
	if settings.local() != d.Local || e.registry.tunnelsWith(d.Peer) > 0 {
		return nil
	}
	return e.listenerAt(d.Local)
}

// answerBy has the tunnel answer by a listener, from the address at which it was asked,
// while it has no socket; without a listener it does not answer. Of the SCCRQ itself,
// which may be 64 KiB long, nothing is kept.
func (t *tunnel) answerBy(l dataplane.Listener, local netip.AddrPort) {
	t.answer = func(b []byte) {
		if l == nil {
			return
		}
		if err := l.Send(local.Addr(), t.peer, b); err != nil {
			t.shard.engine.total.sendFailures.Add(1)
			t.log().Debug("sending control message", "err", err)
		}
		t.captured(trace.Sent, local, t.peer, b)
	}
}

// incomingCall takes or refuses a call that the peer asks for.
func (t *tunnel) incomingCall(now time.Time, a l2tp.IncomingCall) {
	if refusal := t.refuses(a); refusal != nil {
		t.callRefused(*refusal)
		t.traceCall(a, "refused: "+refusal.Message)
		t.shard.step(t, l2tp.CallRefused{Session: a.Session, Result: *refusal})
		return
	}
	s := t.newSession(now, a.Session, a.Kind, nil)
	snapshot := t.shard.engine.store.Snapshot()
	s.settings = t.shard.settings.incoming(snapshot, t.settings, a.Kind)
	s.peerID = a.PeerSession
	t.traceCall(a, "session profile "+s.settings.Parameters.ProfileName+
		", ppp profile "+s.settings.PPP.ProfileName)
	s.call = new(a.Call)
	s.tellCreated()
	s.add(func(err error) {
		if err != nil {
			s.refuse(err)
			return
		}
		t.shard.step(t, l2tp.CallAccepted{Session: s.id})
		if s.kind == l2tp.LACOutgoing {
			t.shard.step(t, l2tp.CallConnected{Session: s.id, Call: s.settings.asCall()})
		}
	})
}

// callRefused counts a call of the peer that we do not take.
func (t *tunnel) callRefused(r l2tp.Result) {
	t.shard.engine.count.sessionsRefused.Add(1)
	if t.shard.engine.mayLog(t.peer.Addr()) {
		t.log().Warn("session refused", "cause", r.CDNString())
	}
}

// mayBe reports whether a role lets us be what a call makes us.
func mayBe(kind l2tp.CallKind, role api.Role) bool {
	switch role {
	case api.Role_ROLE_LAC:
		return kind == l2tp.LACIncoming || kind == l2tp.LACOutgoing
	case api.Role_ROLE_LNS:
		return kind == l2tp.LNSIncoming || kind == l2tp.LNSOutgoing
	}
	return true
}

// refuses says why a call is refused, or nil, and counts those over a limit. What
// is up is never touched.
func (t *tunnel) refuses(a l2tp.IncomingCall) *l2tp.Result {
	e := t.shard.engine
	sys := e.store.Snapshot().System()
	switch {
	case t.closing, e.stopping.Load(), sys.DrainTunnels:
		return &l2tp.Result{Code: l2tp.CDNAdministrative, Message: "administratively disabled"}
	case !mayBe(a.Kind, t.settings.resolved.Role):
		return &l2tp.Result{Code: l2tp.CDNNoFacilities, Message: "calls of this kind are not taken"}
	case t.sessions[a.Session] != nil:
		return &l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "identifier busy"}
	case t.isGreedy():
		return t.tooMany(&e.total.tooManyCalls, "too many calls at once")
	case e.workers.delay(time.Now()) > patience/2:
		return t.tooMany(&e.total.callsTooLate, "too busy")
	case sys.MaxSessions > 0 && e.count.sessions.Load() >= int64(sys.MaxSessions):
		e.total.tooManySessions.Add(1)
		return &l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "too many sessions"}
	}
	return nil
}
