package l2tp

import "fmt"

// A Reason is why something of the peer's could not be read. Reasons differ
// because the RFC ends different things for them.
type Reason uint8

// The reasons of a [ParseError].
const (
	BadVersion       Reason = iota + 1 // of the header: discard
	BadHeader                          // discard
	NoMessageType                      // the first AVP is not a proper Message Type
	UnknownMessage                     // the Message Type is not known
	BadLength                          // an AVP's length
	BadValue                           // an AVP's value is out of range
	Undecipherable                     // hidden, and secret or random vector is missing or wrong
	UnknownMandatory                   // not recognized, M bit set
	MissingAttribute                   // a message lacks what it must have
)

var reasonNames = [...]string{
	BadVersion:       "unknown version in the header",
	BadHeader:        "malformed header",
	NoMessageType:    "the first AVP is not a Message Type",
	UnknownMessage:   "unknown message type",
	BadLength:        "wrong length",
	BadValue:         "value out of range",
	Undecipherable:   "hidden and not decipherable",
	UnknownMandatory: "unknown and mandatory",
	MissingAttribute: "missing",
}

func (r Reason) String() string { return reasonNames[r] }

// A ParseError says what is wrong with a datagram, a message or an AVP.
type ParseError struct {
	Offset    int // of the AVP within the message
	Reason    Reason
	Mandatory bool // the M bit of the AVP in question
	Message   MessageType
	VendorID  uint16
	Attribute AttributeType
}

// Error says it in one line.
func (e *ParseError) Error() string {
	return "reading " + e.where() + ": " + e.Reason.String()
}

func (e *ParseError) where() string {
	switch e.Reason {
	case BadVersion, BadHeader:
		return "datagram"
	case NoMessageType:
		return "control message"
	case UnknownMessage:
		return e.Message.String()
	case MissingAttribute:
		return fmt.Sprintf("%v, %v", e.Message, e.Attribute)
	}
	if e.Reason == BadLength && e.Attribute == 0 && e.VendorID == 0 {
		return fmt.Sprintf("%v, AVP at octet %d", e.Message, e.Offset)
	}
	if e.VendorID != 0 {
		return fmt.Sprintf("%v, attribute %d of vendor %d at octet %d",
			e.Message, uint16(e.Attribute), e.VendorID, e.Offset)
	}
	return fmt.Sprintf("%v, %v at octet %d", e.Message, e.Attribute, e.Offset)
}

// result is what to tell the peer: the codes mean the same in a StopCCN and a CDN.
//
// "The Error Message SHOULD contain the attribute of the offending AVP in
// (human readable) text form."
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.2
func (e *ParseError) result() Result {
	r := Result{Code: StopError, Error: ErrorValue, Message: e.Error()}
	switch e.Reason {
	case BadLength:
		r.Error = ErrorLength
	case UnknownMandatory, Undecipherable:
		r.Error = ErrorUnknownMandatory
	}
	return r
}
