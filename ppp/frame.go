package ppp

import (
	"encoding/binary"
	"errors"
)

// A Protocol is a PPP protocol number (RFC 1661, 2).
type Protocol uint16

// The protocols that this package or its user must know.
const (
	ProtocolIPv4   Protocol = 0x0021
	ProtocolIPv6   Protocol = 0x0057
	ProtocolIPCP   Protocol = 0x8021
	ProtocolIPv6CP Protocol = 0x8057
	ProtocolCCP    Protocol = 0x80fd
	ProtocolLCP    Protocol = 0xc021
	ProtocolPAP    Protocol = 0xc023
	ProtocolLQR    Protocol = 0xc025
	ProtocolCHAP   Protocol = 0xc223
	ProtocolEAP    Protocol = 0xc227
)

var errShortFrame = errors.New("parsing a PPP frame: too short for a protocol")

// ParseFrame splits a frame into its protocol and its information, which is a
// part of b. Address and control bytes may be there or not, and the protocol may be
// compressed, whatever was negotiated: "PPP implementations MUST accept PPP
// packets with either double-octet or single-octet Protocol fields, and MUST NOT
// distinguish between them."
// https://www.rfc-editor.org/rfc/rfc1661#section-6.5
func ParseFrame(b []byte) (Protocol, []byte, error) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b = b[2:]
	}
	if len(b) >= 1 && b[0]&1 == 1 {
		return Protocol(b[0]), b[1:], nil
	}
	if len(b) < 2 {
		return 0, nil, errShortFrame
	}
	return Protocol(binary.BigEndian.Uint16(b)), b[2:], nil
}

// AppendFrame appends a frame with an uncompressed protocol and without
// address and control bytes.
func AppendFrame(b []byte, p Protocol, info []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(p)), info...)
}

// A code says what a packet of a control or authentication protocol is.
type code uint8

// The codes of LCP (RFC 1661, 5; RFC 1570, 2). The first seven are those of every
// control protocol.
const (
	configureRequest code = iota + 1
	configureAck
	configureNak
	configureReject
	terminateRequest
	terminateAck
	codeReject
	protocolReject
	echoRequest
	echoReply
	discardRequest
	identification
	timeRemaining
)

// A packet is what the control and authentication protocols exchange.
type packet struct {
	code code
	id   uint8
	data []byte
}

const packetHeader = 4 // code, identifier, length

var errShortPacket = errors.New("parsing a PPP packet: its length is more than there is")

// parsePacket reads a packet; its data is a part of b.
//
// "Octets outside the range of the Length field are treated as padding and are
// ignored on reception. When a packet is received with an invalid Length field,
// the packet is silently discarded without affecting the automaton."
// https://www.rfc-editor.org/rfc/rfc1661#section-5
func parsePacket(b []byte) (packet, error) {
	if len(b) < packetHeader {
		return packet{}, errShortPacket
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < packetHeader || n > len(b) {
		return packet{}, errShortPacket
	}
	return packet{code: code(b[0]), id: b[1], data: b[packetHeader:n]}, nil
}

func appendPacket(b []byte, p packet) []byte {
	b = append(b, byte(p.code), p.id)
	b = binary.BigEndian.AppendUint16(b, uint16(packetHeader+len(p.data)))
	return append(b, p.data...)
}
