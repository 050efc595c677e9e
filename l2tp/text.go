package l2tp

import (
	"fmt"
	"iter"
	"strings"
)

// One-line forms, for logs and transcripts. Secrets are never in them.

// Describe is a datagram in one line: its header, and the AVPs of a control
// message. What is hidden stays hidden.
func Describe(b []byte) string {
	h, body, err := ParseHeader(b)
	switch {
	case err != nil:
		return fmt.Sprintf("(%d octets, %v)", len(b), err)
	case !h.Control:
		return fmt.Sprintf("data tunnel %d session %d, %d octets", h.TunnelID, h.SessionID, len(body))
	case len(body) == 0:
		return fmt.Sprintf("ZLB tunnel %d Ns %d Nr %d", h.TunnelID, h.Ns, h.Nr)
	}
	var p parser
	p.parse(body)
	at := fmt.Sprintf("tunnel %d session %d Ns %d Nr %d", h.TunnelID, h.SessionID, h.Ns, h.Nr)
	if p.m == nil {
		return fmt.Sprintf("(%v) %s", p.err, at)
	}
	return strings.Join([]string{p.mt.String(), at, describeAVPs(p.m, body)}, " ")
}

// Title is what a datagram is in a word or two: its message type, as a rule.
func Title(b []byte) string {
	h, body, err := ParseHeader(b)
	switch {
	case err != nil:
		return "malformed datagram"
	case !h.Control:
		return "data"
	case len(body) == 0:
		return "ZLB"
	}
	if mt, ok := peekType(body); ok {
		return mt.String()
	}
	return "message without type"
}

// describeAVPs gives the AVPs behind the Message Type.
func describeAVPs(m Message, body []byte) string {
	var parts []string
	for t := range avpTexts(m, body) {
		switch {
		case t.Name == AttrMessageType.String():
		case t.Hidden:
			parts = append(parts, t.Name+" (hidden)")
		case t.Value != "":
			parts = append(parts, t.Name+" "+t.Value)
		default:
			parts = append(parts, t.Name)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// An AVPText is an AVP in words. Each is one line without secrets.
type AVPText struct {
	Message MessageType
	Name    string // of the attribute
	Form    string // bits, type and length
	Value   string // empty if there is none, or it is hidden
	Hidden  bool
}

// DescribeAVPs gives the AVPs of a control datagram. What is hidden stays hidden.
func DescribeAVPs(b []byte) iter.Seq[AVPText] {
	h, body, err := ParseHeader(b)
	var p parser
	if err == nil && h.Control {
		p.parse(body)
	}
	if p.m == nil {
		return func(func(AVPText) bool) {}
	}
	return avpTexts(p.m, body)
}

// avpTexts gives the AVPs of a message whose type is known. What cannot be
// told apart is one AVP called malformed.
func avpTexts(m Message, body []byte) iter.Seq[AVPText] {
	return func(yield func(AVPText) bool) {
		fields := m.fields()
		for a, err := range AVPs(body) {
			t := AVPText{Message: m.Type(), Name: a.Type.String(), Hidden: a.Hidden, Form: a.form()}
			switch {
			case err != nil:
				t.Name, t.Form = "(malformed: "+err.(*ParseError).Reason.String()+")", ""
			case a.VendorID != 0:
				t.Name = fmt.Sprintf("attribute %d of vendor %d", uint16(a.Type), a.VendorID)
				t.Hidden = false
			case a.Type == AttrMessageType:
				t.Value = m.Type().String()
			case a.Hidden, a.Type == AttrRandomVector:
			default:
				t.Value = describeAVP(fields, a, m.Type())
			}
			if !yield(t) {
				return
			}
		}
	}
}

// form is what of an AVP is not its value.
func (a AVP) form() string {
	var b strings.Builder
	fmt.Fprintf(&b, "type %d, %d octets", uint16(a.Type), len(a.Value))
	if a.Mandatory {
		b.WriteString(", mandatory")
	}
	if a.Hidden {
		b.WriteString(", hidden")
	}
	if a.Reserved != 0 {
		fmt.Fprintf(&b, ", reserved bits %04b", a.Reserved)
	}
	return b.String()
}

// describeAVP is a value in words, or its length if it cannot be read. What is
// secret has neither.
func describeAVP(fields []field, a AVP, mt MessageType) string {
	i := indexField(fields, a.Type)
	switch {
	case a.Type == AttrProxyAuthenResponse:
		return Secret("").String()
	case i < 0 || fields[i].set(a.Value) != 0:
		return fmt.Sprintf("(%d octets)", len(a.Value))
	}
	return fields[i].text(mt)
}

// text is the value in words.
func (f field) text(mt MessageType) string {
	switch p := f.p.(type) {
	case *bool:
		return ""
	case *Secret:
		return p.String()
	case *[]byte:
		return fmt.Sprintf("(%d octets)", len(*p))
	case *string:
		return fmt.Sprintf("%q", *p)
	case **[8]byte:
		return fmt.Sprintf("%x", **p)
	case *uint16:
		if f.attr == AttrProtocolVersion {
			return fmt.Sprintf("%d.%d", *p>>8, *p&0xff)
		}
		return fmt.Sprint(*p)
	case **uint32:
		return fmt.Sprint(**p)
	case *Result:
		if mt == TypeCDN {
			return p.CDNString()
		}
		return p.StopString()
	case **Q931Cause:
		return (*p).String()
	case **DisconnectCause:
		return (*p).String()
	case *CallErrors:
		return p.String()
	case *accm:
		return fmt.Sprintf("send %08x, receive %08x", p.send, p.recv)
	case *uint8:
		return fmt.Sprint(*p)
	case *uint32:
		return fmt.Sprint(*p)
	case *TunnelID:
		return fmt.Sprint(*p)
	case *SessionID:
		return fmt.Sprint(*p)
	case *ProxyAuthType:
		return fmt.Sprint(*p)
	case fmt.Stringer: // Framing, Bearer
		return p.String()
	}
	return ""
}

// String is a set of words.
func (f Framing) String() string {
	return bitNames(uint32(f), uint32(FramingAsync), "async", uint32(FramingSync), "sync")
}

// String is a set of words.
func (b Bearer) String() string {
	return bitNames(uint32(b), uint32(BearerAnalog), "analog", uint32(BearerDigital), "digital")
}

func bitNames(v, bit1 uint32, name1 string, bit2 uint32, name2 string) string {
	switch {
	case v&bit1 != 0 && v&bit2 != 0:
		return name1 + "+" + name2
	case v&bit1 != 0:
		return name1
	case v&bit2 != 0:
		return name2
	}
	return "none"
}

var callKindNames = [...]string{"none", "LAC incoming", "LNS incoming", "LAC outgoing",
	"LNS outgoing"}

// String is the role and the direction.
func (k CallKind) String() string { return callKindNames[min(k, LNSOutgoing)] }

// String gives what was said of the call.
func (c Call) String() string {
	var b strings.Builder
	word := func(has bool, format string, args ...any) {
		if has {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	word(c.Serial != 0, "serial %d", c.Serial)
	word(c.BearerType != 0, "bearer %v", c.BearerType)
	word(c.FramingType != 0, "framing %v", c.FramingType)
	if c.PhysicalChannelID != nil {
		word(true, "channel %d", *c.PhysicalChannelID)
	}
	word(c.CalledNumber != "", "called %q", c.CalledNumber)
	word(c.CallingNumber != "", "calling %q", c.CallingNumber)
	word(c.SubAddress != "", "sub-address %q", c.SubAddress)
	word(c.MinimumBPS != 0 || c.MaximumBPS != 0, "bps %d to %d", c.MinimumBPS, c.MaximumBPS)
	word(c.TxConnectSpeed != 0, "tx %d", c.TxConnectSpeed)
	word(c.RxConnectSpeed != 0, "rx %d", c.RxConnectSpeed)
	word(c.PrivateGroupID != "", "group %q", c.PrivateGroupID)
	word(c.SequencingRequired, "sequenced")
	if p := c.Proxy; p != nil {
		word(true, "proxy auth %d name %q", p.AuthType, p.AuthName)
	}
	return "{" + strings.TrimPrefix(b.String(), " ") + "}"
}

// Format gives identifiers and state under every verb, and no secret.
func (t *Tunnel) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "tunnel %d/%d %v, %d sessions", t.id, t.peer.TunnelID, t.state, t.SessionCount())
}

// Text is the end in words; call says whether it is that of a call.
func (e End) Text(call bool) string {
	s := e.Result.StopString()
	if call {
		s = e.Result.CDNString()
	}
	switch {
	case e.ByPeer:
		s = "by peer: " + s
	case e.Lost:
		s = "lost: " + s
	}
	if e.Cause != nil {
		s += ", Q.931 " + e.Cause.String()
	}
	if e.Disconnect != nil {
		s += ", PPP " + e.Disconnect.String()
	}
	return s
}
