package l2tp

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// A session is one call at our end. There are many: it is small, and what the
// call's messages said is let go once it is reported.
type session struct {
	id, peer SessionID
	kind     CallKind
	state    CallState
	// answered: the ICRP came, and whether it is acceptable is being decided.
	answered bool
	// told: the peer has heard of the session, so it must hear of its end.
	told bool
	gone bool
	call *Call
}

// settingUp says whether the session's establishment is still timed.
func (s *session) settingUp() bool { return !s.gone && s.state != CallEstablished }

// asksPeer says whether a call of kind k is one that we ask for.
func (k CallKind) asksPeer() bool { return k == LACIncoming || k == LNSOutgoing }

// ofLAC says whether we are the LAC in a call of kind k.
func (k CallKind) ofLAC() bool { return k == LACIncoming || k == LACOutgoing }

// callExpiryResult is what a call ends with that was not established in time.
var callExpiryResult = Result{Code: CDNNotEstablishedInTime}

// wenInterval is the least time between two WENs of a call (6.13).
const wenInterval = 60 * time.Second

// SessionInfo is what there is to know of a session.
type SessionInfo struct {
	Session, PeerSession SessionID
	Kind                 CallKind
	State                CallState
}

func (s *session) info() SessionInfo { return SessionInfo{s.id, s.peer, s.kind, s.state} }

// Session looks a session up by our identifier for it.
func (t *Tunnel) Session(id SessionID) (SessionInfo, bool) {
	if s := t.sessions[id]; s != nil {
		return s.info(), true
	}
	return SessionInfo{}, false
}

// Sessions iterates over the sessions in the order of their identifiers.
func (t *Tunnel) Sessions() iter.Seq[SessionInfo] {
	return func(yield func(SessionInfo) bool) {
		for _, id := range slices.Sorted(maps.Keys(t.sessions)) {
			if s := t.sessions[id]; s != nil && !yield(s.info()) {
				return
			}
		}
	}
}

// SessionCount is the number of sessions in whatever state.
func (t *Tunnel) SessionCount() int { return len(t.sessions) - t.reserved }

// NewSessionID gives an identifier for [PlaceCall] and keeps it for that; a
// [HangUp] gives back one that is not used. It says false when the tunnel has
// all the sessions that it may have.
func (t *Tunnel) NewSessionID() (SessionID, bool) {
	if t.full() {
		return 0, false
	}
	id := t.freeSessionID()
	t.sessions[id] = nil
	t.reserved++
	return id, true
}

func (t *Tunnel) full() bool { return len(t.sessions) >= t.cfg.maxSessions() }

// freeSessionID finds an identifier that is not in use.
//
// "The value of 0 for Session ID and Tunnel ID is special and MUST NOT be used
// as an Assigned Session ID or Assigned Tunnel ID", 5.3.
func (t *Tunnel) freeSessionID() SessionID {
	id := SessionID(t.cfg.random16())
	for tries := 0; !t.free(id) && tries < 1<<16; tries++ {
		if tries < 8 {
			id = SessionID(t.cfg.random16())
		} else {
			id++ // nearly full: the next that is free
		}
	}
	return max(id, 1)
}

func (t *Tunnel) taken(id SessionID) bool {
	_, ok := t.sessions[id]
	return ok
}

// Withhold keeps an identifier from being given to a new call until Allow:
// its last session is still being taken out of the kernel, say. It may be
// called between any two Steps.
func (t *Tunnel) Withhold(id SessionID) {
	if t.withheld == nil {
		t.withheld = make(map[SessionID]struct{})
	}
	t.withheld[id] = struct{}{}
}

// Allow undoes Withhold.
func (t *Tunnel) Allow(id SessionID) {
	if delete(t.withheld, id); len(t.withheld) == 0 {
		t.withheld = nil
	}
}

// free says whether a new call can have an identifier.
func (t *Tunnel) free(id SessionID) bool {
	_, withheld := t.withheld[id]
	return id != 0 && !withheld && !t.taken(id)
}

// release gives a reserved identifier back.
func (t *Tunnel) release(id SessionID) bool {
	if s, ok := t.sessions[id]; ok && s == nil {
		delete(t.sessions, id)
		t.reserved--
		return true
	}
	return false
}

// handleCall does what an event of a call demands.
func (t *Tunnel) handleCall(now time.Time, ev Event) {
	switch ev := ev.(type) {
	case PlaceCall:
		t.place(now, ev)
	case CallAccepted:
		t.accept(ev.Session)
	case CallConnected:
		t.connected(ev)
	case CallRefused:
		t.hangUp(ev.Session, End{Result: ev.Result})
	case HangUp:
		t.hangUp(ev.Session, End{Result: ev.Result, Cause: ev.Cause, Disconnect: ev.Disconnect})
	case SetLinkInfo:
		if s := t.sessions[ev.Session]; s != nil && !s.kind.ofLAC() && s.state == CallEstablished {
			t.send(&SLI{accm{ev.SendACCM, ev.RecvACCM}}, s)
		}
	case NotifyErrors:
		t.notify(now, ev)
	}
}

// place begins a call of ours.
func (t *Tunnel) place(now time.Time, ev PlaceCall) {
	t.release(ev.Session)
	if r := t.unplaceable(ev); r != nil {
		t.emit(SessionDown{ev.Session, End{Result: *r, Lost: true}})
		return
	}
	s := &session{id: ev.Session, kind: ev.Kind, call: new(ev.Call)}
	t.add(now, s)
	t.call(s, callLocalOpen, End{})
	if t.state == TunnelEstablished {
		t.call(s, callTunnelOpen, End{})
	}
}

// unplaceable says why a call cannot even be asked for, or nil.
func (t *Tunnel) unplaceable(ev PlaceCall) *Result {
	switch {
	case t.state >= TunnelClosing:
		return &Result{Code: CDNError, Error: ErrorNoControlConnection}
	case ev.Session == 0 || t.taken(ev.Session) || !ev.Kind.asksPeer():
		return &Result{Code: CDNError, Error: ErrorSessionID}
	case t.full():
		return &Result{Code: CDNNoFacilitiesForNow, Message: "too many sessions"}
	}
	return nil
}

// add takes a new session in.
func (t *Tunnel) add(now time.Time, s *session) {
	t.sessions[s.id] = s
	t.setups = append(t.setups, setup{s, now.Add(t.cfg.sessionEstablishTimeout())})
}

// accept answers an ICRQ or OCRQ.
func (t *Tunnel) accept(id SessionID) {
	if s := t.sessions[id]; s != nil && s.state == CallIdle {
		t.call(s, s.requestEvent(true), End{})
	}
}

// connected makes our end, as LAC, send ICCN or OCCN.
func (t *Tunnel) connected(ev CallConnected) {
	s := t.sessions[ev.Session]
	switch {
	case s == nil:
	case s.kind == LACIncoming && s.state == CallWaitReply && s.answered:
		s.call.connect(&ev.Call)
		t.call(s, callICRP, End{})
	case s.kind == LACOutgoing && s.state == CallWaitCSAnswer:
		s.call.connect(&ev.Call)
		t.call(s, callBearerAnswer, End{})
	}
}

// hangUp ends a call for a reason of ours.
func (t *Tunnel) hangUp(id SessionID, e End) {
	if t.release(id) {
		return
	}
	s := t.sessions[id]
	if s == nil {
		return
	}
	switch {
	case s.state == CallIdle:
		t.call(s, s.requestEvent(false), e)
	case s.answered:
		t.call(s, callICRPBad, e)
	case s.state == CallWaitCSAnswer:
		t.call(s, callBearerFailure, e)
	default:
		t.call(s, callLocalClose, e)
	}
}

// requestEvent is what the peer's request is, once it is known whether we want it.
func (s *session) requestEvent(acceptable bool) callEvent {
	switch {
	case s.kind == LNSIncoming && acceptable:
		return callICRQ
	case s.kind == LNSIncoming:
		return callICRQBad
	case acceptable:
		return callOCRQ
	}
	return callOCRQBad
}

// notify sends a WEN.
//
// "This message should only be sent when an error occurs, and not more than
// once every 60 seconds." (6.13) The counters are cumulative: the next one
// tells what this one would have.
func (t *Tunnel) notify(now time.Time, ev NotifyErrors) {
	s := t.sessions[ev.Session]
	if s == nil || !s.kind.ofLAC() || s.state != CallEstablished {
		return
	}
	if last, ok := t.notified[s.id]; ok && now.Sub(last) < wenInterval {
		return
	}
	if t.notified == nil {
		t.notified = make(map[SessionID]time.Time)
	}
	t.notified[s.id] = now
	t.send(&WEN{ev.Errors}, s)
}

// call runs the table of the session's kind. e is its end, if the event is one.
func (t *Tunnel) call(s *session, ev callEvent, e End) {
	cell := callTables[s.kind][s.state][ev]
	if cell.do == 0 {
		// No row: as unexpected as the messages that have one.
		cell = callCell{refuseCall, CallIdle}
	}
	s.state = cell.next
	if cell.do&cleanUpCall == 0 {
		t.carryOutCall(s, cell.do)
		return
	}
	if cell.do&sendCDN != 0 && e.Result == (Result{}) {
		e.Result = Result{Code: CDNError, Error: ErrorSessionID, Message: "message out of sequence"}
	}
	if cell.do&sendCDN != 0 && s.told {
		t.sendCDN(s, e)
	}
	t.forget(s, e)
}

// carryOutCall does what a cell says that does not end the call.
func (t *Tunnel) carryOutCall(s *session, do callActions) {
	switch {
	case do&sendICRQ != 0:
		t.send(t.icrq(s), s)
	case do&sendOCRQ != 0:
		if r := t.fitOutgoing(s.call); r != nil {
			t.forget(s, End{Result: *r, Lost: true})
			return
		}
		t.send(t.ocrq(s), s)
	case do&sendICRP != 0:
		t.send(&ICRP{AssignedSessionID: s.id}, s)
	case do&sendOCRP != 0:
		t.send(&OCRP{s.id, s.call.PhysicalChannelID}, s)
	case do&sendICCN != 0:
		s.answered = false
		t.send(t.iccn(s.call), s)
	case do&sendOCCN != 0:
		t.send(t.occn(s.call), s)
	}
}

// left is told when a message of s leaves for the first time. An ICCN or OCCN
// that left means that the LNS will take data in a moment.
func (t *Tunnel) left(s *session, mt MessageType) {
	s.told = true
	if mt == TypeICCN || mt == TypeOCCN {
		t.reportUp(s)
	}
}

func (t *Tunnel) reportUp(s *session) {
	t.emit(SessionUp{s.id, s.peer, s.kind, *s.call})
	s.call = nil
}

// sendCDN tells the peer that a call ended.
//
// "In the CDN control message, the same Assigned Session ID AVP first sent to
// the receiving peer is used."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.4
func (t *Tunnel) sendCDN(s *session, e End) {
	t.send(&CDN{e.Result, s.id, e.Cause, e.Disconnect}, s)
}

// forget reports a session's end and frees its identifier.
func (t *Tunnel) forget(s *session, e End) {
	s.gone, s.call = true, nil
	delete(t.sessions, s.id)
	delete(t.notified, s.id)
	t.emit(SessionDown{s.id, e})
}

// expireSetups ends the calls that were not established in time.
func (t *Tunnel) expireSetups(now time.Time) {
	for t.trimSetups(); due(t.setupAt(), now); t.trimSetups() {
		s := t.setups[0].s
		t.hangUp(s.id, End{Result: callExpiryResult, Lost: !s.told})
	}
}
