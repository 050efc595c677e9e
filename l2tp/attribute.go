package l2tp

import "fmt"

// An AttributeType is the type of an AVP with vendor ID 0 (4.4).
type AttributeType uint16

// The attributes of RFC 2661 and, last, RFC 3145.
const (
	AttrMessageType          AttributeType = 0
	AttrResultCode           AttributeType = 1
	AttrProtocolVersion      AttributeType = 2
	AttrFramingCapabilities  AttributeType = 3
	AttrBearerCapabilities   AttributeType = 4
	AttrTieBreaker           AttributeType = 5
	AttrFirmwareRevision     AttributeType = 6
	AttrHostName             AttributeType = 7
	AttrVendorName           AttributeType = 8
	AttrAssignedTunnelID     AttributeType = 9
	AttrReceiveWindowSize    AttributeType = 10
	AttrChallenge            AttributeType = 11
	AttrQ931CauseCode        AttributeType = 12
	AttrChallengeResponse    AttributeType = 13
	AttrAssignedSessionID    AttributeType = 14
	AttrCallSerialNumber     AttributeType = 15
	AttrMinimumBPS           AttributeType = 16
	AttrMaximumBPS           AttributeType = 17
	AttrBearerType           AttributeType = 18
	AttrFramingType          AttributeType = 19
	AttrCalledNumber         AttributeType = 21
	AttrCallingNumber        AttributeType = 22
	AttrSubAddress           AttributeType = 23
	AttrTxConnectSpeed       AttributeType = 24
	AttrPhysicalChannelID    AttributeType = 25
	AttrInitialReceivedLCP   AttributeType = 26
	AttrLastSentLCP          AttributeType = 27
	AttrLastReceivedLCP      AttributeType = 28
	AttrProxyAuthenType      AttributeType = 29
	AttrProxyAuthenName      AttributeType = 30
	AttrProxyAuthenChallenge AttributeType = 31
	AttrProxyAuthenID        AttributeType = 32
	AttrProxyAuthenResponse  AttributeType = 33
	AttrCallErrors           AttributeType = 34
	AttrACCM                 AttributeType = 35
	AttrRandomVector         AttributeType = 36
	AttrPrivateGroupID       AttributeType = 37
	AttrRxConnectSpeed       AttributeType = 38
	AttrSequencingRequired   AttributeType = 39
	AttrPPPDisconnectCause   AttributeType = 46
	numAttributes                          = 47
)

// anyLength stands for "arbitrary number of octets".
const anyLength = maxAVPValue

// An attribute is a row of the attribute table: the heading and the last
// paragraph of its description in section 4.4.
type attribute struct {
	name      string
	mandatory bool // what we send; the M bit of what we know is not looked at
	mayHide   bool
	min, max  int // length of the value in octets
	in        messageSet
}

// A messageSet is a set of message types.
type messageSet uint32

func in(types ...MessageType) (s messageSet) {
	for _, mt := range types {
		s |= 1 << mt
	}
	return s
}

// allMessages is the set of all defined messages.
const allMessages messageSet = 1<<TypeSCCRQ | 1<<TypeSCCRP | 1<<TypeSCCCN | 1<<TypeStopCCN |
	1<<TypeHELLO | 1<<TypeOCRQ | 1<<TypeOCRP | 1<<TypeOCCN | 1<<TypeICRQ | 1<<TypeICRP |
	1<<TypeICCN | 1<<TypeCDN | 1<<TypeWEN | 1<<TypeSLI

// Where lengths are lenient they are so for a peer that is known: an empty
// Host Name from old l2tpd, a Challenge Response of 22 octets from Cisco.
var attributes = [numAttributes]attribute{
	AttrMessageType:     {"Message Type", true, false, 2, 2, allMessages},
	AttrResultCode:      {"Result Code", true, false, 2, anyLength, in(TypeCDN, TypeStopCCN)},
	AttrProtocolVersion: {"Protocol Version", true, false, 2, 2, in(TypeSCCRP, TypeSCCRQ)},
	AttrFramingCapabilities: {"Framing Capabilities", true, true, 4, 4,
		in(TypeSCCRP, TypeSCCRQ)},
	AttrBearerCapabilities: {"Bearer Capabilities", true, true, 4, 4,
		in(TypeSCCRP, TypeSCCRQ)},
	AttrTieBreaker:       {"Tie Breaker", false, false, 8, 8, in(TypeSCCRQ)},
	AttrFirmwareRevision: {"Firmware Revision", false, true, 2, 2, in(TypeSCCRP, TypeSCCRQ)},
	AttrHostName:         {"Host Name", true, false, 0, anyLength, in(TypeSCCRP, TypeSCCRQ)},
	AttrVendorName:       {"Vendor Name", false, true, 0, anyLength, in(TypeSCCRP, TypeSCCRQ)},
	AttrAssignedTunnelID: {"Assigned Tunnel ID", true, true, 2, 2,
		in(TypeSCCRP, TypeSCCRQ, TypeStopCCN)},
	AttrReceiveWindowSize: {"Receive Window Size", true, false, 2, 2,
		in(TypeSCCRQ, TypeSCCRP)},
	AttrChallenge:     {"Challenge", true, true, 1, anyLength, in(TypeSCCRP, TypeSCCRQ)},
	AttrQ931CauseCode: {"Q.931 Cause Code", true, false, 3, anyLength, in(TypeCDN)},
	AttrChallengeResponse: {"Challenge Response", true, true, 16, anyLength,
		in(TypeSCCCN, TypeSCCRP)},
	AttrAssignedSessionID: {"Assigned Session ID", true, true, 2, 2,
		in(TypeCDN, TypeICRP, TypeICRQ, TypeOCRP, TypeOCRQ)},
	AttrCallSerialNumber: {"Call Serial Number", true, true, 4, 4, in(TypeICRQ, TypeOCRQ)},
	AttrMinimumBPS:       {"Minimum BPS", true, true, 4, 4, in(TypeOCRQ)},
	AttrMaximumBPS:       {"Maximum BPS", true, true, 4, 4, in(TypeOCRQ)},
	AttrBearerType:       {"Bearer Type", true, true, 4, 4, in(TypeICRQ, TypeOCRQ)},
	AttrFramingType:      {"Framing Type", true, true, 4, 4, in(TypeICCN, TypeOCCN, TypeOCRQ)},
	AttrCalledNumber:     {"Called Number", true, true, 0, anyLength, in(TypeICRQ, TypeOCRQ)},
	AttrCallingNumber:    {"Calling Number", true, true, 0, anyLength, in(TypeICRQ)},
	AttrSubAddress:       {"Sub-Address", true, true, 0, anyLength, in(TypeICRQ, TypeOCRQ)},
	AttrTxConnectSpeed:   {"(Tx) Connect Speed", true, true, 4, 4, in(TypeICCN, TypeOCCN)},
	AttrPhysicalChannelID: {"Physical Channel ID", false, true, 4, 4,
		in(TypeICRQ, TypeOCRP)},
	AttrInitialReceivedLCP: {"Initial Received LCP CONFREQ", false, true, 0, anyLength,
		in(TypeICCN)},
	AttrLastSentLCP:          {"Last Sent LCP CONFREQ", false, true, 0, anyLength, in(TypeICCN)},
	AttrLastReceivedLCP:      {"Last Received LCP CONFREQ", false, true, 0, anyLength, in(TypeICCN)},
	AttrProxyAuthenType:      {"Proxy Authen Type", false, true, 2, 2, in(TypeICCN)},
	AttrProxyAuthenName:      {"Proxy Authen Name", false, true, 0, anyLength, in(TypeICCN)},
	AttrProxyAuthenChallenge: {"Proxy Authen Challenge", false, true, 1, anyLength, in(TypeICCN)},
	AttrProxyAuthenID:        {"Proxy Authen ID", false, true, 2, 2, in(TypeICCN)},
	AttrProxyAuthenResponse:  {"Proxy Authen Response", false, true, 0, anyLength, in(TypeICCN)},
	AttrCallErrors:           {"Call Errors", true, true, 26, 26, in(TypeWEN)},
	AttrACCM:                 {"ACCM", true, true, 10, 10, in(TypeSLI)},
	AttrRandomVector:         {"Random Vector", true, false, 0, anyLength, allMessages},
	AttrPrivateGroupID:       {"Private Group ID", false, true, 0, anyLength, in(TypeICCN)},
	AttrRxConnectSpeed:       {"Rx Connect Speed", false, true, 4, 4, in(TypeICCN, TypeOCCN)},
	AttrSequencingRequired:   {"Sequencing Required", true, false, 0, anyLength, in(TypeICCN, TypeOCCN)},
	AttrPPPDisconnectCause:   {"PPP Disconnect Cause Code", false, true, 5, anyLength, in(TypeCDN)},
}

// known says whether the attribute is one of those above.
func (a AttributeType) known() bool { return a < numAttributes && attributes[a].name != "" }

// String is the attribute's name.
func (a AttributeType) String() string {
	if a.known() {
		return attributes[a].name
	}
	return fmt.Sprintf("attribute %d", uint16(a))
}
