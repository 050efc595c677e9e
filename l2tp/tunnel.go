package l2tp

import (
	"maps"
	"slices"
	"time"
)

// A Tunnel is one control connection with its sessions, at either end and in
// both roles at once.
//
// A Tunnel does no I/O, starts no goroutine and reads no clock.
// It is not safe for concurrent use.
type Tunnel struct {
	cfg       *Config
	id        TunnelID
	peer      Peer
	state     TunnelState
	initiator bool
	refuse    *Result // what to answer an SCCRQ with, if it is not wanted

	tieBreaker    *[8]byte // ours, if we sent one
	challenge     []byte   // ours, until the response is checked
	peerChallenge []byte   // the peer's, until the response is written

	d        delivery
	heard    bool      // anything from the peer
	heardAt  time.Time // when last; of Open before that
	sessions map[SessionID]*session
	reserved int                     // sessions that are nil: identifiers given out by NewSessionID
	withheld map[SessionID]struct{}  // identifiers that no new call may have
	setups   []setup                 // calls being set up, the oldest first
	notified map[SessionID]time.Time // of the last WEN, where there was one
	serial   uint32                  // of the last call to which we had to give one

	establishBy time.Time // zero once established
	lingerUntil time.Time // zero before the end

	stats Stats
	out   []Action // of the Step that runs
}

// A setup says until when a session must be established.
type setup struct {
	s  *session
	by time.Time
}

// Initiate makes the end of a tunnel that asks for it. Step it with [Open].
func Initiate(cfg *Config, id TunnelID) *Tunnel {
	t := newTunnel(cfg, id)
	t.initiator = true
	return t
}

// Respond makes the end of a tunnel that is asked. Step it with the
// [MessageReceived] that holds the SCCRQ, and with any other SCCRQ from the
// same address with the same Assigned Tunnel ID: it is a retransmission.
func Respond(cfg *Config, id TunnelID) *Tunnel { return newTunnel(cfg, id) }

// Refuse is Respond for an SCCRQ that is not wanted. Step answers it with a
// StopCCN of result r and keeps that delivered until [Finished].
func Refuse(cfg *Config, id TunnelID, r Result) *Tunnel {
	t := newTunnel(cfg, id)
	t.refuse = &r
	return t
}

func newTunnel(cfg *Config, id TunnelID) *Tunnel {
	return &Tunnel{
		cfg: cfg, id: id, d: newDelivery(cfg), sessions: make(map[SessionID]*session),
	}
}

// Step expires the timers due at now, handles ev, and returns what is to be
// done, in order. The result is the caller's to keep.
// Time does not go backwards from one call to the next.
func (t *Tunnel) Step(now time.Time, ev Event) []Action {
	if t.state == TunnelFinished {
		return nil
	}
	t.expire(now)
	if t.state != TunnelFinished {
		t.handle(now, ev)
	}
	if t.state != TunnelFinished {
		t.flush(now)
	}
	out := t.out
	t.out = nil
	return out
}

func (t *Tunnel) emit(a Action) { t.out = append(t.out, a) }

// Deadline returns the time at which Step must next be called, or zero.
func (t *Tunnel) Deadline() time.Time {
	if t.state == TunnelFinished {
		return time.Time{}
	}
	t.trimSetups()
	at := t.lingerUntil
	for _, other := range [...]time.Time{
		t.d.retransmitAt(), t.d.ackDue, t.establishBy, t.helloAt(), t.setupAt(),
	} {
		if at.IsZero() || !other.IsZero() && other.Before(at) {
			at = other
		}
	}
	return at
}

// due says whether a deadline is set and has come.
func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// helloAt is when the peer has been silent for so long that a HELLO is due.
// While something is outstanding the peer is being asked already.
//
// "Keepalives for the tunnel MAY be implemented by sending a HELLO if a period
// of time ... has passed without receiving any message (data or control) from
// the peer."
// https://www.rfc-editor.org/rfc/rfc2661#section-6.5
func (t *Tunnel) helloAt() time.Time {
	if t.state != TunnelEstablished || t.cfg.HelloInterval <= 0 || !t.d.idle() {
		return time.Time{}
	}
	return t.heardAt.Add(t.cfg.HelloInterval + t.helloSpread())
}

// helloSpread is how much later than after its interval a HELLO is sent, or earlier.
// It depends on the tunnel and the time only, for whoever asks is to hear the same.
func (t *Tunnel) helloSpread() time.Duration {
	most := uint64(min(t.cfg.HelloSpread, t.cfg.HelloInterval/2))
	if most == 0 {
		return 0
	}
	x := (uint64(t.heardAt.UnixNano()) + uint64(t.id)) * 0x9e3779b97f4a7c15 // 2^64 / golden ratio
	return time.Duration((x>>32)%(2*most+1)) - time.Duration(most)
}

func (t *Tunnel) setupAt() time.Time {
	if len(t.setups) == 0 {
		return time.Time{}
	}
	return t.setups[0].by
}

// trimSetups forgets calls at the front that are established or gone.
func (t *Tunnel) trimSetups() {
	n := 0
	for n < len(t.setups) && !t.setups[n].s.settingUp() {
		n++
	}
	clear(t.setups[:n])
	if t.setups = t.setups[n:]; len(t.setups) == 0 {
		t.setups = nil
	}
}

// expire does what is due at now.
func (t *Tunnel) expire(now time.Time) {
	if due(t.lingerUntil, now) {
		t.finish()
		return
	}
	if !t.d.expire(now) {
		t.lose(Result{Code: StopGeneral, Message: "no answer"})
		return
	}
	if due(t.establishBy, now) {
		t.expireEstablishment(now)
		return
	}
	t.expireSetups(now)
	if due(t.helloAt(), now) {
		t.send(&HELLO{}, nil)
	}
}

// expireEstablishment gives up a tunnel that was not established in time.
func (t *Tunnel) expireEstablishment(now time.Time) {
	r := Result{Code: StopGeneral, Message: "not established in time"}
	if !t.heard {
		t.lose(r)
		return
	}
	t.stop(now, r)
}

// handle does what ev demands.
func (t *Tunnel) handle(now time.Time, ev Event) {
	switch ev := ev.(type) {
	case Tick:
	case Open:
		if t.initiator && connTable[t.rfcState()][connLocalOpen].do != 0 {
			t.conn(now, connLocalOpen, End{})
		}
	case MessageReceived:
		t.receive(now, ev.Data)
	case DataReceived:
		t.heardAt = now
	case TieBreakerLost:
		if t.state == TunnelWaitCtlReply {
			t.conn(now, connLoseTie, End{Result: Result{Code: StopAlreadyExists}})
		}
	case Stop:
		t.stop(now, ev.Result)
	default:
		t.handleCall(now, ev)
	}
}

// rfcState is the row of the table: after the clean up the RFC is idle again.
func (t *Tunnel) rfcState() TunnelState {
	if t.state >= numConnStates {
		return TunnelIdle
	}
	return t.state
}

// receive takes a datagram: what the reliable transport does with its header.
func (t *Tunnel) receive(now time.Time, data []byte) {
	h, avps, err := ParseHeader(data)
	// "A control message with a malformed header should be discarded", 7.1.
	if err != nil || !h.Control {
		t.stats.Malformed++
		return
	}
	if !t.addressed(h) {
		t.stats.Misdirected++
		return
	}
	t.heard, t.heardAt, t.d.silence = true, now, 0
	if t.d.acknowledge(now, h.Nr) > 0 && t.state == TunnelClosing && t.d.idle() {
		t.lingerUntil = now.Add(t.cfg.linger())
	}
	if len(avps) == 0 {
		t.stats.ZLBReceived++
		return
	}
	t.sequence(now, h, avps)
}

// addressed says whether a message is for this tunnel. Tunnel ID zero is that
// of an initiator who does not know ours yet.
func (t *Tunnel) addressed(h Header) bool {
	return h.TunnelID == t.id || h.TunnelID == 0 && !t.initiator
}

// sequence brings messages into their order.
func (t *Tunnel) sequence(now time.Time, h Header, avps []byte) {
	switch t.d.arrive(h.Ns) {
	case duplicate:
		// "Receipt of duplicate messages MUST be acknowledged by the reliable
		// transport."
		t.stats.Duplicates++
		t.d.ackDue = now
	case early:
		t.stats.OutOfOrder++
		if !t.mayHold(len(avps)) {
			t.stats.BeyondWindow++
		} else if !t.d.keep(h.Ns, earlyMessage{h.SessionID, slices.Clone(avps)}) {
			t.stats.Duplicates++
		}
	case beyond:
		t.stats.BeyondWindow++
	case inOrder:
		if len(t.d.queue) > maxUnanswered {
			t.stats.BeyondWindow++
			return
		}
		t.d.received(now)
		t.process(now, h.SessionID, avps)
		for m, ok := t.d.next(); ok; m, ok = t.d.next() {
			t.d.received(now)
			t.process(now, m.session, m.avps)
		}
	}
}

// mayHold says whether a message of n bytes may be kept until its turn.
func (t *Tunnel) mayHold(n int) bool {
	if t.state != TunnelEstablished {
		return t.d.held+n <= maxHeldAtFirst
	}
	return t.d.held+n <= maxHeld
}

// process handles one message in its turn.
func (t *Tunnel) process(now time.Time, sid SessionID, avps []byte) {
	p := parser{secret: t.cfg.Secret}
	m := p.parse(avps)
	t.stats.IgnoredAVPs += uint32(p.ignored)
	if p.err != nil {
		t.stats.Malformed++
	}
	if m != nil {
		t.stats.Received[m.Type()]++
	}
	switch {
	case t.state >= TunnelClosing:
		t.processLate(now, m)
	case m == nil:
		t.unreadable(now, sid, p.err)
	case m.Type().ofCall():
		t.callMessage(now, sid, m, p.err)
	default:
		t.connMessage(now, m, p.err)
	}
}

// processLate looks at what comes after the end: the StopCCN that we owe can
// leave with the peer's identifier once an SCCRP tells it.
func (t *Tunnel) processLate(now time.Time, m Message) {
	switch m := m.(type) {
	case *SCCRP:
		if t.peer.TunnelID == 0 {
			t.peer.TunnelID = m.AssignedTunnelID
		}
	case *StopCCN:
		t.d.ackDue = now
	}
}

// unreadable handles a message whose type is missing or not known.
//
// "If the M-bit is set within the Message Type AVP and the Message Type is
// unknown to the implementation, the tunnel MUST be cleared. If the M-bit is
// not set, then the implementation may ignore an unknown message type."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.1
func (t *Tunnel) unreadable(now time.Time, sid SessionID, err *ParseError) {
	if !err.Mandatory {
		t.stats.IgnoredMessages++
		return
	}
	if s := t.sessions[sid]; s != nil && err.Reason == NoMessageType {
		t.refuseCall(s, err.result())
		return
	}
	t.stop(now, err.result())
}

// send queues a message of the tunnel, or of session s. Requests for new calls
// wait until all else has left: a call that has begun must not time out behind
// those that have not.
func (t *Tunnel) send(m Message, s *session) {
	o := outgoing{avps: appendMessage(nil, m, t.cfg), mt: m.Type()}
	if s != nil {
		o.id, o.peer = s.id, s.peer
		if m.Type() != TypeCDN {
			o.session = s
		}
	}
	if o.mt == TypeICRQ || o.mt == TypeOCRQ {
		t.d.requests = append(t.d.requests, o)
		return
	}
	t.d.enqueue(o)
}

// flush sends what the window allows, and an acknowledgement if one is due and
// found nothing to ride on.
func (t *Tunnel) flush(now time.Time) {
	t.d.transmit(now, t.sendOutgoing)
	if due(t.d.ackDue, now) {
		t.stats.ZLBSent++
		t.sendDatagram(0, t.d.ns, nil, Send{})
	}
}

// sendOutgoing sends a message for the first time or again.
func (t *Tunnel) sendOutgoing(o *outgoing, ns uint16, again bool) {
	t.sendDatagram(o.peer, ns, o.avps, Send{Session: o.id, Again: again})
	if again {
		t.stats.Retransmits++
		return
	}
	t.stats.Sent[o.mt]++
	if s := o.session; s != nil {
		o.session = nil // an end comes too late now
		t.left(s, o.mt)
	}
}

// "The retransmitted message contains the same Ns value, but the Nr value MUST
// be updated with the sequence number of the next expected message." (5.8)
// "The L2TP peer MUST place [the Assigned Tunnel ID] in the Tunnel ID header
// field of all control and data messages that it subsequently transmits. ...
// Before the Assigned Tunnel ID AVP is received from a peer, messages MUST be
// sent to that peer with a Tunnel ID value of 0." (4.4.3)
func (t *Tunnel) sendDatagram(sid SessionID, ns uint16, avps []byte, a Send) {
	b := make([]byte, 0, controlHeaderLen+len(avps))
	a.Data = appendControl(b, t.peer.TunnelID, sid, ns, t.d.nr, avps)
	t.emit(a)
	t.d.ackDue, t.d.owed = time.Time{}, 0
}

// stop ends the tunnel and tells the peer.
func (t *Tunnel) stop(now time.Time, r Result) {
	switch t.state {
	case TunnelClosing:
	case TunnelIdle: // there is nobody to tell
		t.end(End{Result: r, Lost: true})
		t.finish()
	case TunnelEstablished:
		t.conn(now, connAdminClose, End{Result: r})
	default: // the RFC's table has no row, but calls can be given up early
		t.carryOut(now, connCell{do: refuseTunnel}, End{Result: r})
	}
}

// lose ends the tunnel when nobody is there to be told.
func (t *Tunnel) lose(r Result) {
	if t.state != TunnelClosing {
		t.end(End{Result: r, Lost: true})
	}
	t.finish()
}

// end reports the end of the tunnel, after that of its sessions.
func (t *Tunnel) end(e End) {
	for _, id := range slices.Sorted(maps.Keys(t.sessions)) {
		if s := t.sessions[id]; s != nil {
			t.forget(s, e.ofCall())
		}
	}
	// A map keeps the room that it once needed, and the tunnel may linger.
	t.sessions = make(map[SessionID]*session)
	t.reserved, t.setups, t.establishBy = 0, nil, time.Time{}
	t.d.drop()
	t.emit(Stopped{e})
}

// ofCall is the end of a call whose tunnel ended with e. No CDN is sent or
// received for it, but one might have said this.
func (e End) ofCall() End {
	r := Result{Code: CDNAdministrative, Message: e.Result.Message}
	if e.Lost {
		r.Code = CDNLossOfCarrier
	}
	return End{Result: r, ByPeer: e.ByPeer, Lost: e.Lost}
}

func (t *Tunnel) finish() {
	t.state = TunnelFinished
	t.emit(Finished{})
}
