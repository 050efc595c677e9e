package l2tp

import (
	"fmt"
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

// describeAVPs gives the AVPs behind the Message Type.
func describeAVPs(m Message, body []byte) string {
	var parts []string
	fields := m.fields()
	for a, err := range AVPs(body) {
		switch {
		case err != nil:
			parts = append(parts, "("+err.(*ParseError).Reason.String()+")")
		case a.VendorID != 0:
			parts = append(parts, fmt.Sprintf("attribute %d of vendor %d", uint16(a.Type), a.VendorID))
		case a.Type == AttrMessageType:
		case a.Type == AttrRandomVector:
			parts = append(parts, a.Type.String())
		case a.Hidden:
			parts = append(parts, a.Type.String()+" (hidden)")
		default:
			parts = append(parts, describeAVP(fields, a, m.Type()))
		}
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func describeAVP(fields []field, a AVP, mt MessageType) string {
	i := indexField(fields, a.Type)
	if i < 0 || fields[i].set(a.Value) != 0 {
		return fmt.Sprintf("%v (%d octets)", a.Type, len(a.Value))
	}
	if v := fields[i].text(mt); v != "" {
		return a.Type.String() + " " + v
	}
	return a.Type.String()
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
		return fmt.Sprintf("%+v", **p)
	case **DisconnectCause:
		return fmt.Sprintf("%+v", **p)
	case *CallErrors:
		return fmt.Sprintf("%+v", *p)
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
		s += fmt.Sprintf(", Q.931 %+v", *e.Cause)
	}
	if e.Disconnect != nil {
		s += fmt.Sprintf(", PPP %+v", *e.Disconnect)
	}
	return s
}

func (a Send) String() string        { return "send " + Describe(a.Data) }
func (a Established) String() string { return fmt.Sprintf("established %+v", a.Peer) }
func (a IncomingCall) String() string {
	return fmt.Sprintf("incoming call %d/%d %v %v", a.Session, a.PeerSession, a.Kind, a.Call)
}
func (a CallAnswered) String() string {
	return fmt.Sprintf("call answered %d/%d %v %v", a.Session, a.PeerSession, a.Kind, a.Call)
}
func (a SessionUp) String() string {
	return fmt.Sprintf("session up %d/%d %v %v", a.Session, a.PeerSession, a.Kind, a.Call)
}
func (a SessionDown) String() string {
	return fmt.Sprintf("session down %d %s", a.Session, a.End.Text(true))
}
func (a LinkInfo) String() string {
	return fmt.Sprintf("link info %d send %08x receive %08x", a.Session, a.SendACCM, a.RecvACCM)
}
func (a ErrorsNotified) String() string {
	return fmt.Sprintf("errors notified %d %+v", a.Session, a.Errors)
}
func (a Stopped) String() string { return "stopped " + a.End.Text(false) }
func (Finished) String() string  { return "finished" }
