package l2tp

// A CallKind is the role that this end has in a call (7.4, 7.5).
type CallKind uint8

// The four kinds of calls.
const (
	LACIncoming CallKind = iota + 1 // we are the LAC and sent ICRQ (7.4.1)
	LNSIncoming                     // we are the LNS and received ICRQ (7.4.2)
	LACOutgoing                     // we are the LAC and received OCRQ (7.5.1)
	LNSOutgoing                     // we are the LNS and sent OCRQ (7.5.2)
)

// Framing is a set of framing types (4.4.2 Framing Capabilities, 4.4.4 Framing Type).
type Framing uint32

// The bits of Framing, as on the wire.
const (
	FramingSync  Framing = 1 << 0
	FramingAsync Framing = 1 << 1
)

// FramingNone in a Config stands for no framing capability at all, for which zero does not.
const FramingNone Framing = 1 << 31

// Bearer is a set of bearer types (4.4.3 Bearer Capabilities, 4.4.4 Bearer Type).
type Bearer uint32

// The bits of Bearer, as on the wire.
const (
	BearerDigital Bearer = 1 << 0
	BearerAnalog  Bearer = 1 << 1
)

// A Call is what the messages of a call say about it (4.4.4, 4.4.5). What was not said is zero.
type Call struct {
	Serial             uint32
	BearerType         Bearer
	FramingType        Framing
	PhysicalChannelID  *uint32
	CalledNumber       string
	CallingNumber      string
	SubAddress         string
	MinimumBPS         uint32 // bits a second
	MaximumBPS         uint32 // bits a second
	TxConnectSpeed     uint32 // bits a second, from the LAC to the LNS's peer
	RxConnectSpeed     uint32 // bits a second; TxConnectSpeed if not said
	PrivateGroupID     string
	SequencingRequired bool
	Proxy              *Proxy
}

// A Proxy is what a LAC did of LCP and authentication on the LNS's behalf (4.4.5).
// Byte strings are LCP options without their header.
type Proxy struct {
	InitialReceivedConfReq []byte
	LastSentConfReq        []byte
	LastReceivedConfReq    []byte
	AuthType               ProxyAuthType // zero if not said
	AuthName               string
	AuthChallenge          []byte
	AuthID                 uint8
	AuthResponse           Secret
}

// A ProxyAuthType is the value of the Proxy Authen Type AVP (4.4.5).
type ProxyAuthType uint16

// Proxy authentication types.
const (
	ProxyAuthText   ProxyAuthType = 1 // textual user name and password exchange
	ProxyAuthCHAP   ProxyAuthType = 2
	ProxyAuthPAP    ProxyAuthType = 3
	ProxyAuthNone   ProxyAuthType = 4
	ProxyAuthMSCHAP ProxyAuthType = 5 // version 1
)

// CallErrors are the counters of the Call Errors AVP (4.4.6).
type CallErrors struct {
	CRC, Framing, HardwareOverruns, BufferOverruns, Timeouts, Alignments uint32
}

// A Peer is what the peer's SCCRQ or SCCRP said of itself.
type Peer struct {
	TunnelID            TunnelID
	HostName            string
	VendorName          string
	ProtocolVersion     uint8
	ProtocolRevision    uint8
	FirmwareRevision    uint16
	FramingCapabilities Framing
	BearerCapabilities  Bearer
	ReceiveWindow       uint16
}
