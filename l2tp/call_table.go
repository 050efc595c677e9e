package l2tp

// The four tables of calls, as printed in sections 7.4.1, 7.4.2, 7.5.1 and
// 7.5.2. A test compares them with the RFC's text.

// A CallState is the state of a call (7.4, 7.5).
type CallState uint8

// The states of the four tables together.
const (
	CallIdle CallState = iota
	CallWaitTunnel
	CallWaitReply
	CallWaitConnect
	CallWaitCSAnswer
	CallEstablished
	numCallStates
)

var callStateNames = [numCallStates]string{
	"idle", "wait-tunnel", "wait-reply", "wait-connect", "wait-cs-answer", "established",
}

// String is the RFC's name.
func (s CallState) String() string { return callStateNames[s] }

// A callEvent is an event of the tables.
type callEvent uint8

const (
	callLocalOpen  callEvent = iota // bearer ring or ready to indicate incoming conn., local open request
	callTunnelOpen                  // tunnel-open
	callICRQ                        // receive ICRQ, acceptable or not said
	callICRQBad                     // receive ICRQ, not acceptable
	callICRP
	callICRPBad
	callICCN
	callICCNBad
	callOCRQ
	callOCRQBad
	callOCRP
	callOCRPBad
	callOCCN
	callCDN
	callLocalClose    // local close request, bearer line drop
	callBearerAnswer  // bearer answer, framing detected
	callBearerFailure // bearer failure
	numCallEvents
)

// callActions is the set of what is to be done.
type callActions uint16

const (
	openTunnel     callActions = 1 << iota // initiate local tunnel open
	sendICRQ                               //
	sendICRP                               //
	sendICCN                               //
	sendOCRQ                               //
	sendOCRP                               //
	openBearer                             //
	sendOCCN                               //
	prepareForData                         //
	nothing                                // "none"
	sendCDN                                //
	cleanUpCall                            //
)

// A callCell is what is done in a state on an event. Where the RFC's table has
// no row, do is zero.
type callCell struct {
	do   callActions
	next CallState
}

type callTable [numCallStates][numCallEvents]callCell

const refuseCall = sendCDN | cleanUpCall

var callTables = [...]callTable{
	LACIncoming: { // 7.4.1
		CallIdle: {
			callLocalOpen: {openTunnel, CallWaitTunnel},
			callICCN:      {cleanUpCall, CallIdle},
			callICCNBad:   {cleanUpCall, CallIdle},
			callICRP:      {cleanUpCall, CallIdle},
			callICRPBad:   {cleanUpCall, CallIdle},
			callCDN:       {cleanUpCall, CallIdle},
		},
		CallWaitTunnel: {
			callLocalClose: {cleanUpCall, CallIdle},
			callTunnelOpen: {sendICRQ, CallWaitReply},
		},
		CallWaitReply: {
			callICRP:       {sendICCN, CallEstablished},
			callICRPBad:    {refuseCall, CallIdle},
			callICRQ:       {refuseCall, CallIdle},
			callICRQBad:    {refuseCall, CallIdle},
			callCDN:        {cleanUpCall, CallIdle},
			callICCN:       {cleanUpCall, CallIdle},
			callICCNBad:    {cleanUpCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
		CallEstablished: {
			callCDN:        {cleanUpCall, CallIdle},
			callICRQ:       {refuseCall, CallIdle},
			callICRQBad:    {refuseCall, CallIdle},
			callICRP:       {refuseCall, CallIdle},
			callICRPBad:    {refuseCall, CallIdle},
			callICCN:       {refuseCall, CallIdle},
			callICCNBad:    {refuseCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
	},
	LNSIncoming: { // 7.4.2
		CallIdle: {
			callICRQ:    {sendICRP, CallWaitConnect},
			callICRQBad: {refuseCall, CallIdle},
			callICRP:    {refuseCall, CallIdle},
			callICRPBad: {refuseCall, CallIdle},
			callICCN:    {cleanUpCall, CallIdle},
			callICCNBad: {cleanUpCall, CallIdle},
			callCDN:     {cleanUpCall, CallIdle},
		},
		CallWaitConnect: {
			callICCN:       {prepareForData, CallEstablished},
			callICCNBad:    {refuseCall, CallIdle},
			callICRQ:       {refuseCall, CallIdle},
			callICRQBad:    {refuseCall, CallIdle},
			callICRP:       {refuseCall, CallIdle},
			callICRPBad:    {refuseCall, CallIdle},
			callCDN:        {cleanUpCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
		CallEstablished: {
			callCDN:        {cleanUpCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
			callICRQ:       {refuseCall, CallIdle},
			callICRQBad:    {refuseCall, CallIdle},
			callICRP:       {refuseCall, CallIdle},
			callICRPBad:    {refuseCall, CallIdle},
			callICCN:       {refuseCall, CallIdle},
			callICCNBad:    {refuseCall, CallIdle},
		},
	},
	LACOutgoing: { // 7.5.1
		CallIdle: {
			callOCRQ:    {sendOCRP | openBearer, CallWaitCSAnswer},
			callOCRQBad: {refuseCall, CallIdle},
			callOCRP:    {refuseCall, CallIdle},
			callOCRPBad: {refuseCall, CallIdle},
			callOCCN:    {cleanUpCall, CallIdle},
			callCDN:     {cleanUpCall, CallIdle},
		},
		CallWaitCSAnswer: {
			callBearerAnswer:  {sendOCCN, CallEstablished},
			callBearerFailure: {refuseCall, CallIdle},
			callOCRQ:          {refuseCall, CallIdle},
			callOCRQBad:       {refuseCall, CallIdle},
			callOCRP:          {refuseCall, CallIdle},
			callOCRPBad:       {refuseCall, CallIdle},
			callOCCN:          {refuseCall, CallIdle},
			callCDN:           {cleanUpCall, CallIdle},
		},
		CallEstablished: {
			callOCRQ:       {refuseCall, CallIdle},
			callOCRQBad:    {refuseCall, CallIdle},
			callOCRP:       {refuseCall, CallIdle},
			callOCRPBad:    {refuseCall, CallIdle},
			callOCCN:       {refuseCall, CallIdle},
			callCDN:        {cleanUpCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
	},
	LNSOutgoing: { // 7.5.2
		CallIdle: {
			callLocalOpen: {openTunnel, CallWaitTunnel},
			callOCCN:      {cleanUpCall, CallIdle},
			callOCRP:      {cleanUpCall, CallIdle},
			callOCRPBad:   {cleanUpCall, CallIdle},
			callCDN:       {cleanUpCall, CallIdle},
		},
		CallWaitTunnel: {
			callTunnelOpen: {sendOCRQ, CallWaitReply},
			callLocalClose: {cleanUpCall, CallIdle},
		},
		CallWaitReply: {
			callOCRP:       {nothing, CallWaitConnect},
			callOCRPBad:    {refuseCall, CallIdle},
			callOCCN:       {refuseCall, CallIdle},
			callOCRQ:       {refuseCall, CallIdle},
			callOCRQBad:    {refuseCall, CallIdle},
			callCDN:        {cleanUpCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
		CallWaitConnect: {
			callOCCN:       {nothing, CallEstablished},
			callOCRQ:       {refuseCall, CallIdle},
			callOCRQBad:    {refuseCall, CallIdle},
			callOCRP:       {refuseCall, CallIdle},
			callOCRPBad:    {refuseCall, CallIdle},
			callCDN:        {cleanUpCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
		CallEstablished: {
			callCDN:        {cleanUpCall, CallIdle},
			callOCRQ:       {refuseCall, CallIdle},
			callOCRQBad:    {refuseCall, CallIdle},
			callOCRP:       {refuseCall, CallIdle},
			callOCRPBad:    {refuseCall, CallIdle},
			callOCCN:       {refuseCall, CallIdle},
			callLocalClose: {refuseCall, CallIdle},
		},
	},
}
