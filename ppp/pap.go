package ppp

// The codes of PAP (RFC 1334, 2.2).
const (
	papRequest code = iota + 1
	papAck
	papNak
)

func (l *Link) receivePAP(p packet, asPeer, asLocal bool) {
	switch {
	case p.code == papRequest && asPeer:
		l.receivePAPRequest(p)
	case p.code == papAck && asLocal:
		l.receivePAPReply(p, true)
	case p.code == papNak && asLocal:
		l.receivePAPReply(p, false)
	}
}

// receivePAPRequest asks the engine once. "Because the Authenticate-Ack might be
// lost, the authenticator MUST allow repeated Authenticate-Request packets after
// completing the Authentication phase. Protocol phase MUST return the same reply Code".
// https://www.rfc-editor.org/rfc/rfc1334#section-2.2.1
func (l *Link) receivePAPRequest(p packet) {
	name, rest, ok := cutCounted(p.data)
	if !ok {
		return
	}
	password, _, ok := cutCounted(rest)
	if !ok {
		return
	}
	a := &l.state.PeerAuth
	switch {
	case a.Done:
		l.sendPAPVerdict(p.id, true, a.Message)
	case a.Pending:
		// A repetition has an identifier of its own, which is the one to answer.
		if a.Name == string(name) {
			a.AskID = p.id
		}
	default:
		a.AskID = p.id
		l.ask(Credentials{
			Method: PAP, Name: string(name), ID: p.id,
			Response: append([]byte(nil), password...),
		})
	}
}

func (l *Link) sendPAPVerdict(id uint8, ok bool, message string) {
	c := papNak
	if ok {
		c = papAck
	}
	l.send(ProtocolPAP, packet{c, id, appendCounted(nil, message)})
}

// sendPAPRequest says who we are. "The Identifier field MUST be changed each time an
// Authenticate-Request packet is issued."
// https://www.rfc-editor.org/rfc/rfc1334#section-2.2.1
func (l *Link) sendPAPRequest() {
	a := &l.state.LocalAuth
	a.ID++
	a.Sent = true
	a.Attempts--
	data := appendCounted(nil, clip(l.cfg.User, 255))
	data = appendCounted(data, clip(string(l.cfg.Password), 255))
	l.send(ProtocolPAP, packet{papRequest, a.ID, data})
	l.start(timerLocalAuth, l.cfg.papInterval())
}

// receivePAPReply takes the answer to any of our requests: they all said the same.
func (l *Link) receivePAPReply(p packet, ok bool) {
	if a := &l.state.LocalAuth; a.Done || !a.Sent {
		return
	}
	message, _, _ := cutCounted(p.data)
	if !ok {
		l.localRefused(message)
		return
	}
	l.localProven(message)
}

// cutCounted cuts what has its length in one byte before it.
func cutCounted(b []byte) (v, rest []byte, ok bool) {
	if len(b) < 1 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	return b[1 : 1+b[0]], b[1+b[0]:], true
}

func appendCounted(b []byte, s string) []byte {
	return append(append(b, byte(len(s))), s...)
}
