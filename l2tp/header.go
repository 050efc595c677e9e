package l2tp

import "encoding/binary"

// The bits of the first two octets of a header, and the version.
// https://www.rfc-editor.org/rfc/rfc2661#section-3.1
const (
	bitControl  = 0x8000 // T
	bitLength   = 0x4000 // L
	bitSequence = 0x0800 // S
	bitOffset   = 0x0200 // O
	bitPriority = 0x0100 // P
	versionMask = 0x000f
	version2    = 2
)

// controlHeaderLen is the length of a control header: all its fields are present.
const controlHeaderLen = 12

// A Header is the header of a control or data message (3.1).
type Header struct {
	Control     bool // T
	HasLength   bool // L
	HasSequence bool // S
	HasOffset   bool // O
	Priority    bool // P
	Length      uint16
	TunnelID    TunnelID  // the recipient's
	SessionID   SessionID // the recipient's
	Ns          uint16
	Nr          uint16 // of no meaning in a data message
	OffsetSize  uint16
}

// ParseHeader reads a datagram's header and returns it with the payload, which
// is part of b: the AVPs of a control message, the frame of a data message.
//
// The error is a [*ParseError] with [BadVersion] or [BadHeader]; such a
// datagram is to be discarded.
func ParseHeader(b []byte) (Header, []byte, error) {
	if len(b) < 2 {
		return Header{}, nil, &ParseError{Reason: BadHeader}
	}
	bits := binary.BigEndian.Uint16(b)
	// "Packets received with an unknown Ver field MUST be discarded."
	if bits&versionMask != version2 {
		return Header{}, nil, &ParseError{Reason: BadVersion}
	}
	h := Header{
		Control:     bits&bitControl != 0,
		HasLength:   bits&bitLength != 0,
		HasSequence: bits&bitSequence != 0,
		HasOffset:   bits&bitOffset != 0,
		Priority:    bits&bitPriority != 0,
	}
	// "[The L bit] MUST be set to 1 for control messages. ... The S bit MUST
	// be set to 1 for control messages. ... The O bit MUST be set to 0 (zero)
	// for control messages."
	if h.Control && (!h.HasLength || !h.HasSequence || h.HasOffset) {
		return Header{}, nil, &ParseError{Reason: BadHeader}
	}
	return h.parseFields(b)
}

// parseFields reads what follows the first two octets.
func (h Header) parseFields(b []byte) (Header, []byte, error) {
	bad := &ParseError{Reason: BadHeader}
	fixed := h.fixedLen()
	if len(b) < fixed {
		return Header{}, nil, bad
	}
	r := b[2:]
	next := func() uint16 {
		v := binary.BigEndian.Uint16(r)
		r = r[2:]
		return v
	}
	end := len(b)
	if h.HasLength {
		h.Length = next()
		// What follows the stated length is not ours to judge: some link
		// layers pad.
		if end = int(h.Length); end < fixed || end > len(b) {
			return Header{}, nil, bad
		}
	}
	h.TunnelID, h.SessionID = TunnelID(next()), SessionID(next())
	if h.HasSequence {
		h.Ns, h.Nr = next(), next()
	}
	start := fixed
	if h.HasOffset {
		h.OffsetSize = next()
		if start += int(h.OffsetSize); start > end {
			return Header{}, nil, bad
		}
	}
	return h, b[start:end:end], nil
}

// fixedLen is the length of the header without offset padding.
func (h Header) fixedLen() int {
	n := 6
	if h.HasLength {
		n += 2
	}
	if h.HasSequence {
		n += 4
	}
	if h.HasOffset {
		n += 2
	}
	return n
}

// AppendHeader appends a header and its offset padding. If h.HasLength, the
// length written is that of header and payload; h.Length is not read.
//
// "All reserved bits MUST be set to 0 on outgoing messages."
func AppendHeader(b []byte, h Header, payload int) []byte {
	bits := uint16(version2)
	set := func(on bool, bit uint16) {
		if on {
			bits |= bit
		}
	}
	set(h.Control, bitControl)
	set(h.HasLength, bitLength)
	set(h.HasSequence, bitSequence)
	set(h.HasOffset, bitOffset)
	set(h.Priority, bitPriority)
	b = binary.BigEndian.AppendUint16(b, bits)
	if h.HasLength {
		n := h.fixedLen() + int(h.OffsetSize) + payload
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(h.TunnelID))
	b = binary.BigEndian.AppendUint16(b, uint16(h.SessionID))
	if h.HasSequence {
		b = binary.BigEndian.AppendUint16(b, h.Ns)
		b = binary.BigEndian.AppendUint16(b, h.Nr)
	}
	if h.HasOffset {
		b = binary.BigEndian.AppendUint16(b, h.OffsetSize)
		b = append(b, make([]byte, h.OffsetSize)...)
	}
	return b
}

// appendControl appends a control datagram: header, then AVPs.
func appendControl(b []byte, tid TunnelID, sid SessionID, ns, nr uint16, avps []byte) []byte {
	b = AppendHeader(b, Header{
		Control: true, HasLength: true, HasSequence: true,
		TunnelID: tid, SessionID: sid, Ns: ns, Nr: nr,
	}, len(avps))
	return append(b, avps...)
}
