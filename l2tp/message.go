package l2tp

import (
	"encoding/binary"
	"fmt"
)

// A MessageType is the value of the Message Type AVP (3.2).
type MessageType uint16

// The message types of RFC 2661.
const (
	TypeSCCRQ       MessageType = 1
	TypeSCCRP       MessageType = 2
	TypeSCCCN       MessageType = 3
	TypeStopCCN     MessageType = 4
	TypeHELLO       MessageType = 6
	TypeOCRQ        MessageType = 7
	TypeOCRP        MessageType = 8
	TypeOCCN        MessageType = 9
	TypeICRQ        MessageType = 10
	TypeICRP        MessageType = 11
	TypeICCN        MessageType = 12
	TypeCDN         MessageType = 14
	TypeWEN         MessageType = 15
	TypeSLI         MessageType = 16
	numMessageTypes             = 17
)

var messageNames = [numMessageTypes]string{
	TypeSCCRQ: "SCCRQ", TypeSCCRP: "SCCRP", TypeSCCCN: "SCCCN", TypeStopCCN: "StopCCN",
	TypeHELLO: "HELLO", TypeOCRQ: "OCRQ", TypeOCRP: "OCRP", TypeOCCN: "OCCN",
	TypeICRQ: "ICRQ", TypeICRP: "ICRP", TypeICCN: "ICCN", TypeCDN: "CDN",
	TypeWEN: "WEN", TypeSLI: "SLI",
}

// String is the abbreviation that the RFC uses.
func (mt MessageType) String() string {
	if mt.Known() {
		return messageNames[mt]
	}
	return fmt.Sprintf("message type %d", uint16(mt))
}

// Known reports whether the RFC has messages of this type.
func (mt MessageType) Known() bool { return mt < numMessageTypes && messageNames[mt] != "" }

// PeekType reads the type of a control datagram's message, and nothing else of it:
// 0 if it is none of RFC 2661, false if the datagram has no message at all.
func PeekType(b []byte) (MessageType, bool) {
	h, avps, err := ParseHeader(b)
	if err != nil || !h.Control || len(avps) == 0 {
		return 0, false
	}
	const avpHeader = 6
	if len(avps) < avpHeader+2 || binary.BigEndian.Uint32(avps[2:]) != 0 {
		return 0, true // the first AVP is not that of vendor 0, attribute 0
	}
	mt := MessageType(binary.BigEndian.Uint16(avps[avpHeader:]))
	if !mt.Known() {
		mt = 0
	}
	return mt, true
}

// ofCall says whether messages of this type belong to a session, not to the tunnel.
func (mt MessageType) ofCall() bool { return mt >= TypeOCRQ && mt <= TypeSLI }

// A Message is a control message without its header: one of [*SCCRQ], [*SCCRP],
// [*SCCCN], [*StopCCN], [*HELLO], [*OCRQ], [*OCRP], [*OCCN], [*ICRQ], [*ICRP],
// [*ICCN], [*CDN], [*WEN], [*SLI]. A field that is zero was not in the message,
// or will not be, unless the RFC demands it.
type Message interface {
	Type() MessageType
	fields() []field
}

func newMessage(mt MessageType) Message {
	switch mt {
	case TypeSCCRQ:
		return new(SCCRQ)
	case TypeSCCRP:
		return new(SCCRP)
	case TypeSCCCN:
		return new(SCCCN)
	case TypeStopCCN:
		return new(StopCCN)
	case TypeHELLO:
		return new(HELLO)
	case TypeOCRQ:
		return new(OCRQ)
	case TypeOCRP:
		return new(OCRP)
	case TypeOCCN:
		return new(OCCN)
	case TypeICRQ:
		return new(ICRQ)
	case TypeICRP:
		return new(ICRP)
	case TypeICCN:
		return new(ICCN)
	case TypeCDN:
		return new(CDN)
	case TypeWEN:
		return new(WEN)
	case TypeSLI:
		return new(SLI)
	}
	return nil
}

// ParseMessage reads the AVPs of a control message; secret is for hidden ones.
// The message keeps no reference to b. An error is a [*ParseError]; with it
// comes what could be read, or nil if not even the type could.
func ParseMessage(b []byte, secret Secret) (Message, error) {
	p := parser{secret: secret}
	m := p.parse(b)
	if p.err != nil {
		return m, p.err
	}
	return m, nil
}

// A parser reads one message. It goes on after an error, so that what follows,
// the peer's session ID for one, is known when the error is answered.
type parser struct {
	secret  Secret
	mt      MessageType
	vector  []byte
	ignored int         // AVPs that were passed over
	err     *ParseError // the first that is not to be passed over
	m       Message
	fields  []field
	seen    uint64 // by index in fields
}

func (p *parser) parse(b []byte) Message {
	first := true
	off := 0
	for a, err := range AVPs(b) {
		if err != nil {
			p.fail(a, off, BadLength)
			break
		}
		if first {
			first = false
			if !p.begin(a) {
				return nil
			}
		} else {
			p.add(a, off)
		}
		off += avpHeaderLen + len(a.Value)
	}
	if first {
		p.err = &ParseError{Reason: NoMessageType, Mandatory: true}
		return nil
	}
	p.checkPresence()
	return p.m
}

// begin reads the first AVP.
//
// "The Message Type AVP MUST be the first AVP in a message, immediately
// following the control message header. ... This AVP may not be hidden."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.1
func (p *parser) begin(a AVP) bool {
	if a.VendorID != 0 || a.Type != AttrMessageType || a.Hidden || a.Reserved != 0 ||
		len(a.Value) != 2 {
		p.err = &ParseError{Reason: NoMessageType, Mandatory: true}
		return false
	}
	p.mt = MessageType(binary.BigEndian.Uint16(a.Value))
	if p.m = newMessage(p.mt); p.m == nil {
		p.err = &ParseError{Reason: UnknownMessage, Message: p.mt, Mandatory: a.Mandatory}
		return false
	}
	p.fields = p.m.fields()
	return true
}

// add reads one of the AVPs that follow the Message Type.
func (p *parser) add(a AVP, off int) {
	// "An AVP received with a reserved bit set to 1 MUST be treated as an
	// unrecognized AVP." Another vendor's attribute 2 is not Protocol Version.
	if a.VendorID != 0 || a.Reserved != 0 || !a.Type.known() {
		p.fail(a, off, UnknownMandatory)
		return
	}
	if a.Type == AttrRandomVector && !a.Hidden {
		p.vector = a.Value
		return
	}
	i := indexField(p.fields, a.Type)
	if i < 0 || p.seen&(1<<i) != 0 {
		p.ignored++ // has no meaning here, or was said before
		return
	}
	value := a.Value
	if a.Hidden {
		var ok bool
		if value, ok = p.unhide(a); !ok {
			p.fail(a, off, Undecipherable)
			return
		}
	}
	if r := p.fields[i].set(value); r != 0 {
		p.fail(a, off, r)
		return
	}
	p.seen |= 1 << i
}

// unhide makes a hidden value clear. Attributes that must not be hidden are
// unhidden like others: that the peer hid them harms nobody.
//
// "The H bit MUST only be set if a shared secret exists between the LAC and
// LNS. ... a Random Vector AVP must also be present in the message and MUST
// precede the first AVP having an H bit of 1."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.3
func (p *parser) unhide(a AVP) ([]byte, bool) {
	if p.secret == "" || p.vector == nil {
		return nil, false
	}
	return unhide(a.Type, p.secret, p.vector, a.Value)
}

// fail notes what is wrong with an AVP.
//
// "If the M bit is not set, an unrecognized AVP MUST be ignored. The control
// message must then continue to be processed as if the AVP had not been
// present." (4.1) "If a malformed AVP is received with the M-bit set, the
// session or tunnel should be terminated with a proper Result or Error Code
// sent. If the M-bit is not set, the AVP should be ignored." (7.1)
func (p *parser) fail(a AVP, off int, r Reason) {
	if !a.Mandatory {
		p.ignored++
		return
	}
	if p.err == nil {
		p.err = &ParseError{Offset: off, Reason: r, Mandatory: true,
			Message: p.mt, VendorID: a.VendorID, Attribute: a.Type}
	}
}

// checkPresence looks for a missing required AVP, which makes a message malformed (7.1).
func (p *parser) checkPresence() {
	for i, f := range p.fields {
		if f.required && p.seen&(1<<i) == 0 && p.err == nil {
			p.err = &ParseError{Reason: MissingAttribute, Mandatory: true,
				Message: p.mt, Attribute: f.attr}
		}
	}
}

// AppendMessage appends the AVPs of m in the clear.
func AppendMessage(b []byte, m Message) []byte {
	e := encoder{b: b}
	return e.encode(m)
}

// appendMessage appends the AVPs of m, hidden as cfg demands.
func appendMessage(b []byte, m Message, cfg *Config) []byte {
	e := encoder{b: b, cfg: cfg, hide: cfg.hides(m.Type())}
	return e.encode(m)
}

// An encoder writes one message.
type encoder struct {
	b      []byte
	cfg    *Config // read if hide
	hide   bool
	vector []byte // of the Random Vector AVP, once it is in
}

func (e *encoder) encode(m Message) []byte {
	mt := binary.BigEndian.AppendUint16(nil, uint16(m.Type()))
	// "The M-bit MUST be set to 1 for all message types defined in this document."
	e.append(AttrMessageType, mt)
	for _, f := range m.fields() {
		if v, ok := f.value(); ok || f.required {
			e.append(f.attr, v)
		}
	}
	return e.b
}

func (e *encoder) append(attr AttributeType, value []byte) {
	if len(value) > maxHiddenValue {
		if !attr.text() {
			return // half an LCP option would be worse than none
		}
		value = value[:maxHiddenValue]
	}
	a := AVP{Mandatory: attributes[attr].mandatory, Type: attr, Value: value}
	if e.hide && attributes[attr].mayHide {
		e.needVector()
		pad := e.cfg.random(1 + int(attr)%8)
		pad = pad[:min(len(pad), maxHiddenValue-len(value))]
		a.Hidden, a.Value = true, hide(attr, e.cfg.Secret, e.vector, value, pad)
	}
	e.b = AppendAVP(e.b, a)
}

// needVector puts the Random Vector in front of the first hidden AVP.
func (e *encoder) needVector() {
	if e.vector != nil {
		return
	}
	e.vector = e.cfg.random(16)
	e.b = AppendAVP(e.b, AVP{Mandatory: true, Type: AttrRandomVector, Value: e.vector})
}

// text says whether the attribute is for people, so that its beginning is of use.
func (a AttributeType) text() bool {
	switch a {
	case AttrResultCode, AttrQ931CauseCode, AttrVendorName, AttrHostName, AttrPPPDisconnectCause:
		return true
	}
	return false
}
