package ppp

import "bytes"

// The codes and types of EAP that are understood here (RFC 3748, 4 and 5).
const (
	eapRequest code = iota + 1
	eapResponse
	eapSuccess
	eapFailure
)

const (
	eapIdentity     = 1
	eapNotification = 2
	eapNak          = 3
	eapMD5          = 4
)

// As authenticator we pass packets between the peer and the engine, which
// understands methods or knows who does. The Identity is all that is read here.

func (l *Link) sendEAPIdentityRequest() {
	id := l.state.PeerAuth.ID + 1
	l.sendEAPRequest(appendPacket(nil, packet{eapRequest, id, []byte{eapIdentity}}))
}

// sendEAPRequest sends a request and repeats it until it is answered, unchanged: it is
// for the authenticator to do so (RFC 3748, 3.1 and 4.1).
func (l *Link) sendEAPRequest(b []byte) {
	a := &l.state.PeerAuth
	p, err := parsePacket(b)
	if err != nil || p.code != eapRequest {
		l.setEnd(AuthFailed, "authenticating by EAP: the next packet is no request")
		l.terminate()
		return
	}
	a.ID, a.Challenge = p.id, append([]byte(nil), b[:packetHeader+len(p.data)]...)
	a.Attempts = clampCount(l.cfg.authAttempts())
	l.repeatEAPRequest()
}

func (l *Link) repeatEAPRequest() {
	a := &l.state.PeerAuth
	a.Waiting = true
	a.Attempts--
	l.act(SendFrame{Frame: AppendFrame(nil, ProtocolEAP, a.Challenge)})
	l.start(timerPeerAuth, l.cfg.authInterval())
}

func (l *Link) receiveEAP(p packet, asPeer, asLocal bool) {
	switch {
	case p.code == eapResponse && asPeer:
		l.receiveEAPResponse(p)
	case p.code == eapRequest && asLocal:
		l.receiveEAPRequest(p)
	case p.code == eapSuccess && asLocal && l.state.LocalAuth.Sent:
		l.localProven(nil)
	case p.code == eapFailure && asLocal && l.state.LocalAuth.Told:
		l.localRefused(nil)
	}
}

// receiveEAPResponse asks the engine about the response to the current request; one to an
// earlier request is dropped (RFC 3748, 4.1).
func (l *Link) receiveEAPResponse(p packet) {
	a := &l.state.PeerAuth
	if !a.Waiting || p.id != a.ID || len(p.data) == 0 {
		return
	}
	name := a.Name
	if p.data[0] == eapIdentity {
		name = clip(string(p.data[1:]), 253)
	}
	a.AskID = p.id
	c := Credentials{
		Method: EAP, Name: name, ID: p.id, State: bytes.Clone(a.State),
		Challenge: make([]byte, 16), Response: appendPacket(nil, p),
	}
	l.random(c.Challenge)
	l.ask(c)
}

// sendEAPVerdict ends the conversation, with the identifier of the response that was the
// last (RFC 3748, 4.2).
func (l *Link) sendEAPVerdict(v Verdict) {
	c := eapFailure
	if v.OK {
		c = eapSuccess
	}
	p, err := parsePacket(v.EAP)
	if err != nil || p.code != c {
		p = packet{code: c, id: l.state.PeerAuth.AskID}
	}
	l.send(ProtocolEAP, p)
}

// receiveEAPRequest answers as the peer: who we are, and MD5-Challenge. To any other
// method the answer is what we would rather have (RFC 3748, 5.3.1).
func (l *Link) receiveEAPRequest(p packet) {
	if len(p.data) == 0 {
		return
	}
	a := &l.state.LocalAuth
	var answer []byte
	switch p.data[0] {
	case eapIdentity:
		a.Told = true
		answer = append([]byte{eapIdentity}, l.cfg.User...)
	case eapNotification:
		answer = []byte{eapNotification}
	case eapMD5:
		challenge, _, ok := cutCounted(p.data[1:])
		if !ok || len(challenge) == 0 {
			return
		}
		a.Sent, a.Told = true, true
		value := chapMD5(p.id, l.cfg.Password, challenge)
		answer = appendCounted([]byte{eapMD5}, string(value))
		answer = append(answer, l.cfg.User...)
	default:
		answer = []byte{eapNak, eapMD5}
	}
	a.ID = p.id
	l.send(ProtocolEAP, packet{eapResponse, p.id, answer})
}

// impliedSuccess: a Success is not repeated, so that a peer that lost it must look for
// another sign; for PPP that is the network protocol's first packet (RFC 3748, 4.2 and 3.4).
func (l *Link) impliedSuccess(p Protocol) {
	a := &l.state.LocalAuth
	if a.Method == EAP && a.Sent && !a.Done && (p == ProtocolIPCP || p == ProtocolIPv6CP) {
		l.localProven(nil)
	}
}
