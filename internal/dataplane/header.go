package dataplane

import (
	"encoding/binary"
	"errors"

	"culvert/l2tp"
)

// Bits of the first two bytes of an L2TP header (RFC 2661, 3.1).
const (
	bitControl  = 0x8000 // T
	bitLength   = 0x4000 // L
	bitSequence = 0x0800 // S
	bitOffset   = 0x0200 // O
	bitPriority = 0x0100 // P
	maskVersion = 0x000f
	version2    = 2
)

// Protocols of PPP frames that are the network layer's.
const (
	protocolIPv4 = 0x0021
	protocolIPv6 = 0x0057
)

// maxDataHeader is the longest header that appendDataHeader writes, together with the
// address, control and protocol fields of the PPP frame behind it.
const maxDataHeader = 10 + 4

var (
	errShortHeader = errors.New("data message: shorter than its header")
	errNotData     = errors.New("data message: not L2TP version 2 data")
	errLength      = errors.New("data message: length field beyond the datagram")
)

// A dataHeader is what the header of a data message says.
type dataHeader struct {
	Tunnel      l2tp.TunnelID
	Session     l2tp.SessionID
	HasSequence bool
	Ns, Nr      uint16
}

// isControl tells whether the datagram b is a control message, or too short to
// be anything: whoever reads control messages shall judge it.
func isControl(b []byte) bool { return len(b) < 2 || b[0]&(bitControl>>8) != 0 }

// parseData parses the header of the data message b. The payload is part of b.
func parseData(b []byte) (h dataHeader, payload []byte, err error) {
	if len(b) < 6 {
		return h, nil, errShortHeader
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&bitControl != 0 || flags&maskVersion != version2 {
		return h, nil, errNotData
	}
	n := 2
	if flags&bitLength != 0 {
		length := int(binary.BigEndian.Uint16(b[n:]))
		if length > len(b) {
			return h, nil, errLength
		}
		// What lies beyond the length is padding of some lower layer.
		b = b[:length]
		n += 2
	}
	if len(b) < n+4 {
		return h, nil, errShortHeader
	}
	h.Tunnel = l2tp.TunnelID(binary.BigEndian.Uint16(b[n:]))
	h.Session = l2tp.SessionID(binary.BigEndian.Uint16(b[n+2:]))
	return parseDataOptions(h, b, n+4, flags)
}

// parseDataOptions parses what follows the identifiers, from b[n:].
func parseDataOptions(h dataHeader, b []byte, n int, flags uint16) (dataHeader, []byte, error) {
	if flags&bitSequence != 0 {
		if len(b) < n+4 {
			return h, nil, errShortHeader
		}
		h.HasSequence = true
		h.Ns = binary.BigEndian.Uint16(b[n:])
		// "In data messages, Nr is reserved and, if present (as indicated by the
		// S-bit), MUST be ignored upon receipt."
		// https://www.rfc-editor.org/rfc/rfc2661#section-3.1
		h.Nr = binary.BigEndian.Uint16(b[n+2:])
		n += 4
	}
	if flags&bitOffset != 0 {
		if len(b) < n+2 {
			return h, nil, errShortHeader
		}
		n += 2 + int(binary.BigEndian.Uint16(b[n:]))
	}
	if len(b) < n {
		return h, nil, errShortHeader
	}
	return h, b[n:], nil
}

// appendDataHeader appends the header of a data message. It has no length field,
// as the datagram has one, and no offset.
func appendDataHeader(b []byte, h dataHeader) []byte {
	flags := uint16(version2)
	if h.HasSequence {
		flags |= bitSequence
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Tunnel))
	b = binary.BigEndian.AppendUint16(b, uint16(h.Session))
	if h.HasSequence {
		b = binary.BigEndian.AppendUint16(b, h.Ns)
		b = binary.BigEndian.AppendUint16(b, 0) // "MUST be ignored upon receipt"
	}
	return b
}

// splitFrame splits a PPP frame as it stands in a data message into protocol and
// information. The address and control bytes may be there or not, and the
// protocol may be compressed to one byte: peers do both without having negotiated it.
func splitFrame(b []byte) (protocol uint16, information []byte, ok bool) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b = b[2:]
	}
	if len(b) >= 1 && b[0]&1 != 0 { // "least significant bit ... 1": the last byte
		return uint16(b[0]), b[1:], true
	}
	if len(b) < 2 || b[1]&1 == 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(b), b[2:], true
}

// appendFrame appends a data message's payload: address, control, and frame, which
// begins with two bytes of protocol.
func appendFrame(b, frame []byte) []byte {
	return append(append(b, 0xff, 0x03), frame...)
}
