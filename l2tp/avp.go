package l2tp

import (
	"encoding/binary"
	"iter"
)

// The bits and limits of an AVP header.
// https://www.rfc-editor.org/rfc/rfc2661#section-4.1
const (
	avpMandatory  = 0x8000
	avpHidden     = 0x4000
	avpReserved   = 0x3c00
	avpLengthMask = 0x03ff
	avpHeaderLen  = 6
	maxAVPValue   = avpLengthMask - avpHeaderLen
)

// An AVP is one attribute-value pair as it lies on the wire (4.1).
type AVP struct {
	Mandatory bool
	Hidden    bool
	Reserved  uint8 // the four reserved bits; not zero makes the AVP unrecognized
	VendorID  uint16
	Type      AttributeType
	Value     []byte
}

// AVPs iterates over the AVPs in b; their values are parts of b. An error is a
// [*ParseError] and the last thing yielded: behind an AVP whose length is
// wrong nothing can be found. The AVP that comes with it has its M bit only.
//
// Zeros at the end are padding, which some peers send, and not an error.
func AVPs(b []byte) iter.Seq2[AVP, error] {
	return func(yield func(AVP, error) bool) {
		for off := 0; off < len(b) && !allZero(b[off:]); {
			a, n, ok := parseAVP(b[off:])
			if !ok {
				yield(a, &ParseError{Offset: off, Reason: BadLength, Mandatory: a.Mandatory})
				return
			}
			if !yield(a, nil) {
				return
			}
			off += n
		}
	}
}

// parseAVP reads the first AVP of b, which is not empty.
func parseAVP(b []byte) (a AVP, n int, ok bool) {
	a.Mandatory = b[0]&(avpMandatory>>8) != 0
	if len(b) < avpHeaderLen {
		return a, 0, false
	}
	bits := binary.BigEndian.Uint16(b)
	n = int(bits & avpLengthMask)
	// "The minimum Length of an AVP is 6."
	if n < avpHeaderLen || n > len(b) {
		return a, 0, false
	}
	a.Hidden = bits&avpHidden != 0
	a.Reserved = uint8(bits & avpReserved >> 10)
	a.VendorID = binary.BigEndian.Uint16(b[2:])
	a.Type = AttributeType(binary.BigEndian.Uint16(b[4:]))
	a.Value = b[avpHeaderLen:n:n]
	return a, n, true
}

// AppendAVP appends a. Its value must not be longer than 1017 octets.
//
// "Reserved bits MUST be set to 0", so a.Reserved is not read.
func AppendAVP(b []byte, a AVP) []byte {
	if len(a.Value) > maxAVPValue {
		panic("l2tp: value too long for an AVP")
	}
	bits := uint16(avpHeaderLen + len(a.Value))
	if a.Mandatory {
		bits |= avpMandatory
	}
	if a.Hidden {
		bits |= avpHidden
	}
	b = binary.BigEndian.AppendUint16(b, bits)
	b = binary.BigEndian.AppendUint16(b, a.VendorID)
	b = binary.BigEndian.AppendUint16(b, uint16(a.Type))
	return append(b, a.Value...)
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
