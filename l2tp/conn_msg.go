package l2tp

// The messages of the control connection (6.1 to 6.5).

// SCCRQ is Start-Control-Connection-Request (6.1).
type SCCRQ struct {
	ProtocolVersion     uint16 // version in the upper octet, revision in the lower
	HostName            string
	FramingCapabilities Framing
	AssignedTunnelID    TunnelID
	BearerCapabilities  Bearer
	ReceiveWindowSize   uint16
	Challenge           []byte
	TieBreaker          *[8]byte
	FirmwareRevision    uint16
	VendorName          string
}

// Type is [TypeSCCRQ].
func (*SCCRQ) Type() MessageType { return TypeSCCRQ }

func (m *SCCRQ) fields() []field {
	return []field{
		need(AttrProtocolVersion, &m.ProtocolVersion),
		need(AttrHostName, &m.HostName),
		need(AttrFramingCapabilities, &m.FramingCapabilities),
		need(AttrAssignedTunnelID, &m.AssignedTunnelID),
		may(AttrBearerCapabilities, &m.BearerCapabilities),
		may(AttrReceiveWindowSize, &m.ReceiveWindowSize),
		may(AttrChallenge, &m.Challenge),
		may(AttrTieBreaker, &m.TieBreaker),
		may(AttrFirmwareRevision, &m.FirmwareRevision),
		may(AttrVendorName, &m.VendorName),
	}
}

// SCCRP is Start-Control-Connection-Reply (6.2).
type SCCRP struct {
	ProtocolVersion     uint16 // version in the upper octet, revision in the lower
	FramingCapabilities Framing
	HostName            string
	AssignedTunnelID    TunnelID
	BearerCapabilities  Bearer
	FirmwareRevision    uint16
	VendorName          string
	ReceiveWindowSize   uint16
	Challenge           []byte
	ChallengeResponse   []byte
}

// Type is [TypeSCCRP].
func (*SCCRP) Type() MessageType { return TypeSCCRP }

func (m *SCCRP) fields() []field {
	return []field{
		need(AttrProtocolVersion, &m.ProtocolVersion),
		need(AttrFramingCapabilities, &m.FramingCapabilities),
		need(AttrHostName, &m.HostName),
		need(AttrAssignedTunnelID, &m.AssignedTunnelID),
		may(AttrBearerCapabilities, &m.BearerCapabilities),
		may(AttrFirmwareRevision, &m.FirmwareRevision),
		may(AttrVendorName, &m.VendorName),
		may(AttrReceiveWindowSize, &m.ReceiveWindowSize),
		may(AttrChallenge, &m.Challenge),
		may(AttrChallengeResponse, &m.ChallengeResponse),
	}
}

// SCCCN is Start-Control-Connection-Connected (6.3).
type SCCCN struct {
	ChallengeResponse []byte
}

// Type is [TypeSCCCN].
func (*SCCCN) Type() MessageType { return TypeSCCCN }

func (m *SCCCN) fields() []field {
	return []field{may(AttrChallengeResponse, &m.ChallengeResponse)}
}

// StopCCN is Stop-Control-Connection-Notification (6.4).
type StopCCN struct {
	AssignedTunnelID TunnelID
	Result           Result
}

// Type is [TypeStopCCN].
func (*StopCCN) Type() MessageType { return TypeStopCCN }

func (m *StopCCN) fields() []field {
	return []field{
		need(AttrAssignedTunnelID, &m.AssignedTunnelID),
		need(AttrResultCode, &m.Result),
	}
}

// HELLO keeps a tunnel alive (6.5).
type HELLO struct{}

// Type is [TypeHELLO].
func (*HELLO) Type() MessageType { return TypeHELLO }

func (*HELLO) fields() []field { return nil }

// PeekSCCRQ reads from a control datagram what is needed before there is a
// tunnel for it: host name, assigned tunnel ID, tie breaker and so on. It is
// never strict: what is missing, malformed or hidden is left zero. The error
// says that the datagram is no SCCRQ at all.
func PeekSCCRQ(b []byte) (SCCRQ, error) {
	h, body, err := ParseHeader(b)
	if err != nil {
		return SCCRQ{}, err
	}
	var p parser
	m, ok := p.parse(body).(*SCCRQ)
	if !h.Control || !ok {
		return SCCRQ{}, &ParseError{Reason: NoMessageType, Mandatory: true}
	}
	return *m, nil
}
