package ppp

// A State is a state of the option negotiation automaton (RFC 1661, 4.2).
type State uint8

// The states, numbered as in the RFC.
const (
	Initial State = iota
	Starting
	Closed
	Stopped
	Closing
	Stopping
	ReqSent
	AckRcvd
	AckSent
	Opened
	numStates
)

// timed tells whether the Restart timer runs in a state: "The states in which the
// Restart timer is running are identifiable by the presence of TO events."
// https://www.rfc-editor.org/rfc/rfc1661#section-4.1
func (s State) timed() bool { return table[evTimeout][s].next != none }

// An event is an event of the automaton (RFC 1661, 4.3).
type event uint8

const (
	evUp event = iota
	evDown
	evOpen
	evClose
	evTimeout // TO+: with the counter above zero
	evExpired // TO-: with the counter at zero
	evGoodRequest
	evBadRequest
	evAck
	evNak // or Reject
	evTerminateRequest
	evTerminateAck
	evUnknownCode
	evRejected // RXJ+: permitted
	evBroken   // RXJ-: catastrophic
	evEcho     // echo and discard
	numEvents
)

// actions is a set: "multiple actions may be implemented in any convenient
// order", which control.go's is.
type actions uint16

const (
	tlu actions = 1 << iota // This-Layer-Up
	tld                     // This-Layer-Down
	tls                     // This-Layer-Started
	tlf                     // This-Layer-Finished
	irc                     // Initialize-Restart-Count
	zrc                     // Zero-Restart-Count
	scr                     // Send-Configure-Request
	sca                     // Send-Configure-Ack
	scn                     // Send-Configure-Nak/Rej
	str                     // Send-Terminate-Request
	sta                     // Send-Terminate-Ack
	scj                     // Send-Code-Reject
	ser                     // Send-Echo-Reply
)

// A transition is a cell of the table.
type transition struct {
	do   actions
	next State
}

const none = numStates // the event cannot happen in this state

// never is the cell that the RFC prints as a dash.
var never = transition{next: none}

// table is the state transition table of RFC 1661, 4.1, with columns and rows
// as printed there. The Restart option [r] is not taken: an Open changes nothing
// then. The Passive option [p] is not taken either: a link that hears nothing ends.
var table = [numEvents][numStates]transition{
	evUp: {
		{0, Closed}, {irc | scr, ReqSent}, never, never, never,
		never, never, never, never, never,
	},
	evDown: {
		never, never, {0, Initial}, {tls, Starting}, {0, Initial},
		{0, Starting}, {0, Starting}, {0, Starting}, {0, Starting}, {tld, Starting},
	},
	evOpen: {
		{tls, Starting}, {0, Starting}, {irc | scr, ReqSent}, {0, Stopped}, {0, Stopping},
		{0, Stopping}, {0, ReqSent}, {0, AckRcvd}, {0, AckSent}, {0, Opened},
	},
	evClose: {
		{0, Initial}, {tlf, Initial}, {0, Closed}, {0, Closed}, {0, Closing},
		{0, Closing}, {irc | str, Closing}, {irc | str, Closing}, {irc | str, Closing},
		{tld | irc | str, Closing},
	},
	evTimeout: {
		never, never, never, never, {str, Closing},
		{str, Stopping}, {scr, ReqSent}, {scr, ReqSent}, {scr, AckSent}, never,
	},
	evExpired: {
		never, never, never, never, {tlf, Closed},
		{tlf, Stopped}, {tlf, Stopped}, {tlf, Stopped}, {tlf, Stopped}, never,
	},
	evGoodRequest: {
		never, never, {sta, Closed}, {irc | scr | sca, AckSent}, {0, Closing},
		{0, Stopping}, {sca, AckSent}, {sca | tlu, Opened}, {sca, AckSent},
		{tld | scr | sca, AckSent},
	},
	evBadRequest: {
		never, never, {sta, Closed}, {irc | scr | scn, ReqSent}, {0, Closing},
		{0, Stopping}, {scn, ReqSent}, {scn, AckRcvd}, {scn, ReqSent},
		{tld | scr | scn, ReqSent},
	},
	evAck: {
		never, never, {sta, Closed}, {sta, Stopped}, {0, Closing},
		{0, Stopping}, {irc, AckRcvd}, {scr, ReqSent}, {irc | tlu, Opened}, {tld | scr, ReqSent},
	},
	evNak: {
		never, never, {sta, Closed}, {sta, Stopped}, {0, Closing},
		{0, Stopping}, {irc | scr, ReqSent}, {scr, ReqSent}, {irc | scr, AckSent},
		{tld | scr, ReqSent},
	},
	evTerminateRequest: {
		never, never, {sta, Closed}, {sta, Stopped}, {sta, Closing},
		{sta, Stopping}, {sta, ReqSent}, {sta, ReqSent}, {sta, ReqSent}, {tld | zrc | sta, Stopping},
	},
	evTerminateAck: {
		never, never, {0, Closed}, {0, Stopped}, {tlf, Closed},
		{tlf, Stopped}, {0, ReqSent}, {0, ReqSent}, {0, AckSent}, {tld | scr, ReqSent},
	},
	evUnknownCode: {
		never, never, {scj, Closed}, {scj, Stopped}, {scj, Closing},
		{scj, Stopping}, {scj, ReqSent}, {scj, AckRcvd}, {scj, AckSent}, {scj, Opened},
	},
	evRejected: {
		never, never, {0, Closed}, {0, Stopped}, {0, Closing},
		{0, Stopping}, {0, ReqSent}, {0, ReqSent}, {0, AckSent}, {0, Opened},
	},
	evBroken: {
		never, never, {tlf, Closed}, {tlf, Stopped}, {tlf, Closed},
		{tlf, Stopped}, {tlf, Stopped}, {tlf, Stopped}, {tlf, Stopped}, {tld | irc | str, Stopping},
	},
	evEcho: {
		never, never, {0, Closed}, {0, Stopped}, {0, Closing},
		{0, Stopping}, {0, ReqSent}, {0, AckRcvd}, {0, AckSent}, {ser, Opened},
	},
}
