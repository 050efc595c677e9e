package l2tp

import (
	"bytes"
	"fmt"
	"time"
)

// conn runs the control connection's table. e is the end, if the event is one.
func (t *Tunnel) conn(now time.Time, ev connEvent, e End) {
	cell := connTable[t.rfcState()][ev]
	if cell.do == 0 {
		// "An invalid control message is defined as ... a control message that
		// is received in an improper sequence", 7.1: the connection is cleared.
		cell.do = refuseTunnel
	}
	t.carryOut(now, cell, e)
}

// carryOut does what a cell of the table says.
func (t *Tunnel) carryOut(now time.Time, cell connCell, e End) {
	from := t.state
	t.state = cell.next
	if cell.do&sendSCCRQ != 0 {
		t.heardAt = now
		t.establishBy = now.Add(t.cfg.establishTimeout())
		t.send(t.sccrq(), nil)
	}
	if cell.do&sendSCCRP != 0 {
		t.establishBy = now.Add(t.cfg.establishTimeout())
		t.send(t.sccrp(), nil)
	}
	if cell.do&sendSCCCN != 0 {
		t.send(&SCCCN{ChallengeResponse: t.respond(TypeSCCCN)}, nil)
	}
	if cell.do&tunnelOpen != 0 {
		t.opened(from)
	}
	if cell.do&cleanUpTunnel != 0 {
		t.cleanUp(now, cell.do, e)
	}
}

// opened tells those who wait that the tunnel is open.
func (t *Tunnel) opened(from TunnelState) {
	if from != TunnelEstablished {
		t.establishBy = time.Time{}
		t.challenge = nil
		t.emit(Established{t.peer})
	}
	for _, w := range t.setups {
		if w.s.state == CallWaitTunnel && !w.s.gone {
			t.call(w.s, callTunnelOpen, End{})
		}
	}
}

// cleanUp ends the tunnel. Where something was sent or received the transport
// lives on for a while.
//
// "When a tunnel is being shut down for reasons other than loss of
// connectivity, the state and reliable delivery mechanisms MUST be maintained
// and operated for the full retransmission interval after the final message
// exchange has occurred."
// https://www.rfc-editor.org/rfc/rfc2661#section-5.8
func (t *Tunnel) cleanUp(now time.Time, do connActions, e End) {
	told := do&sendStopCCN != 0
	if told && e.Result == (Result{}) {
		e.Result = Result{Code: StopFSM}
	}
	e.Lost = !told && !e.ByPeer
	t.end(e)
	if e.Lost {
		t.finish()
		return
	}
	if e.ByPeer {
		// The peer hears of nothing more: what it has not acknowledged it
		// has no use for.
		t.d.sent = nil
	}
	t.state = TunnelClosing
	t.lingerUntil = now.Add(t.cfg.linger())
	if told {
		t.send(&StopCCN{AssignedTunnelID: t.id, Result: e.Result}, nil)
	}
}

// sccrq is what we ask with.
func (t *Tunnel) sccrq() *SCCRQ {
	m := &SCCRQ{
		ProtocolVersion:     protocolVersion,
		HostName:            t.hostName(),
		FramingCapabilities: t.cfg.framing(),
		AssignedTunnelID:    t.id,
		BearerCapabilities:  t.cfg.BearerCapabilities,
		ReceiveWindowSize:   t.cfg.receiveWindow(),
		Challenge:           t.newChallenge(),
		FirmwareRevision:    t.cfg.FirmwareRevision,
		VendorName:          t.cfg.vendorName(),
	}
	if t.cfg.UseTieBreaker {
		t.tieBreaker = new([8]byte(t.cfg.random(8)))
		m.TieBreaker = t.tieBreaker
	}
	return m
}

// sccrp is what we answer with.
func (t *Tunnel) sccrp() *SCCRP {
	return &SCCRP{
		ProtocolVersion:     protocolVersion,
		HostName:            t.hostName(),
		FramingCapabilities: t.cfg.framing(),
		AssignedTunnelID:    t.id,
		BearerCapabilities:  t.cfg.BearerCapabilities,
		ReceiveWindowSize:   t.cfg.receiveWindow(),
		Challenge:           t.newChallenge(),
		ChallengeResponse:   t.respond(TypeSCCRP),
		FirmwareRevision:    t.cfg.FirmwareRevision,
		VendorName:          t.cfg.vendorName(),
	}
}

// "The Host Name is of arbitrary length, but MUST be at least 1 octet."
func (t *Tunnel) hostName() string {
	if t.cfg.HostName == "" {
		return "localhost"
	}
	return t.cfg.HostName
}

// newChallenge makes a challenge if the peer is to be challenged.
func (t *Tunnel) newChallenge() []byte {
	if t.cfg.ChallengePeer && t.cfg.Secret != "" {
		t.challenge = t.cfg.random(challengeLen)
	}
	return t.challenge
}

// respond answers the peer's challenge, if there was one, in a message of type mt.
func (t *Tunnel) respond(mt MessageType) []byte {
	if t.peerChallenge == nil {
		return nil
	}
	r := challengeResponse(mt, t.cfg.Secret, t.peerChallenge)
	t.peerChallenge = nil
	return r
}

// connMessage handles a message of the control connection. perr is what is
// wrong with it, or nil.
func (t *Tunnel) connMessage(now time.Time, m Message, perr *ParseError) {
	switch m := m.(type) {
	case *SCCRQ:
		t.receiveSCCRQ(now, m, perr)
	case *SCCRP:
		t.receiveSCCRP(now, m, perr)
	case *SCCCN:
		t.receiveSCCCN(now, m, perr)
	case *StopCCN:
		t.receiveStopCCN(now, m)
	case *HELLO:
		if perr != nil {
			t.stop(now, perr.result())
		}
	}
}

func (t *Tunnel) receiveSCCRQ(now time.Time, m *SCCRQ, perr *ParseError) {
	ev, e := connSCCRQ, End{}
	if t.state == TunnelIdle {
		t.learn(Peer{
			TunnelID: m.AssignedTunnelID, HostName: m.HostName, VendorName: m.VendorName,
			FirmwareRevision:    m.FirmwareRevision,
			FramingCapabilities: m.FramingCapabilities,
			BearerCapabilities:  m.BearerCapabilities,
			ReceiveWindow:       m.ReceiveWindowSize,
		}, m.ProtocolVersion, m.Challenge)
		if r := t.judge(m.ProtocolVersion, perr); r != nil {
			ev, e.Result = connSCCRQBad, *r
		} else if t.refuse != nil {
			ev, e.Result = connSCCRQBad, *t.refuse
		}
	}
	t.conn(now, ev, e)
}

func (t *Tunnel) receiveSCCRP(now time.Time, m *SCCRP, perr *ParseError) {
	ev, e := connSCCRP, End{}
	if t.state == TunnelWaitCtlReply {
		t.learn(Peer{
			TunnelID: m.AssignedTunnelID, HostName: m.HostName, VendorName: m.VendorName,
			FirmwareRevision:    m.FirmwareRevision,
			FramingCapabilities: m.FramingCapabilities,
			BearerCapabilities:  m.BearerCapabilities,
			ReceiveWindow:       m.ReceiveWindowSize,
		}, m.ProtocolVersion, m.Challenge)
		r := t.judge(m.ProtocolVersion, perr)
		if r == nil {
			r = t.judgeResponse(TypeSCCRP, m.ChallengeResponse)
		}
		if r != nil {
			ev, e.Result = connSCCRPBad, *r
		}
	}
	t.conn(now, ev, e)
}

func (t *Tunnel) receiveSCCCN(now time.Time, m *SCCCN, perr *ParseError) {
	ev, e := connSCCCN, End{}
	if perr != nil {
		ev, e.Result = connSCCCNBad, perr.result()
	} else if t.state == TunnelWaitCtlConn {
		if r := t.judgeResponse(TypeSCCCN, m.ChallengeResponse); r != nil {
			ev, e.Result = connSCCCNBad, *r
		}
	}
	t.conn(now, ev, e)
}

// receiveStopCCN ends the tunnel whatever else is wrong with the message.
//
// "The receiver of a StopCCN MUST send a ZLB ACK to acknowledge receipt of the
// message and maintain enough control connection state to properly accept
// StopCCN retransmissions over at least a full retransmission cycle."
// https://www.rfc-editor.org/rfc/rfc2661#section-5.7
func (t *Tunnel) receiveStopCCN(now time.Time, m *StopCCN) {
	// "permitting the peer to identify the appropriate tunnel even if a
	// StopCCN is sent before an Assigned Tunnel ID AVP is received", 4.4.3.
	if t.peer.TunnelID == 0 {
		t.peer.TunnelID = m.AssignedTunnelID
	}
	t.d.ackDue = now
	t.conn(now, connStopCCN, End{Result: m.Result, ByPeer: true})
}

// learn keeps what the peer said of itself.
func (t *Tunnel) learn(p Peer, version uint16, challenge []byte) {
	p.ProtocolVersion, p.ProtocolRevision = uint8(version>>8), uint8(version)
	t.peer = p
	t.d.setPeerWindow(p.ReceiveWindow)
	t.peerChallenge = bytes.Clone(challenge)
}

// judge says why an SCCRQ or SCCRP is not acceptable, or nil.
func (t *Tunnel) judge(version uint16, perr *ParseError) *Result {
	switch {
	// "If the version is earlier and not supported, a StopCCN MUST be sent."
	// (7.2.1) "Error Code indicates highest version supported" (4.4.2).
	case version != 0 && version>>8 != protocolVersion>>8:
		return &Result{Code: StopVersion, Error: protocolVersion,
			Message: fmt.Sprintf("version %d.%d", version>>8, version&0xff)}
	case perr != nil:
		return new(perr.result())
	case t.peerChallenge != nil && t.cfg.Secret == "":
		return &Result{Code: StopNotAuthorized, Message: "challenged, but there is no secret here"}
	}
	return nil
}

// judgeResponse says why a challenge response is not acceptable, or nil.
//
// "If the expected response and response received from a peer does not match,
// establishment of the tunnel MUST be disallowed."
// https://www.rfc-editor.org/rfc/rfc2661#section-5.1.1
func (t *Tunnel) judgeResponse(mt MessageType, response []byte) *Result {
	switch {
	case t.challenge == nil:
		return nil
	case response == nil:
		return &Result{Code: StopNotAuthorized, Message: "no challenge response"}
	case !checkResponse(mt, t.cfg.Secret, t.challenge, response):
		return &Result{Code: StopNotAuthorized, Message: "wrong challenge response"}
	}
	return nil
}

// A Tie is what becomes of two tunnels that two ends ask of each other at once.
type Tie uint8

// The outcomes of [Tunnel.Collide].
const (
	TieNone Tie = iota // both tunnels are wanted, or ours is not just being asked for
	TieWon             // discard the peer's SCCRQ silently
	TieLost            // Step ours with TieBreakerLost, then answer the peer's SCCRQ
	TieBoth            // discard both: Step ours with TieBreakerLost, no answer
)

// Collide compares our SCCRQ, if it is outstanding, with one that came from
// the same peer.
//
// "The lower value "wins", and the "loser" MUST silently discard its tunnel.
// In the case where a tie breaker is present on both sides, and the value is
// equal, both sides MUST discard their tunnels. If a tie breaker is received,
// and an outstanding SCCRQ had no tie breaker value, the initiator which
// included the Tie Breaker AVP "wins". If neither side issues a tie breaker,
// then two separate tunnels are opened."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.3
func (t *Tunnel) Collide(peerTieBreaker *[8]byte) Tie {
	switch {
	case t.state != TunnelWaitCtlReply, t.tieBreaker == nil && peerTieBreaker == nil:
		return TieNone
	case t.tieBreaker == nil:
		return TieLost
	case peerTieBreaker == nil:
		return TieWon
	}
	switch bytes.Compare(t.tieBreaker[:], peerTieBreaker[:]) {
	case -1:
		return TieWon
	case 1:
		return TieLost
	}
	return TieBoth
}
