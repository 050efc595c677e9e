package ppp

import (
	"bytes"
	"crypto/md5"
)

// The codes of CHAP (RFC 1994, 4).
const (
	chapChallenge code = iota + 1
	chapResponse
	chapSuccess
	chapFailure
)

func (l *Link) receiveCHAP(p packet, asPeer, asLocal bool) {
	switch {
	case p.code == chapResponse && asPeer:
		l.receiveCHAPResponse(p)
	case p.code == chapChallenge && asLocal:
		l.receiveChallenge(p)
	case p.code == chapSuccess && asLocal:
		l.receiveCHAPSuccess(p)
	case p.code == chapFailure && asLocal:
		l.receiveCHAPFailure(p)
	}
}

// newChallenge challenges the peer with a value that it has not seen: "The Identifier
// field MUST be changed each time a Challenge is sent", and "The Challenge Value MUST be
// changed each time a Challenge is sent."
// https://www.rfc-editor.org/rfc/rfc1994#section-4.1
func (l *Link) newChallenge() {
	a := &l.state.PeerAuth
	a.ID++
	a.Challenge = make([]byte, challengeSize(a.Method))
	l.random(a.Challenge)
	l.sendChallenge()
}

// challengeSize: MS-CHAPv1 has 8 bytes (RFC 2433, 4), MS-CHAPv2 16 (RFC 2759, 3).
func challengeSize(m AuthMethod) int {
	if m == MSCHAPv1 {
		return 8
	}
	return 16
}

// sendChallenge sends the current challenge. A repetition is the same packet with the same
// identifier, as pppd has it: a new one would void a response that is under way.
func (l *Link) sendChallenge() {
	a := &l.state.PeerAuth
	a.Waiting = true
	a.Attempts--
	data := appendCounted(nil, string(a.Challenge))
	l.send(ProtocolCHAP, packet{chapChallenge, a.ID, append(data, l.cfg.LocalName...)})
	l.start(timerPeerAuth, l.cfg.authInterval())
}

// receiveCHAPResponse asks the engine about the response to the current challenge.
// "Because the Success might be lost, the authenticator MUST allow repeated Response
// packets during the Network-Layer Protocol phase after completing the Authentication
// phase. [...] any Response packets received having the current Challenge Identifier MUST
// return the same reply Code previously returned for that specific Challenge".
// https://www.rfc-editor.org/rfc/rfc1994#section-4.1
func (l *Link) receiveCHAPResponse(p packet) {
	a := &l.state.PeerAuth
	value, name, ok := cutCounted(p.data)
	switch {
	case !ok || a.Pending:
	case a.Answered && p.id == a.AnswerID:
		l.sendCHAPVerdict(p.id, true, a.Message)
	case a.Waiting && p.id == a.ID && a.Done && string(name) != a.Name:
		// Nobody becomes somebody else in the middle of a link.
		l.sendCHAPVerdict(p.id, false, "Access denied")
		l.peerRefused()
	case a.Waiting && p.id == a.ID:
		a.AskID = p.id
		l.ask(Credentials{
			Method: a.Method, Name: string(name), ID: p.id,
			Challenge: append([]byte(nil), a.Challenge...),
			Response:  append([]byte(nil), value...),
		})
	case a.Done && !a.Waiting:
		// The peer answers an older challenge that was overtaken on its way: it
		// does not take our Success for its last word. A new challenge gets both
		// ends to agree.
		a.Attempts = clampCount(l.cfg.authAttempts())
		l.newChallenge()
	}
}

func (l *Link) sendCHAPVerdict(id uint8, ok bool, message string) {
	c := chapFailure
	if ok {
		c = chapSuccess
	}
	l.send(ProtocolCHAP, packet{c, id, []byte(message)})
}

// receiveChallenge answers any challenge, whenever it comes: the peer may repeat it at
// any time.
func (l *Link) receiveChallenge(p packet) {
	challenge, _, ok := cutCounted(p.data)
	if !ok || len(challenge) == 0 {
		return
	}
	a := &l.state.LocalAuth
	value, expect := l.respond(a.Method, p.id, challenge)
	if value == nil {
		return
	}
	a.ID, a.Expect, a.Sent = p.id, expect, true
	a.Attempts = clampCount(l.cfg.authAttempts())
	a.Response = append(appendCounted(nil, string(value)), l.cfg.User...)
	l.repeatCHAPResponse()
}

// respond makes the response to a challenge, and for MS-CHAPv2 what the peer must say
// to it.
func (l *Link) respond(m AuthMethod, id uint8, challenge []byte) (value []byte, expect string) {
	switch m {
	case CHAPMD5:
		return chapMD5(id, l.cfg.Password, challenge), ""
	case MSCHAPv1:
		return mschapv1Response(l.cfg.Password, challenge), ""
	}
	if len(challenge) != 16 {
		return nil, ""
	}
	return mschapv2Response(l.cfg.User, l.cfg.Password, challenge, l.peerChallenge(challenge))
}

// peerChallenge is our challenge to a peer that challenges us by MS-CHAPv2. It is
// unpredictable, but the same for copies of one challenge: a second response with another one
// would not fit the Success that the first earns.
func (l *Link) peerChallenge(challenge []byte) []byte {
	if l.state.Nonce == nil {
		l.state.Nonce = make([]byte, 16)
		l.random(l.state.Nonce)
	}
	sum := md5.Sum(append(bytes.Clone(l.state.Nonce), challenge...))
	return sum[:]
}

// repeatCHAPResponse sends the response, again and again until it is answered. Once
// we are proven it goes once: a challenge that was overtaken on its way is answered too, and
// nobody waits for that.
func (l *Link) repeatCHAPResponse() {
	a := &l.state.LocalAuth
	l.send(ProtocolCHAP, packet{chapResponse, a.ID, a.Response})
	if a.Done {
		return
	}
	a.Attempts--
	l.start(timerLocalAuth, l.cfg.authInterval())
}

func (l *Link) receiveCHAPSuccess(p packet) {
	a := &l.state.LocalAuth
	if !a.Sent || p.id != a.ID {
		return
	}
	if a.Method == MSCHAPv2 && !provesPeer(p.data, a.Expect) {
		l.setEnd(LocalAuthFailed, "the peer does not prove to know the password (RFC 2759, 5)")
		l.terminate()
		return
	}
	l.localProven(p.data)
}

func (l *Link) receiveCHAPFailure(p packet) {
	if a := &l.state.LocalAuth; a.Sent && p.id == a.ID {
		l.localRefused(p.data)
	}
}

// chapMD5 is the Response Value of RFC 1994, 4.1.
func chapMD5(id uint8, password Secret, challenge []byte) []byte {
	b := append([]byte{id}, password...)
	sum := md5.Sum(append(b, challenge...))
	return sum[:]
}
