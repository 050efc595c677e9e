package bench

import (
	"fmt"
	"time"

	"culvert/l2tp"
	"culvert/ppp"
)

// A session is one of a run's: one call after the other, if it must. Its run's loop owns it.
// There are many: it is kept small, and what it is not doing costs it nothing.
type session struct {
	tunnel *tunnel
	link   *ppp.Link // from the ICCN on
	flow   *flow     // of a session that is to have traffic

	began time.Duration // when the call was to be placed
	since time.Duration // when the phase began
	until time.Duration // when the call is given up, held long enough, or tried again; never if not
	next  time.Duration // the link's deadline

	number   int32
	place    slot
	id, peer l2tp.SessionID
	ns       uint16
	numbered bool // the LNS numbers data, so we do (RFC 2661, 5.4)
	state    state
}

// A state says what a session is doing.
type state uint8

const (
	waiting state = iota // for its tunnel, for its turn, or to be tried again
	queued               // placed; the ICRQ waits for the window
	calling
	negotiating
	authenticating
	addressing
	up
	failing // what it ended for is counted
	leaving // it was up for long enough
	over    // for good
)

// phases are where a session fails in each state.
var phases = [...]Phase{
	waiting: PhaseTunnel, queued: PhaseQueue, calling: PhaseCall, negotiating: PhaseLCP,
	authenticating: PhaseAuth, addressing: PhaseIPCP, up: PhaseUp,
}

func (s state) isSetUp() bool { return s >= queued && s <= addressing }

func (s *session) run() *Run { return s.tunnel.run }

func (s *session) slot() *slot { return &s.place }

func (s *session) deadline() time.Duration {
	at := min(s.until, s.next)
	if s.flow != nil && s.state == up {
		at = min(at, s.flow.next)
	}
	return at
}

func (s *session) tick(now time.Time) {
	r := s.run()
	at := r.since(now)
	if s.until <= at {
		s.expire(at)
	}
	if s.next <= at {
		r.stepLink(s, ppp.Tick{})
	}
	if s.flow != nil && s.state == up && s.flow.next <= at {
		s.flow.tick(s, at)
	}
}

// expire does what until was for.
func (s *session) expire(now time.Duration) {
	s.until = never
	switch {
	case s.state == waiting:
		s.enqueue()
	case s.state == up:
		s.run().tally.end()
		s.hangUp(leaving, l2tp.Result{Code: l2tp.CDNLossOfCarrier})
	case s.state.isSetUp():
		s.fail(cause{"timed out", fmt.Sprintf("after %v", s.run().cfg.ConnectTimeout)})
		s.hangUp(failing, l2tp.Result{Code: l2tp.CDNNotEstablishedInTime})
	}
}

// enqueue has the session wait for its turn.
func (s *session) enqueue() {
	s.state = waiting
	s.tunnel.waiting.push(s)
	s.run().makeReady(s.tunnel)
}

// giveUpWaiting ends a session whose tunnel will not come up, or not again.
func (s *session) giveUpWaiting(now time.Duration, wasUp bool) {
	why := cause{text: "its tunnel did not come up"}
	if wasUp {
		why.text = "its tunnel was lost"
	}
	s.run().pending--
	s.run().tally.fail(PhaseTunnel, why)
	s.settle(now, false)
}

// call places the call that was to be placed at due.
func (s *session) call(now, due time.Duration) {
	r := s.run()
	s.state, s.began, s.since, s.until = queued, due, due, due+r.cfg.ConnectTimeout
	r.pending--
	r.tally.place(now, now-due)
	id, ok := s.tunnel.core.NewSessionID()
	if !ok {
		s.fail(cause{text: "the tunnel has no room"})
		s.settle(now, false)
		return
	}
	s.id = id
	s.tunnel.sessions[id] = s
	r.step(s.tunnel, l2tp.PlaceCall{
		Session: id, Kind: l2tp.LACIncoming, Call: r.cfg.call(int(s.number)),
	})
	r.deadlines.update(s)
}

// enter ends a phase and begins the next.
func (s *session) enter(now time.Duration, next state) {
	s.run().tally.timed(phases[s.state], now-s.since)
	s.state, s.since = next, now
}

// asked: the ICRQ has left.
func (s *session) asked(now time.Duration) { s.enter(now, calling) }

// connected: the ICCN has left; PPP begins.
func (s *session) connected(now time.Duration, peer l2tp.SessionID) {
	if s.state != calling {
		return
	}
	s.enter(now, negotiating)
	s.peer, s.ns, s.numbered = peer, 0, false
	s.link = ppp.NewLink(s.run().linkConfig(s))
	s.run().stepLink(s, ppp.LowerUp{})
}

// disconnected: the call has ended. A link that ended for a reason of its own had the
// CDN as a consequence.
func (s *session) disconnected(now time.Duration, e l2tp.End) {
	t := s.tunnel
	delete(t.sessions, s.id)
	why := callCause(e)
	if s.link != nil && s.link.End().Reason != 0 {
		why = linkCause(s.link.End())
	} else if t.core.State() > l2tp.TunnelEstablished && !s.run().isEnding() {
		why = cause{"the tunnel ended", e.Result.Message}
	}
	s.link, s.next = nil, never
	willing := s.state == leaving
	switch {
	case s.run().isEnding():
		s.cancel()
	case s.state == up:
		s.run().tally.drop(why)
	case s.state.isSetUp():
		s.fail(why)
	}
	s.settle(now, willing)
}

// cancel counts a session that ends because the run does.
func (s *session) cancel() {
	count := &s.run().tally
	switch {
	case s.state == up:
		count.end()
	case s.state.isSetUp():
		count.inFlight--
		count.cancelled++
	}
}

// fail counts a set-up that failed.
func (s *session) fail(why cause) {
	s.run().tally.inFlight--
	s.run().tally.fail(phases[s.state], why)
	s.state = failing
}

// hangUp ends the call. What for is counted already.
func (s *session) hangUp(next state, r l2tp.Result) {
	s.state, s.link, s.next, s.until = next, nil, never, never
	s.run().step(s.tunnel, l2tp.HangUp{Session: s.id, Result: r})
}

// settle is the end of a call: for good, or until the next. One that we ended when it
// had been up long enough is placed again at once.
func (s *session) settle(now time.Duration, willing bool) {
	r := s.run()
	s.state, s.until = over, never
	if r.cfg.Churn && !r.isEnding() {
		r.pending++
		s.state = waiting
		if willing {
			s.enqueue()
		} else {
			s.until = now + retryDelay
		}
	}
	r.deadlines.update(s)
}

// step gives an event to the link and carries out what it says.
func (s *session) step(now time.Time, ev ppp.Event) {
	if s.link == nil {
		return
	}
	_, timer := ev.(ppp.Tick)
	for _, a := range s.link.Step(now, ev) {
		if s.act(s.run().since(now), a, timer); s.link == nil {
			break
		}
	}
	if s.link != nil {
		s.next = s.run().since(s.link.Deadline())
	}
	s.run().deadlines.update(s)
}

// act carries out an action of the link; timer says that a timer caused it.
func (s *session) act(now time.Duration, a ppp.Action, timer bool) {
	r := s.run()
	switch a := a.(type) {
	case ppp.SendFrame:
		if timer && !isNew(a.Frame) {
			r.tally.againPPP++
		}
		s.send(a.Frame)
	case ppp.LinkUp:
		s.linkUp(now)
	case ppp.GrantAddresses:
		if s.state == authenticating {
			s.authenticated(now)
		}
		r.stepLink(s, ppp.AddressesGranted{Serial: a.Serial})
	case ppp.NetworkUp:
		s.networkUp(now, a)
	case ppp.Finished:
		s.linkEnded(a.End)
	}
}

// isNew reports whether a frame that a timer caused does not repeat another: an
// Echo-Request of LCP, or the Terminate-Request when none was answered.
func isNew(frame []byte) bool {
	const terminateRequest, echoRequest = 5, 9
	return len(frame) > 2 && frame[0] == 0xc0 && frame[1] == 0x21 &&
		(frame[2] == terminateRequest || frame[2] == echoRequest)
}

func (s *session) linkUp(now time.Duration) {
	switch s.state {
	case negotiating:
		s.enter(now, authenticating)
	case up:
		s.run().tally.renegotiated++
	}
}

// authenticated ends the phase, which takes no time where the LNS does not ask.
func (s *session) authenticated(now time.Duration) {
	if s.link.Terms().AuthLocal == 0 {
		s.state = addressing
		return
	}
	s.enter(now, addressing)
}

func (s *session) networkUp(now time.Duration, a ppp.NetworkUp) {
	r := s.run()
	if s.state == addressing {
		s.enter(now, up)
		r.tally.timed(PhaseSetUp, now-s.began)
		r.tally.up(now)
		if s.until = never; r.cfg.Hold > 0 {
			s.until = now + r.cfg.Hold
		}
	}
	if s.flow != nil && s.state == up {
		s.flow.begin(s, now, a.Addresses)
	}
}

// linkEnded: PPP has ended by itself.
func (s *session) linkEnded(e ppp.End) {
	if s.state == up {
		s.run().tally.drop(linkCause(e))
	} else if s.state.isSetUp() {
		s.fail(linkCause(e))
	}
	s.hangUp(failing, l2tp.Result{Code: l2tp.CDNLossOfCarrier})
}

// receive takes what came in a data message.
func (s *session) receive(h l2tp.Header, frame []byte) {
	s.numbered = s.numbered || h.HasSequence
	p, info, err := ppp.ParseFrame(frame)
	if err == nil && p == ppp.ProtocolIPv4 && s.state == up {
		if s.flow != nil {
			s.flow.receive(s, info)
		}
		return
	}
	s.run().stepLink(s, ppp.FrameReceived{Frame: frame})
}

// send sends a PPP frame in a data message.
func (s *session) send(frame []byte) {
	r := s.run()
	h := l2tp.Header{
		TunnelID: s.tunnel.core.PeerID(), SessionID: s.peer, HasSequence: s.numbered, Ns: s.ns,
	}
	if s.numbered {
		s.ns++
	}
	b := append(l2tp.AppendHeader(r.scratch[:0], h, 0), 0xff, 0x03)
	r.scratch = append(b, frame...)
	r.tally.dataSent++
	if s.tunnel.conn.Send(s.tunnel.peer, r.scratch) != nil {
		r.tally.sendErrors++
	}
}
