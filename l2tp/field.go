package l2tp

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A field joins an attribute to the place in a message where its value lies.
// What a message consists of is said once, in its fields method; reading and
// writing both follow it.
type field struct {
	attr     AttributeType
	required bool
	p        any // *uint16, *string and so on: see set
}

func need(attr AttributeType, p any) field { return field{attr, true, p} }
func may(attr AttributeType, p any) field  { return field{attr, false, p} }

func indexField(fs []field, attr AttributeType) int {
	for i := range fs {
		if fs[i].attr == attr {
			return i
		}
	}
	return -1
}

// An accm is the ACCM AVP.
type accm struct{ send, recv uint32 }

// set puts a value that was received into its place. It returns zero, or why not.
func (f field) set(v []byte) Reason {
	a := &attributes[f.attr]
	if len(v) < a.min || len(v) > a.max {
		return BadLength
	}
	switch p := f.p.(type) {
	case *bool:
		*p = true
	case *uint8:
		*p = v[1] // Proxy Authen ID; the first octet is reserved
	case *uint16:
		*p = binary.BigEndian.Uint16(v)
		if f.attr == AttrReceiveWindowSize && *p == 0 {
			return BadValue // "A value of 0 ... is invalid", 5.8
		}
	case *uint32:
		*p = binary.BigEndian.Uint32(v)
	case **uint32:
		*p = new(binary.BigEndian.Uint32(v))
	case *Framing:
		*p = Framing(binary.BigEndian.Uint32(v)) & (FramingAsync | FramingSync)
	case *Bearer:
		*p = Bearer(binary.BigEndian.Uint32(v)) & (BearerAnalog | BearerDigital)
	case *ProxyAuthType:
		*p = ProxyAuthType(binary.BigEndian.Uint16(v))
	case *TunnelID:
		// "The Assigned Tunnel ID is a 2 octet non-zero unsigned integer."
		*p = TunnelID(binary.BigEndian.Uint16(v))
		return zeroIsBad(*p == 0)
	case *SessionID:
		*p = SessionID(binary.BigEndian.Uint16(v))
		return zeroIsBad(*p == 0)
	case *string:
		*p = string(v)
	case *Secret:
		*p = Secret(v)
	case *[]byte:
		*p = bytes.Clone(v)
	case **[8]byte:
		*p = new([8]byte(v))
	default:
		f.setStruct(v)
	}
	return 0
}

func zeroIsBad(zero bool) Reason {
	if zero {
		return BadValue
	}
	return 0
}

// setStruct is set for values of several parts.
func (f field) setStruct(v []byte) {
	switch p := f.p.(type) {
	case *Result:
		*p = parseResult(v)
	case **Q931Cause:
		*p = &Q931Cause{binary.BigEndian.Uint16(v), v[2], clean(v[3:])}
	case **DisconnectCause:
		*p = &DisconnectCause{binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:]),
			v[4], clean(v[5:])}
	case *CallErrors:
		for i, c := range p.counters() {
			*c = binary.BigEndian.Uint32(v[2+4*i:])
		}
	case *accm:
		p.send, p.recv = binary.BigEndian.Uint32(v[2:]), binary.BigEndian.Uint32(v[6:])
	default:
		panic("l2tp: field of unknown type")
	}
}

// value is what is to be sent, and whether it says anything.
func (f field) value() ([]byte, bool) {
	u16, u32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	switch p := f.p.(type) {
	case *bool:
		return nil, *p
	case *uint8:
		return []byte{0, *p}, *p != 0 // "the most significant octet MUST be 0"
	case *uint16:
		return u16(nil, *p), *p != 0
	case *uint32:
		return u32(nil, *p), *p != 0
	case **uint32:
		if *p != nil {
			return u32(nil, **p), true
		}
	case *Framing:
		return u32(nil, uint32(*p)), *p != 0
	case *Bearer:
		return u32(nil, uint32(*p)), *p != 0
	case *ProxyAuthType:
		return u16(nil, uint16(*p)), *p != 0
	case *TunnelID:
		return u16(nil, uint16(*p)), *p != 0
	case *SessionID:
		return u16(nil, uint16(*p)), *p != 0
	case *string:
		return []byte(*p), *p != ""
	case *Secret:
		return []byte(string(*p)), *p != ""
	case *[]byte:
		return *p, len(*p) != 0
	case **[8]byte:
		if *p != nil {
			return (*p)[:], true
		}
	default:
		return f.structValue()
	}
	return nil, false
}

// structValue is value for values of several parts.
func (f field) structValue() ([]byte, bool) {
	u16, u32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	switch p := f.p.(type) {
	case *Result:
		return p.append(nil), *p != Result{}
	case **Q931Cause:
		if c := *p; c != nil {
			return append(append(u16(nil, c.Code), c.Message), clean([]byte(c.Advisory))...), true
		}
	case **DisconnectCause:
		if c := *p; c != nil {
			b := append(u16(u16(nil, c.Code), c.ControlProtocol), c.Direction)
			return append(b, clean([]byte(c.Message))...), true
		}
	case *CallErrors:
		b := []byte{0, 0} // "Reserved - Not used, MUST be 0"
		for _, c := range p.counters() {
			b = u32(b, *c)
		}
		return b, true
	case *accm:
		return u32(u32([]byte{0, 0}, p.send), p.recv), true
	}
	return nil, false
}

// parseResult reads the value of a Result Code AVP, of two octets or more.
// One octet behind the result code is half an error code and not read.
func parseResult(v []byte) Result {
	r := Result{Code: ResultCode(binary.BigEndian.Uint16(v))}
	if len(v) >= 4 {
		r.Error = ErrorCode(binary.BigEndian.Uint16(v[2:]))
		r.Message = clean(v[4:])
	}
	return r
}

// "The Length is 8 if there is no Error Code or Message, 10 if there is an
// Error Code and no Error Message or 10 + the length of the Error Message."
func (r Result) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(r.Code))
	if r.Error == 0 && r.Message == "" {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, uint16(r.Error))
	// "Human readable text in all error messages MUST be provided in the
	// UTF-8 charset."
	m := clean([]byte(r.Message))
	m = strings.ToValidUTF8(m[:min(len(m), maxHiddenValue-4)], "")
	return append(b, m...)
}

// clean makes text that is for people valid UTF-8, without zeros at its end.
func clean(b []byte) string {
	return strings.ToValidUTF8(string(bytes.TrimRight(b, "\x00")), "\uFFFD")
}

// counters are the fields in the order of the AVP (4.4.6).
func (e *CallErrors) counters() [6]*uint32 {
	return [...]*uint32{&e.CRC, &e.Framing, &e.HardwareOverruns, &e.BufferOverruns,
		&e.Timeouts, &e.Alignments}
}
