package ppp

import "slices"

// IsControl says whether a frame is one of a protocol by which links are
// controlled, and not of one that they carry.
func IsControl(frame []byte) bool {
	p, _, err := ParseFrame(frame)
	// "Protocol field values in the "8***" to "b***" range identify packets
	// belonging to associated Network Control Protocols (NCPs) ... "c***" to
	// "f***" ... identify packets as link-layer Control Protocols."
	// https://www.rfc-editor.org/rfc/rfc1661#section-2
	return err == nil && p >= 0x8000
}

// IsIdle says whether a frame is what links repeat for ever: LCP's echoes, and,
// on a link that is up, new challenges that go well.
func IsIdle(frame []byte, up bool) bool {
	proto, info, err := ParseFrame(frame)
	if err != nil || len(info) == 0 {
		return false
	}
	switch c := code(info[0]); proto {
	case ProtocolLCP:
		return c == echoRequest || c == echoReply || c == discardRequest
	case ProtocolCHAP:
		return up && c != chapFailure
	case ProtocolLQR:
		return true
	}
	return false
}

// Redact returns a copy of a frame in which passwords, and what proves that
// somebody knows one, are zeros, of the same length. So is what a peer sends
// back to us as not understood, and what cannot be told apart.
func Redact(frame []byte) []byte {
	out := slices.Clone(frame)
	proto, info, err := ParseFrame(out)
	if err != nil {
		return out
	}
	p, err := parsePacket(info)
	if err != nil {
		clear(info)
		return out
	}
	clear(info[packetHeader+len(p.data):])
	clear(p.secret(proto))
	return out
}

// secret is the part of the packet's data that is not for every eye.
func (p packet) secret(proto Protocol) []byte {
	switch {
	case proto == ProtocolPAP && p.code == papRequest:
		name, rest, ok := cutCounted(p.data)
		if _, _, whole := cutCounted(rest); !ok || !whole {
			return p.data
		}
		return p.data[2+len(name):]
	case proto == ProtocolPAP && p.code > papNak:
		return p.data
	case proto == ProtocolCHAP && p.code == chapResponse:
		v, _, ok := cutCounted(p.data)
		if !ok {
			return p.data
		}
		return v
	case proto == ProtocolCHAP && p.code > chapFailure:
		return p.data // new passwords, of MS-CHAP
	case proto == ProtocolEAP && len(p.data) > 1 && p.data[0] > eapNotification:
		return p.data[1:]
	case proto == ProtocolLCP && p.code == protocolReject:
		return p.data[min(2, len(p.data)):]
	case proto != ProtocolPAP && proto != ProtocolCHAP && proto != ProtocolEAP && p.code == codeReject:
		return p.data[min(1, len(p.data)):]
	}
	return nil
}
