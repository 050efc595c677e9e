package l2tp

// A ResultCode is the first half of the Result Code AVP (4.4.2). The numbers
// mean one thing in a StopCCN and another in a CDN. It is not an error: a code
// that we send and one that the peer sent must not be confused.
type ResultCode uint16

// An ErrorCode says more of result 2, general error (4.4.2). Zero is no error code.
type ErrorCode uint16

// A Result is the Result Code AVP: what a StopCCN or a CDN says.
type Result struct {
	Code    ResultCode
	Error   ErrorCode
	Message string
}

// A Q931Cause is the Q.931 Cause Code AVP (4.4.7).
type Q931Cause struct {
	Code     uint16
	Message  uint8
	Advisory string
}

// A DisconnectCause is the PPP Disconnect Cause Code AVP (RFC 3145, 2).
type DisconnectCause struct {
	Code            uint16
	ControlProtocol uint16
	Direction       uint8 // 0 global, 1 at the peer, 2 at the local end
	Message         string
}
