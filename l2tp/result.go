package l2tp

import "fmt"

// A ResultCode is the first half of the Result Code AVP (4.4.2). The numbers
// mean one thing in a StopCCN and another in a CDN. It is not an error: a code
// that we send and one that the peer sent must not be confused.
type ResultCode uint16

// Result codes of StopCCN.
const (
	StopGeneral       ResultCode = 1 // general request to clear control connection
	StopError         ResultCode = 2 // general error, the error code says which
	StopAlreadyExists ResultCode = 3
	StopNotAuthorized ResultCode = 4
	StopVersion       ResultCode = 5 // the error code is the highest version supported
	StopShutdown      ResultCode = 6 // requester is being shut down
	StopFSM           ResultCode = 7 // finite state machine error
)

// Result codes of CDN.
const (
	CDNLossOfCarrier          ResultCode = 1
	CDNError                  ResultCode = 2 // the error code says which
	CDNAdministrative         ResultCode = 3
	CDNNoFacilitiesForNow     ResultCode = 4 // temporary condition
	CDNNoFacilities           ResultCode = 5 // permanent condition
	CDNInvalidDestination     ResultCode = 6
	CDNNoCarrier              ResultCode = 7
	CDNBusy                   ResultCode = 8
	CDNNoDialTone             ResultCode = 9
	CDNNotEstablishedInTime   ResultCode = 10
	CDNNoAppropriateFraming   ResultCode = 11
	numStopCodes, numCDNCodes            = 8, 12
)

// An ErrorCode says more of result 2, general error (4.4.2). Zero is no error code.
type ErrorCode uint16

// General error codes.
const (
	ErrorNone                ErrorCode = 0
	ErrorNoControlConnection ErrorCode = 1
	ErrorLength              ErrorCode = 2
	ErrorValue               ErrorCode = 3
	ErrorResources           ErrorCode = 4
	ErrorSessionID           ErrorCode = 5
	ErrorVendorSpecific      ErrorCode = 6
	ErrorTryAnother          ErrorCode = 7
	ErrorUnknownMandatory    ErrorCode = 8
	numErrorCodes                      = 9
)

var stopNames = [numStopCodes]string{
	"reserved",
	"general request to clear control connection",
	"general error",
	"control channel already exists",
	"not authorized to establish a control channel",
	"protocol version not supported",
	"being shut down",
	"finite state machine error",
}

var cdnNames = [numCDNCodes]string{
	"reserved",
	"loss of carrier",
	"general error",
	"administrative reasons",
	"no appropriate facilities (temporary condition)",
	"no appropriate facilities (permanent condition)",
	"invalid destination",
	"no carrier detected",
	"busy signal",
	"no dial tone",
	"not established within time allotted by LAC",
	"no appropriate framing detected",
}

var errorNames = [numErrorCodes]string{
	"no general error",
	"no control connection exists yet for this LAC-LNS pair",
	"length is wrong",
	"field value out of range or reserved field not zero",
	"insufficient resources",
	"session ID invalid in this context",
	"vendor-specific error",
	"try another",
	"unknown AVP with the M-bit set",
}

// StopName is the code's name in a StopCCN.
func (c ResultCode) StopName() string { return name(stopNames[:], int(c), "result") }

// CDNName is the code's name in a CDN.
func (c ResultCode) CDNName() string { return name(cdnNames[:], int(c), "result") }

// String is the error code's name.
func (c ErrorCode) String() string { return name(errorNames[:], int(c), "error") }

func name(names []string, i int, what string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s %d", what, i)
}

// A Result is the Result Code AVP: what a StopCCN or a CDN says.
type Result struct {
	Code    ResultCode
	Error   ErrorCode
	Message string
}

// StopString describes the result of a StopCCN in one line.
func (r Result) StopString() string { return r.describe(r.Code.StopName(), r.Code == StopVersion) }

// CDNString describes the result of a CDN in one line.
func (r Result) CDNString() string { return r.describe(r.Code.CDNName(), false) }

func (r Result) describe(name string, version bool) string {
	switch {
	case version:
		name += fmt.Sprintf(" (highest is %d.%d)", r.Error>>8, r.Error&0xff)
	case r.Error != 0:
		name += ", " + r.Error.String()
	}
	if r.Message != "" {
		name += fmt.Sprintf(": %q", r.Message)
	}
	return name
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
