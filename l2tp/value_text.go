package l2tp

import "fmt"

// String is the cause, and what the switch said of it.
func (c Q931Cause) String() string {
	s := fmt.Sprintf("cause %d message %d", c.Code, c.Message)
	if c.Advisory != "" {
		s += fmt.Sprintf(" %q", c.Advisory)
	}
	return s
}

// String is the code, the control protocol and which end it was (RFC 3145, 2).
func (c DisconnectCause) String() string {
	ends := []string{"global", "at the peer", "at the local end"}
	s := fmt.Sprintf("cause %d protocol %#04x %s", c.Code, c.ControlProtocol,
		name(ends, int(c.Direction), "direction"))
	if c.Message != "" {
		s += fmt.Sprintf(" %q", c.Message)
	}
	return s
}

// String is the counters by the names of RFC 2661, 4.4.6.
func (e CallErrors) String() string {
	return fmt.Sprintf("CRC %d, framing %d, hardware overruns %d, buffer overruns %d, "+
		"time-outs %d, alignment %d", e.CRC, e.Framing, e.HardwareOverruns, e.BufferOverruns,
		e.Timeouts, e.Alignments)
}

// String is what the peer said of itself.
func (p Peer) String() string {
	return fmt.Sprintf("tunnel %d host %q vendor %q firmware %#04x framing %v bearer %v window %d",
		p.TunnelID, p.HostName, p.VendorName, p.FirmwareRevision, p.FramingCapabilities,
		p.BearerCapabilities, p.ReceiveWindow)
}

// One-line forms of actions.

func (a Send) String() string        { return "send " + Describe(a.Data) }
func (a Established) String() string { return "established " + a.Peer.String() }
func (a IncomingCall) String() string {
	return fmt.Sprintf("incoming call %d/%d %v %v", a.Session, a.PeerSession, a.Kind, a.Call)
}
func (a CallTurnedDown) String() string {
	return fmt.Sprintf("call turned down %v %s", a.Kind, a.Result.CDNString())
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
	return fmt.Sprintf("errors notified %d %v", a.Session, a.Errors)
}
func (a Stopped) String() string { return "stopped " + a.End.Text(false) }
func (Finished) String() string  { return "finished" }
