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

// maxHalfOpen is how many tunnels of a shard may be on their way at once.
// Beyond it SCCRQs are not answered: their senders try again.
const maxHalfOpen = 4096

// maxRefused is how many refused tunnels of a shard linger at once. Beyond it
// SCCRQs are not answered either: a flood of them is not to use up all identifiers.
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
	if s.halfOpen >= maxHalfOpen || s.refused >= maxRefused || s.losesTie(d.Peer.Addr(), sccrq) {
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
	id := s.newTunnelID()
	if id == 0 {
		s.engine.count.tunnelsRefused.Add(1)
		s.engine.stray(d)
		return
	}
	settings := s.settings.tunnel(snapshot, peer.Tunnel, localOf(d, peer.Tunnel.Parameters))
	refusal := s.engine.refuses(snapshot.System(), peer)
	if refusal != nil {
		s.refuse(d, sccrq, settings, id, *refusal)
		return
	}
	t := s.newTunnel(l2tp.Respond(settings.core, id), settings, d.Peer)
	t.enlist()
	t.beginBy(first{d.Peer, sccrq.AssignedTunnelID})
	t.traceBegin("", fmt.Sprintf("tunnel asked for by %v, host %q, peer profile %s, tunnel profile %s",
		d.Peer, sccrq.HostName, peer.ProfileName, settings.ProfileName))
	t.captured(trace.Received, d.Local, d.Peer, d.Data)
	t.open(func() {})
	s.step(t, l2tp.MessageReceived{Data: d.Data})
}

// refuse answers an SCCRQ with a StopCCN, from the socket by which it came.
func (s *shard) refuse(
	d dataplane.Datagram, sccrq l2tp.SCCRQ, settings *tunnelSettings,
	id l2tp.TunnelID, r l2tp.Result,
) {
	s.engine.log.Warn("tunnel refused", "peer", d.Peer, "host_name", sccrq.HostName,
		"cause", r.StopString())
	s.engine.count.tunnelsRefused.Add(1)
	s.refused++
	t := s.newTunnel(l2tp.Refuse(settings.core, id, r), settings, d.Peer)
	t.refused = true
	t.beginBy(first{d.Peer, sccrq.AssignedTunnelID})
	t.traceBegin("", fmt.Sprintf("tunnel asked for by %v, host %q: refused, %s",
		d.Peer, sccrq.HostName, r.StopString()))
	t.captured(trace.Received, d.Local, d.Peer, d.Data)
	answer := s.engine.answerTo(d)
	t.answer = func(b []byte) {
		answer(b)
		t.captured(trace.Sent, d.Local, d.Peer, b)
	}
	s.step(t, l2tp.MessageReceived{Data: d.Data})
}

// beginBy notes which SCCRQ began the tunnel.
func (t *tunnel) beginBy(f first) {
	t.first, t.byPeer = f, true
	t.shard.firsts[f] = t
	t.shard.halfOpen++
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

// refuses says why a peer gets no tunnel, or nil, and counts those over a limit.
func (e *Engine) refuses(sys config.System, peer config.Peer) *l2tp.Result {
	switch {
	case e.stopping.Load():
		return &l2tp.Result{Code: l2tp.StopShutdown}
	case sys.DenyRemoteTunnelCreates, sys.DrainTunnels:
		return stopError(l2tp.ErrorTryAnother, "administratively disabled")
	case sys.MaxTunnels > 0 && e.count.tunnels.Load() >= int64(sys.MaxTunnels):
		e.total.tooManyTunnels.Add(1)
		return stopError(l2tp.ErrorResources, "too many tunnels")
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

func stopError(code l2tp.ErrorCode, message string) *l2tp.Result {
	return &l2tp.Result{Code: l2tp.StopError, Error: code, Message: message}
}

// answerTo returns how to answer d from the socket by which it came.
func (e *Engine) answerTo(d dataplane.Datagram) func(b []byte) {
	for _, l := range e.listeners {
		at := l.Addr()
		if at.Port() == d.Local.Port() && at.Addr().Is4() == d.Local.Addr().Unmap().Is4() {
			return func(b []byte) {
				if err := l.Send(d.Local.Addr(), d.Peer, b); err != nil {
					e.log.Debug("sending refusal", "peer", d.Peer, "err", err)
				}
			}
		}
	}
	return func([]byte) {}
}

// incomingCall takes or refuses a call that the peer asks for.
func (t *tunnel) incomingCall(now time.Time, a l2tp.IncomingCall) {
	if refusal := t.refuses(a); refusal != nil {
		t.callRefused(*refusal)
		t.traceCall(a, "refused: "+refusal.Message)
		t.shard.step(t, l2tp.CallRefused{Session: a.Session, Result: *refusal})
		return
	}
	s := t.newSession(now, a.Session, a.Kind)
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
	t.log().Warn("session refused", "cause", r.CDNString())
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
	case e.count.settingUp.Load() >= e.credit:
		return &l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "too many calls at once"}
	case sys.MaxSessions > 0 && e.count.sessions.Load() >= int64(sys.MaxSessions):
		e.total.tooManySessions.Add(1)
		return &l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "too many sessions"}
	}
	return nil
}
