package l2tp

// The messages of a call (6.6 to 6.14).

// ICRQ is Incoming-Call-Request (6.6).
type ICRQ struct {
	AssignedSessionID SessionID
	CallSerialNumber  uint32
	BearerType        Bearer
	PhysicalChannelID *uint32
	CallingNumber     string
	CalledNumber      string
	SubAddress        string
}

// Type is [TypeICRQ].
func (*ICRQ) Type() MessageType { return TypeICRQ }

func (m *ICRQ) fields() []field {
	return []field{
		need(AttrAssignedSessionID, &m.AssignedSessionID),
		need(AttrCallSerialNumber, &m.CallSerialNumber),
		may(AttrBearerType, &m.BearerType),
		may(AttrPhysicalChannelID, &m.PhysicalChannelID),
		may(AttrCallingNumber, &m.CallingNumber),
		may(AttrCalledNumber, &m.CalledNumber),
		may(AttrSubAddress, &m.SubAddress),
	}
}

// ICRP is Incoming-Call-Reply (6.7).
type ICRP struct {
	AssignedSessionID SessionID
}

// Type is [TypeICRP].
func (*ICRP) Type() MessageType { return TypeICRP }

func (m *ICRP) fields() []field {
	return []field{need(AttrAssignedSessionID, &m.AssignedSessionID)}
}

// ICCN is Incoming-Call-Connected (6.8).
type ICCN struct {
	TxConnectSpeed     uint32
	FramingType        Framing
	Proxy              Proxy
	PrivateGroupID     string
	RxConnectSpeed     uint32
	SequencingRequired bool
}

// Type is [TypeICCN].
func (*ICCN) Type() MessageType { return TypeICCN }

func (m *ICCN) fields() []field {
	p := &m.Proxy
	named, challenged, identified := p.AuthType.demands()
	return []field{
		need(AttrTxConnectSpeed, &m.TxConnectSpeed),
		need(AttrFramingType, &m.FramingType),
		may(AttrInitialReceivedLCP, &p.InitialReceivedConfReq),
		may(AttrLastSentLCP, &p.LastSentConfReq),
		may(AttrLastReceivedLCP, &p.LastReceivedConfReq),
		may(AttrProxyAuthenType, &p.AuthType),
		{AttrProxyAuthenName, named, &p.AuthName},
		{AttrProxyAuthenChallenge, challenged, &p.AuthChallenge},
		{AttrProxyAuthenID, identified, &p.AuthID},
		{AttrProxyAuthenResponse, named, &p.AuthResponse},
		may(AttrPrivateGroupID, &m.PrivateGroupID),
		may(AttrRxConnectSpeed, &m.RxConnectSpeed),
		may(AttrSequencingRequired, &m.SequencingRequired),
	}
}

// demands says which AVPs a Proxy Authen Type demands: name and response for
// 1, 2, 3 and 5, challenge for 2 and 5, ID for 2, 3 and 5. It concerns what we
// send: nothing is demanded of what is received, where the type is not known
// before the message is read.
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.5
func (t ProxyAuthType) demands() (named, challenged, identified bool) {
	switch t {
	case ProxyAuthText:
		return true, false, false
	case ProxyAuthPAP:
		return true, false, true
	case ProxyAuthCHAP, ProxyAuthMSCHAP:
		return true, true, true
	}
	return false, false, false
}

// empty says whether the proxy says nothing.
func (p *Proxy) empty() bool {
	return p.InitialReceivedConfReq == nil && p.LastSentConfReq == nil &&
		p.LastReceivedConfReq == nil && p.AuthType == 0 && p.AuthName == "" &&
		p.AuthChallenge == nil && p.AuthID == 0 && p.AuthResponse == ""
}

// OCRQ is Outgoing-Call-Request (6.9).
type OCRQ struct {
	AssignedSessionID SessionID
	CallSerialNumber  uint32
	MinimumBPS        uint32
	MaximumBPS        uint32
	BearerType        Bearer
	FramingType       Framing
	CalledNumber      string
	SubAddress        string
}

// Type is [TypeOCRQ].
func (*OCRQ) Type() MessageType { return TypeOCRQ }

func (m *OCRQ) fields() []field {
	return []field{
		need(AttrAssignedSessionID, &m.AssignedSessionID),
		need(AttrCallSerialNumber, &m.CallSerialNumber),
		need(AttrMinimumBPS, &m.MinimumBPS),
		need(AttrMaximumBPS, &m.MaximumBPS),
		need(AttrBearerType, &m.BearerType),
		need(AttrFramingType, &m.FramingType),
		need(AttrCalledNumber, &m.CalledNumber),
		may(AttrSubAddress, &m.SubAddress),
	}
}

// OCRP is Outgoing-Call-Reply (6.10).
type OCRP struct {
	AssignedSessionID SessionID
	PhysicalChannelID *uint32
}

// Type is [TypeOCRP].
func (*OCRP) Type() MessageType { return TypeOCRP }

func (m *OCRP) fields() []field {
	return []field{
		need(AttrAssignedSessionID, &m.AssignedSessionID),
		may(AttrPhysicalChannelID, &m.PhysicalChannelID),
	}
}

// OCCN is Outgoing-Call-Connected (6.11).
type OCCN struct {
	TxConnectSpeed     uint32
	FramingType        Framing
	RxConnectSpeed     uint32
	SequencingRequired bool
}

// Type is [TypeOCCN].
func (*OCCN) Type() MessageType { return TypeOCCN }

func (m *OCCN) fields() []field {
	return []field{
		need(AttrTxConnectSpeed, &m.TxConnectSpeed),
		need(AttrFramingType, &m.FramingType),
		may(AttrRxConnectSpeed, &m.RxConnectSpeed),
		may(AttrSequencingRequired, &m.SequencingRequired),
	}
}

// CDN is Call-Disconnect-Notify (6.12).
type CDN struct {
	Result            Result
	AssignedSessionID SessionID
	Cause             *Q931Cause
	Disconnect        *DisconnectCause
}

// Type is [TypeCDN].
func (*CDN) Type() MessageType { return TypeCDN }

func (m *CDN) fields() []field {
	return []field{
		need(AttrResultCode, &m.Result),
		need(AttrAssignedSessionID, &m.AssignedSessionID),
		may(AttrQ931CauseCode, &m.Cause),
		may(AttrPPPDisconnectCause, &m.Disconnect),
	}
}

// WEN is WAN-Error-Notify (6.13).
type WEN struct {
	Errors CallErrors
}

// Type is [TypeWEN].
func (*WEN) Type() MessageType { return TypeWEN }

func (m *WEN) fields() []field { return []field{need(AttrCallErrors, &m.Errors)} }

// SLI is Set-Link-Info (6.14).
type SLI struct {
	accm accm
}

// Type is [TypeSLI].
func (*SLI) Type() MessageType { return TypeSLI }

func (m *SLI) fields() []field { return []field{need(AttrACCM, &m.accm)} }

// ACCM is what the LAC is to use for sending and for receiving.
func (m *SLI) ACCM() (send, recv uint32) { return m.accm.send, m.accm.recv }
