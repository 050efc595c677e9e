package l2tp

import (
	"fmt"
	"time"
)

// callMessage handles a message of a call. perr is what is wrong with it, or nil.
func (t *Tunnel) callMessage(now time.Time, sid SessionID, m Message, perr *ParseError) {
	s := t.sessions[sid]
	if cdn, ok := m.(*CDN); ok {
		t.receiveCDN(s, cdn)
		return
	}
	if s == nil {
		t.request(now, m, perr)
		return
	}
	if perr != nil {
		t.refuseCall(s, perr.result())
		return
	}
	switch m := m.(type) {
	case *ICRP:
		t.receiveICRP(s, m)
	case *OCRP:
		t.receiveOCRP(s, m)
	case *ICCN:
		t.receiveConnected(s, callICCN, Call{
			TxConnectSpeed: m.TxConnectSpeed, RxConnectSpeed: m.RxConnectSpeed,
			FramingType: m.FramingType, PrivateGroupID: m.PrivateGroupID,
			SequencingRequired: m.SequencingRequired, Proxy: m.proxy(),
		})
	case *OCCN:
		t.receiveConnected(s, callOCCN, Call{
			TxConnectSpeed: m.TxConnectSpeed, RxConnectSpeed: m.RxConnectSpeed,
			FramingType: m.FramingType, SequencingRequired: m.SequencingRequired,
		})
	case *SLI:
		if s.kind.ofLAC() && s.state == CallEstablished {
			t.emit(LinkInfo{s.id, m.accm.send, m.accm.recv})
		}
	case *WEN:
		if !s.kind.ofLAC() && s.state == CallEstablished {
			t.emit(ErrorsNotified{s.id, m.Errors})
		}
	case *ICRQ:
		t.unexpected(s, callICRQ, m.Type())
	case *OCRQ:
		t.unexpected(s, callOCRQ, m.Type())
	}
}

// refuseCall ends a call with a CDN whatever its state is.
func (t *Tunnel) refuseCall(s *session, r Result) {
	s.state = CallIdle
	e := End{Result: r}
	t.sendCDN(s, e)
	t.forget(s, e)
}

// unexpected runs the table for a message that came in a wrong state.
func (t *Tunnel) unexpected(s *session, ev callEvent, mt MessageType) {
	r := Result{Code: CDNError, Error: ErrorSessionID,
		Message: fmt.Sprintf("%v in state %v", mt, s.state)}
	t.call(s, ev, End{Result: r})
}

// receiveCDN ends a call. Before the peer knows our identifier it names the
// call by its own; such a call is still being set up.
//
// "The peer MUST clean up any resources, and does not send back any indication
// of success or failure for such cleanup."
// https://www.rfc-editor.org/rfc/rfc2661#section-6.12
func (t *Tunnel) receiveCDN(s *session, m *CDN) {
	if s == nil {
		s = t.settingUp(m.AssignedSessionID)
	}
	if s != nil {
		t.call(s, callCDN, End{Result: m.Result, ByPeer: true, Cause: m.Cause,
			Disconnect: m.Disconnect})
	}
}

// settingUp finds a call that the peer asked for by the peer's identifier.
func (t *Tunnel) settingUp(peer SessionID) *session {
	for _, w := range t.setups {
		if w.s.settingUp() && w.s.peer == peer && peer != 0 && !w.s.kind.asksPeer() {
			return w.s
		}
	}
	return nil
}

// request handles a message without a session of ours: a request for one, or
// what is left over from one that ended. For the latter the table of the role
// that the message is meant for has "clean up" and nothing else: to answer it
// would be a second CDN.
func (t *Tunnel) request(now time.Time, m Message, perr *ParseError) {
	switch m := m.(type) {
	case *ICRQ:
		t.consider(now, LNSIncoming, m.AssignedSessionID, t.judgeICRQ(perr), m.call())
	case *OCRQ:
		t.consider(now, LACOutgoing, m.AssignedSessionID, t.judgeOCRQ(m, perr), m.call())
	default:
		t.stats.IgnoredMessages++
	}
}

// consider refuses a call at once, if r says why, or asks whether it is wanted.
func (t *Tunnel) consider(now time.Time, kind CallKind, peer SessionID, r *Result, c Call) {
	s := &session{peer: peer, kind: kind, told: true}
	if r != nil {
		s.id = t.freeSessionID() // a CDN must name one
		t.sendCDN(s, End{Result: *r})
		t.emit(CallTurnedDown{kind, *r})
		return
	}
	s.id, s.call = t.freeSessionID(), &c
	t.add(now, s)
	t.emit(IncomingCall{s.id, s.peer, s.kind, c})
}

// judgeICRQ says why a call is refused without asking, or nil.
func (t *Tunnel) judgeICRQ(perr *ParseError) *Result {
	return t.judgeRequest(perr, t.cfg.RefuseIncomingCalls)
}

// judgeRequest is what ICRQ and OCRQ have in common.
//
// "The Tunnel and corresponding Control Connection MUST be established before
// an incoming or outgoing call is initiated."
// https://www.rfc-editor.org/rfc/rfc2661#section-5.0
func (t *Tunnel) judgeRequest(perr *ParseError, refused bool) *Result {
	switch {
	case perr != nil:
		return new(perr.result())
	case t.state != TunnelEstablished:
		return &Result{Code: CDNError, Error: ErrorNoControlConnection}
	case refused:
		return &Result{Code: CDNNoFacilities, Message: "calls of this kind are not taken"}
	case t.full():
		return &Result{Code: CDNNoFacilitiesForNow, Message: "too many sessions"}
	}
	return nil
}

// judgeOCRQ also holds the call against what we said we can do: "Attempts to
// do so will result in the call being rejected", 4.4.3.
func (t *Tunnel) judgeOCRQ(m *OCRQ, perr *ParseError) *Result {
	if r := t.judgeRequest(perr, t.cfg.RefuseOutgoingCalls); r != nil {
		return r
	}
	switch {
	case m.BearerType&^t.cfg.BearerCapabilities != 0:
		return &Result{Code: CDNNoFacilities, Message: "bearer type not supported"}
	case m.FramingType != 0 && m.FramingType&t.cfg.framing() == 0:
		return &Result{Code: CDNNoFacilities, Message: "framing type not supported"}
	}
	return nil
}

// receiveICRP asks our LAC side whether the call can go on.
func (t *Tunnel) receiveICRP(s *session, m *ICRP) {
	if s.kind != LACIncoming || s.state != CallWaitReply || s.answered {
		t.unexpected(s, callICRPBad, TypeICRP)
		return
	}
	s.peer, s.answered = m.AssignedSessionID, true
	t.emit(CallAnswered{s.id, s.peer, s.kind, *s.call})
}

func (t *Tunnel) receiveOCRP(s *session, m *OCRP) {
	if s.kind != LNSOutgoing || s.state != CallWaitReply {
		t.unexpected(s, callOCRPBad, TypeOCRP)
		return
	}
	s.peer = m.AssignedSessionID
	if m.PhysicalChannelID != nil {
		s.call.PhysicalChannelID = m.PhysicalChannelID
	}
	t.call(s, callOCRP, End{})
	t.emit(CallAnswered{s.id, s.peer, s.kind, *s.call})
}

// receiveConnected takes an ICCN or OCCN: c is what it says.
func (t *Tunnel) receiveConnected(s *session, ev callEvent, c Call) {
	mt := TypeICCN
	if ev == callOCCN {
		mt = TypeOCCN
	}
	if s.state != CallWaitConnect || (ev == callICCN) != (s.kind == LNSIncoming) {
		t.unexpected(s, ev, mt)
		return
	}
	if c.FramingType != 0 && c.FramingType&t.cfg.framing() == 0 {
		r := Result{Code: CDNNoFacilities, Message: "framing type not supported"}
		t.refuseCall(s, r)
		return
	}
	t.call(s, ev, End{})
	s.call.connect(&c)
	if s.call.RxConnectSpeed == 0 {
		s.call.RxConnectSpeed = s.call.TxConnectSpeed
	}
	t.reportUp(s)
}
