package ppp

import "bytes"

// Which control protocol of a link: indexes of a [LinkState]'s Controls.
const (
	lcpIndex = iota
	ipcpIndex
	ipv6cpIndex
	numControls
)

var controlProtocols = [numControls]Protocol{ProtocolLCP, ProtocolIPCP, ProtocolIPv6CP}

// A ControlState is what one control protocol remembers: plain data.
type ControlState struct {
	State    State
	ID       uint8 // of the last Configure-Request or Terminate-Request
	RejectID uint8 // of the last Code-Reject or Protocol-Reject
	Awaiting bool  // the last Configure-Request has no valid reply yet
	Heard    bool  // the peer sent something that parses

	Restarts uint8 // the restart counter (RFC 1661, 4.6)
	Naks     uint8 // Configure-Naks sent without a Configure-Ack between
	PeerNaks uint8 // Configure-Naks received in this negotiation
	Refusals uint8 // Naks and Rejects sent in this negotiation

	Told     bool   // NetworkUp was said, and NetworkDown not since
	ByPeer   bool   // the peer sent a Terminate-Request
	Rejected bool   // the peer sent a Protocol-Reject
	Request  []byte // options of the last Configure-Request, until it is replied
	Kept     []byte // a Configure-Request that came too early (NCPs)
}

// alive tells whether a protocol is opened or may yet be, or is just ending.
func (c *ControlState) alive() bool { return c.State >= Closing && !c.Rejected }

// A negotiator is what differs between control protocols.
type negotiator interface {
	// reset begins a new negotiation.
	reset()
	// request appends the options that we ask for now.
	request(b []byte) []byte
	// begin says that the peer asks anew: what it asked before is void.
	begin()
	// judge looks at one option that the peer asks for. With a Nak comes the
	// value that would do.
	judge(o option) (judgement, []byte)
	// missing appends the options that the peer ought to have asked for.
	missing(b []byte) []byte
	// refused says that the peer does not take an option of ours: because of its
	// value, and says a better one, or at all.
	refused(o option, rejected bool)
}

// A judgement is what is said to one option.
type judgement uint8

const (
	acked judgement = iota
	naked
	rejected
)

// negotiatorOf returns the negotiator of a control protocol. They have no state
// of their own: it is the link's.
func (l *Link) negotiatorOf(i int) negotiator {
	switch i {
	case lcpIndex:
		return lcp{l}
	case ipcpIndex:
		return ipcp{l}
	default:
		return ipv6cp{l}
	}
}

// fire runs an event through the automaton. The packet is what there is to answer it
// with; its id is that of the peer's packet.
func (l *Link) fire(i int, ev event, answer packet) {
	l.run(i, ev, answer, 0)
}

func (l *Link) run(i int, ev event, answer packet, done actions) {
	c := &l.state.Controls[i]
	t := table[ev][c.State]
	if t.next == none {
		return
	}
	c.State = t.next
	if ev == evUp {
		l.negotiatorOf(i).reset()
	}
	l.do(i, t.do&^done, answer)
	if !c.State.timed() {
		l.stop(timer(i))
	}
}

// do carries out actions: what was up goes down before anything is sent, what
// comes up does so when everything is sent.
func (l *Link) do(i int, a actions, answer packet) {
	c := &l.state.Controls[i]
	if a&tld != 0 {
		l.leaveOpened(i)
	}
	if a&irc != 0 {
		c.Restarts = l.initialRestarts(i, a)
	}
	if a&zrc != 0 {
		c.Restarts = 0
		l.start(timer(i), l.cfg.limits(i).RestartInterval)
	}
	if a&scr != 0 {
		l.sendConfigureRequest(i)
	}
	if a&str != 0 {
		l.sendTerminateRequest(i)
	}
	if a&(sca|scn|sta|scj|ser) != 0 {
		l.answer(i, a, answer)
	}
	if a&tlu != 0 {
		l.layerUp(i)
	}
	if a&tlf != 0 {
		l.layerFinished(i)
	}
}

// initialRestarts: Max-Terminate where a Terminate-Request is about to be sent,
// Max-Configure otherwise.
func (l *Link) initialRestarts(i int, a actions) uint8 {
	if a&str != 0 {
		return clampCount(l.cfg.limits(i).MaxTerminate)
	}
	return clampCount(l.cfg.limits(i).MaxConfigure)
}

func clampCount(n int) uint8 { return uint8(min(n, 255)) }

func countUp(n *uint8) { *n = clampCount(int(*n) + 1) }

// leaveOpened takes down what the protocol carries and forgets what was agreed.
func (l *Link) leaveOpened(i int) {
	l.layerDown(i)
	l.negotiatorOf(i).reset()
	l.clearCounters(i)
}

func (l *Link) clearCounters(i int) {
	c := &l.state.Controls[i]
	c.Naks, c.PeerNaks, c.Refusals = 0, 0, 0
}

// sendConfigureRequest sends what we ask for.
//
// "The Identifier field MUST be changed whenever the contents of the Options field
// changes, and whenever a valid reply has been received for a previous request.
// For retransmissions, the Identifier MAY remain unchanged."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.1
func (l *Link) sendConfigureRequest(i int) {
	c := &l.state.Controls[i]
	opts := l.negotiatorOf(i).request(nil)
	if !c.Awaiting || !bytes.Equal(opts, c.Request) {
		c.ID++
	}
	c.Request, c.Awaiting = opts, true
	l.count(i)
	l.send(controlProtocols[i], packet{configureRequest, c.ID, opts})
}

func (l *Link) sendTerminateRequest(i int) {
	c := &l.state.Controls[i]
	c.ID++
	c.Request, c.Awaiting = nil, false
	l.count(i)
	var why []byte
	if e := l.state.Ending; i == lcpIndex && e != nil {
		why = []byte(e.CloseReason)
	}
	l.send(controlProtocols[i], packet{terminateRequest, c.ID, why})
}

// count uses up one transmission and starts the Restart timer.
func (l *Link) count(i int) {
	c := &l.state.Controls[i]
	if c.Restarts > 0 {
		c.Restarts--
	}
	l.start(timer(i), l.cfg.limits(i).RestartInterval)
}

// answer sends what a packet of the peer is answered with.
func (l *Link) answer(i int, a actions, answer packet) {
	c := &l.state.Controls[i]
	switch {
	case a&sca != 0:
		c.Naks = 0
	case a&scn != 0:
		countUp(&c.Refusals)
		if answer.code == configureNak {
			countUp(&c.Naks)
		}
	case a&sta != 0:
		answer = packet{code: terminateAck, id: answer.id}
	case a&scj != 0:
		c.RejectID++ // "MUST be changed for each Code-Reject sent." (RFC 1661, 5.6)
		answer.id = c.RejectID
	}
	l.send(controlProtocols[i], answer)
}

// expired is the Restart timer's.
func (l *Link) expired(i int) {
	if l.state.Controls[i].Restarts > 0 {
		l.fire(i, evTimeout, packet{})
		return
	}
	l.fire(i, evExpired, packet{})
}

// receiveControl handles a packet of a control protocol.
func (l *Link) receiveControl(i int, info []byte) {
	p, err := parsePacket(info)
	if err != nil {
		return
	}
	l.state.Controls[i].Heard = true
	switch p.code {
	case configureRequest:
		l.receiveConfigureRequest(i, p)
	case configureAck, configureNak, configureReject:
		l.receiveConfigureReply(i, p)
	case terminateRequest:
		l.receiveTerminateRequest(i, p)
	case terminateAck:
		l.fire(i, evTerminateAck, p)
	case codeReject:
		l.receiveCodeReject(i, p)
	default:
		if i == lcpIndex && l.receiveLCP(p) {
			return
		}
		whole := info[:packetHeader+len(p.data)]
		l.fire(i, evUnknownCode, packet{code: codeReject, data: l.fit(whole, 0)})
	}
}

// receiveConfigureRequest judges what the peer asks for where the state makes it
// matter.
func (l *Link) receiveConfigureRequest(i int, p packet) {
	c := &l.state.Controls[i]
	if !wellFormed(p.data) {
		return
	}
	var done actions
	switch c.State {
	case Stopped, ReqSent, AckRcvd, AckSent:
	case Opened:
		// What was agreed ends before the new request is judged.
		l.leaveOpened(i)
		done = tld
	default:
		l.fire(i, evGoodRequest, p)
		return
	}
	answer := l.judge(i, p)
	ev := evBadRequest
	if answer.code == configureAck {
		ev = evGoodRequest
	}
	l.run(i, ev, answer, done)
	l.checkConvergence(i)
}

// judge makes the answer to a Configure-Request (RFC 1661, 5.2 to 5.4).
func (l *Link) judge(i int, p packet) packet {
	n := l.negotiatorOf(i)
	final := int(l.state.Controls[i].Naks) >= l.cfg.limits(i).MaxFailure
	n.begin()
	var naks, rejects []byte
	for o := range options(p.data) {
		j, value := n.judge(o)
		// "Any further Configure-Nak packets for peer requested options are converted to
		// Configure-Reject packets, and locally desired options are no longer appended."
		// https://www.rfc-editor.org/rfc/rfc1661#section-4.6
		switch {
		case j == rejected, j == naked && final && !l.mustNak(i, o):
			rejects = appendOption(rejects, o.kind, o.value)
		case j == naked:
			naks = appendOption(naks, o.kind, value)
		}
	}
	if rejects == nil && !final {
		naks = n.missing(naks)
	}
	switch {
	case rejects != nil:
		return packet{configureReject, p.id, rejects}
	case naks != nil:
		return packet{configureNak, p.id, naks}
	}
	return packet{configureAck, p.id, p.data}
}

// mustNak: "if an implementation desires to use Magic Numbers, then it MUST also
// allow its peer to do so." Loops are counted apart.
// https://www.rfc-editor.org/rfc/rfc1661#section-6.4
func (l *Link) mustNak(i int, o option) bool {
	return i == lcpIndex && o.kind == optMagic
}

// receiveConfigureReply takes the answer to our Configure-Request.
//
// "On reception of a Configure-Ack, the Identifier field MUST match that of the
// last transmitted Configure-Request. Additionally, the Configuration Options in a
// Configure-Ack MUST exactly match those of the last transmitted Configure-Request.
// Invalid packets are silently discarded."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.2
//
// A second reply to one request is a duplicate, not a crossed connection.
func (l *Link) receiveConfigureReply(i int, p packet) {
	c := &l.state.Controls[i]
	if c.State == Closed || c.State == Stopped {
		l.fire(i, evAck, p) // a Terminate-Ack: we ask for nothing
		return
	}
	if p.id != c.ID || !c.Awaiting || !l.validReply(c, p) {
		return
	}
	c.Awaiting, c.Request = false, nil
	ev := evAck
	if p.code != configureAck {
		l.takeRefusal(i, p)
		ev = evNak
	}
	// Where there is nothing left to ask for, nothing is asked: "when a new
	// Configure-Request is sent, it MUST NOT include any of the Configuration Options
	// listed in the Configure-Reject."
	// https://www.rfc-editor.org/rfc/rfc1661#section-5.4
	if l.failing&(1<<i) == 0 {
		l.fire(i, ev, p)
	}
	l.checkConvergence(i)
}

func (l *Link) validReply(c *ControlState, p packet) bool {
	switch p.code {
	case configureAck:
		return bytes.Equal(p.data, c.Request)
	case configureReject:
		return len(p.data) > 0 && isPart(p.data, c.Request)
	default:
		return wellFormed(p.data)
	}
}

// takeRefusal changes what we ask for. A peer that only ever says Nak is taken
// to say Reject in the end, or there would be no end.
func (l *Link) takeRefusal(i int, p packet) {
	c := &l.state.Controls[i]
	final := p.code == configureReject
	if p.code == configureNak {
		final = int(c.PeerNaks) >= l.cfg.limits(i).MaxFailure
		countUp(&c.PeerNaks)
	}
	n := l.negotiatorOf(i)
	for o := range options(p.data) {
		n.refused(o, final)
	}
}

func (l *Link) receiveTerminateRequest(i int, p packet) {
	c := &l.state.Controls[i]
	c.ByPeer = true
	if i == lcpIndex && c.State == Opened {
		l.setEnd(PeerTerminated, "the peer terminated the link"+quoted(p.data))
	}
	l.fire(i, evTerminateRequest, p)
	if i == lcpIndex {
		l.updatePhase()
	}
}

// receiveCodeReject: the first seven codes are what a control protocol is made of;
// any other is what it can do without.
func (l *Link) receiveCodeReject(i int, p packet) {
	if len(p.data) == 0 {
		return
	}
	switch c := code(p.data[0]); {
	case c >= configureRequest && c <= codeReject:
		if i == lcpIndex {
			l.setEnd(NegotiationFailed, "the peer rejected the LCP code "+c.String())
		}
		l.fire(i, evBroken, p)
	default:
		if i == lcpIndex && (c == echoRequest || c == echoReply) {
			l.stop(timerEcho) // "MUST stop sending the offending packet type"
		}
		l.fire(i, evRejected, p)
	}
	if i == lcpIndex {
		l.updatePhase()
	}
}

// maxRefusals is how many Naks and Rejects one negotiation may see from us. The
// automaton alone would go on for ever with a peer that acknowledges what we ask
// and never asks for what it may have.
const maxRefusals = 100

// checkConvergence ends a protocol whose negotiator gave up.
func (l *Link) checkConvergence(i int) {
	c := &l.state.Controls[i]
	if c.Refusals >= maxRefusals {
		l.giveUp(i, NegotiationFailed, "the peer never asks for what it may have")
	}
	if l.failing&(1<<i) == 0 {
		return
	}
	l.failing &^= 1 << i
	if i == lcpIndex {
		l.terminate()
		return
	}
	l.fire(i, evClose, packet{})
}

// giveUp notes that a protocol cannot converge, and why; checkConvergence acts on
// it when the packet at hand is dealt with.
func (l *Link) giveUp(i int, reason EndReason, detail string) {
	l.failing |= 1 << i
	if i == lcpIndex {
		l.setEnd(reason, detail)
		return
	}
	l.state.NetworkFailure = detail
}
