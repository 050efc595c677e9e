package l2tp

// The control connection's table, as printed in section 7.2.1. A test compares
// it with the RFC's text.

// A TunnelState is the state of a control connection (7.2).
type TunnelState uint8

// The states of a tunnel: the RFC's, and two for what follows the RFC's clean
// up. TunnelClosing lingers to acknowledge what the peer retransmits (5.7).
const (
	TunnelIdle TunnelState = iota
	TunnelWaitCtlReply
	TunnelWaitCtlConn
	TunnelEstablished
	TunnelClosing
	TunnelFinished
	numConnStates = TunnelEstablished + 1
)

var tunnelStateNames = [...]string{
	"idle", "wait-ctl-reply", "wait-ctl-conn", "established", "closing", "finished",
}

// String is the RFC's name.
func (s TunnelState) String() string { return tunnelStateNames[s] }

// A connEvent is an event of the table.
type connEvent uint8

const (
	connLocalOpen connEvent = iota
	connSCCRQ
	connSCCRQBad // not acceptable
	connLoseTie  // SCCRQ, lose tie-breaker
	connSCCRP
	connSCCRPBad
	connSCCCN
	connSCCCNBad
	connAdminClose
	connStopCCN
	numConnEvents
)

// connActions is the set of what is to be done, carried out in this order.
type connActions uint8

const (
	sendSCCRQ connActions = 1 << iota
	sendSCCRP
	sendSCCCN
	tunnelOpen // send tunnel-open event to waiting sessions
	requeue    // the SCCRQ, for the idle state
	sendStopCCN
	cleanUpTunnel
)

// A connCell is what is done in a state on an event. Where the RFC's table has
// no row, do is zero.
type connCell struct {
	do   connActions
	next TunnelState
}

const refuseTunnel = sendStopCCN | cleanUpTunnel

var connTable = [numConnStates][numConnEvents]connCell{
	TunnelIdle: {
		connLocalOpen: {sendSCCRQ, TunnelWaitCtlReply},
		connSCCRQ:     {sendSCCRP, TunnelWaitCtlConn},
		connSCCRQBad:  {refuseTunnel, TunnelIdle},
		connSCCRP:     {refuseTunnel, TunnelIdle},
		connSCCRPBad:  {refuseTunnel, TunnelIdle},
		connSCCCN:     {cleanUpTunnel, TunnelIdle},
		connSCCCNBad:  {cleanUpTunnel, TunnelIdle},
		connStopCCN:   {cleanUpTunnel, TunnelIdle},
	},
	TunnelWaitCtlReply: {
		connSCCRP:    {sendSCCCN | tunnelOpen, TunnelEstablished},
		connSCCRPBad: {refuseTunnel, TunnelIdle},
		connLoseTie:  {cleanUpTunnel | requeue, TunnelIdle},
		connSCCCN:    {refuseTunnel, TunnelIdle},
		connSCCCNBad: {refuseTunnel, TunnelIdle},
		connStopCCN:  {cleanUpTunnel, TunnelIdle},
	},
	TunnelWaitCtlConn: {
		connSCCCN:    {tunnelOpen, TunnelEstablished},
		connSCCCNBad: {refuseTunnel, TunnelIdle},
		connSCCRP:    {refuseTunnel, TunnelIdle},
		connSCCRPBad: {refuseTunnel, TunnelIdle},
		connSCCRQ:    {refuseTunnel, TunnelIdle},
		connSCCRQBad: {refuseTunnel, TunnelIdle},
		connStopCCN:  {cleanUpTunnel, TunnelIdle},
	},
	TunnelEstablished: {
		connLocalOpen:  {tunnelOpen, TunnelEstablished},
		connAdminClose: {refuseTunnel, TunnelIdle},
		connSCCRQ:      {refuseTunnel, TunnelIdle},
		connSCCRQBad:   {refuseTunnel, TunnelIdle},
		connSCCRP:      {refuseTunnel, TunnelIdle},
		connSCCRPBad:   {refuseTunnel, TunnelIdle},
		connSCCCN:      {refuseTunnel, TunnelIdle},
		connSCCCNBad:   {refuseTunnel, TunnelIdle},
		connStopCCN:    {cleanUpTunnel, TunnelIdle},
	},
}
