package l2tp

import "slices"

// Redact returns a copy of a control datagram in which what is secret, or leads
// to a secret, is zeros, of the same length: Proxy Authen Response, which may
// be a password, and Challenge Response, by which who has the Challenge can try
// secrets. Hidden values stay: they are hidden. What cannot be told apart is
// zeros too.
func Redact(b []byte) []byte {
	out := slices.Clone(b)
	h, body, err := ParseHeader(out)
	if err != nil || !h.Control {
		return out
	}
	clear(out[h.Length:])
	off := 0
	for a, err := range AVPs(body) {
		if err != nil {
			clear(body[off:])
			break
		}
		off += avpHeaderLen + len(a.Value)
		if a.VendorID == 0 && !a.Hidden && a.Type.secret() {
			clear(a.Value)
		}
	}
	return out
}

// secret says whether the attribute's value is not for every eye.
func (a AttributeType) secret() bool {
	return a == AttrProxyAuthenResponse || a == AttrChallengeResponse
}

// IsIdle says whether a control datagram is what an idle tunnel sends for ever: a
// HELLO, or a message without a body, which only acknowledges.
func IsIdle(b []byte) bool {
	h, body, err := ParseHeader(b)
	if err != nil || !h.Control {
		return false
	}
	mt, ok := peekType(body)
	return len(body) == 0 || ok && mt == TypeHELLO
}

// peekType is the type of a message, if it has one.
func peekType(avps []byte) (MessageType, bool) {
	for a, err := range AVPs(avps) {
		if err != nil || a.VendorID != 0 || a.Type != AttrMessageType || len(a.Value) != 2 {
			break
		}
		return MessageType(a.Value[0])<<8 | MessageType(a.Value[1]), true
	}
	return 0, false
}
