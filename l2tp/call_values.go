package l2tp

import "cmp"

// defaultConnectSpeed is said when nothing is known. DrayTek routers refuse a
// call whose speed is zero.
const defaultConnectSpeed = 1_000_000

// connect takes from c what ICCN and OCCN carry.
func (to *Call) connect(c *Call) {
	to.TxConnectSpeed = cmp.Or(c.TxConnectSpeed, to.TxConnectSpeed)
	to.RxConnectSpeed = cmp.Or(c.RxConnectSpeed, to.RxConnectSpeed)
	to.FramingType = cmp.Or(c.FramingType, to.FramingType)
	to.PrivateGroupID = cmp.Or(c.PrivateGroupID, to.PrivateGroupID)
	to.Proxy = cmp.Or(c.Proxy, to.Proxy)
	to.SequencingRequired = to.SequencingRequired || c.SequencingRequired
}

// call is what an ICRQ says.
func (m *ICRQ) call() Call {
	return Call{
		Serial: m.CallSerialNumber, BearerType: m.BearerType,
		PhysicalChannelID: m.PhysicalChannelID, CalledNumber: m.CalledNumber,
		CallingNumber: m.CallingNumber, SubAddress: m.SubAddress,
	}
}

// call is what an OCRQ says.
func (m *OCRQ) call() Call {
	return Call{
		Serial: m.CallSerialNumber, BearerType: m.BearerType, FramingType: m.FramingType,
		MinimumBPS: m.MinimumBPS, MaximumBPS: m.MaximumBPS,
		CalledNumber: m.CalledNumber, SubAddress: m.SubAddress,
	}
}

func (m *ICCN) proxy() *Proxy {
	if m.Proxy.empty() {
		return nil
	}
	return new(m.Proxy)
}

// icrq is the request for an incoming call.
func (t *Tunnel) icrq(s *session) *ICRQ {
	c := s.call
	c.Serial = t.nextSerial(c.Serial)
	return &ICRQ{
		AssignedSessionID: s.id, CallSerialNumber: c.Serial, BearerType: c.BearerType,
		PhysicalChannelID: c.PhysicalChannelID, CallingNumber: c.CallingNumber,
		CalledNumber: c.CalledNumber, SubAddress: c.SubAddress,
	}
}

// nextSerial gives a call a serial number if it has none. "Call Serial Numbers
// should be set to progressively increasing values", 4.4.4.
func (t *Tunnel) nextSerial(serial uint32) uint32 {
	if serial == 0 {
		t.serial++
		serial = t.serial
	}
	return serial
}

// fitOutgoing fits an outgoing call to what the peer said it can do, and says
// why it cannot be asked for, or nil.
//
// "An LNS MUST have received a Bearer Capabilities AVP during tunnel
// establishment from an LAC in order to request an outgoing call to that LAC."
// (6.9) "Bits in the Value field of this AVP MUST only be set by the LNS for
// an OCRQ if it was set in the Bearer Capabilities AVP received from the LAC."
// (4.4.4, and likewise of framing)
func (t *Tunnel) fitOutgoing(c *Call) *Result {
	b := cmp.Or(c.BearerType, t.peer.BearerCapabilities) & t.peer.BearerCapabilities
	f := cmp.Or(c.FramingType, t.peer.FramingCapabilities) & t.peer.FramingCapabilities
	switch {
	case b == 0:
		return &Result{Code: CDNNoFacilities, Message: "the peer has no such bearer capability"}
	case f == 0:
		return &Result{Code: CDNNoFacilities, Message: "the peer has no such framing capability"}
	}
	c.BearerType, c.FramingType = b, f
	return nil
}

// ocrq is the request for an outgoing call.
func (t *Tunnel) ocrq(s *session) *OCRQ {
	c := s.call
	c.Serial = t.nextSerial(c.Serial)
	return &OCRQ{
		AssignedSessionID: s.id, CallSerialNumber: c.Serial,
		MinimumBPS: c.MinimumBPS, MaximumBPS: cmp.Or(c.MaximumBPS, defaultConnectSpeed),
		BearerType: c.BearerType, FramingType: c.FramingType,
		CalledNumber: c.CalledNumber, SubAddress: c.SubAddress,
	}
}

// iccn says that an incoming call is connected.
func (t *Tunnel) iccn(c *Call) *ICCN {
	m := &ICCN{
		PrivateGroupID: c.PrivateGroupID, SequencingRequired: c.SequencingRequired,
	}
	m.TxConnectSpeed, m.RxConnectSpeed = t.speeds(c)
	m.FramingType = t.fitFraming(c)
	if c.Proxy != nil {
		m.Proxy = *c.Proxy
	}
	return m
}

// occn says that an outgoing call is connected.
func (t *Tunnel) occn(c *Call) *OCCN {
	m := &OCCN{SequencingRequired: c.SequencingRequired}
	m.TxConnectSpeed, m.RxConnectSpeed = t.speeds(c)
	m.FramingType = t.fitFraming(c)
	return m
}

// speeds are what to say of the call's speeds; the second is zero if the first
// says it all. The call learns them too.
func (t *Tunnel) speeds(c *Call) (tx, rx uint32) {
	c.TxConnectSpeed = cmp.Or(c.TxConnectSpeed, defaultConnectSpeed)
	c.RxConnectSpeed = cmp.Or(c.RxConnectSpeed, c.TxConnectSpeed)
	if c.RxConnectSpeed == c.TxConnectSpeed {
		return c.TxConnectSpeed, 0
	}
	return c.TxConnectSpeed, c.RxConnectSpeed
}

// fitFraming chooses one framing type that the peer takes. Nothing is asked
// for that it did not offer; if it offered nothing it is told synchronous.
//
// "A peer MUST NOT request an incoming or outgoing call with a Framing Type
// AVP specifying a value not advertised in the Framing Capabilities AVP it
// received during control connection establishment."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.3
func (t *Tunnel) fitFraming(c *Call) Framing {
	caps := t.peer.FramingCapabilities
	f := cmp.Or(c.FramingType, FramingSync) & caps
	if f == 0 {
		f = cmp.Or(caps&FramingSync, caps&FramingAsync, FramingSync)
	}
	if f&FramingSync != 0 {
		f = FramingSync
	}
	c.FramingType = f
	return f
}
