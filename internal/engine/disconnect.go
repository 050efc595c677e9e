package engine

import (
	"culvert/l2tp"
	"culvert/ppp"
)

// The codes of RFC 3145, 3 that a link of ours ends with.
const (
	causeNormal            = 3 // a Terminate-Request was sent
	causeLCPFailed         = 5
	causeNoLCP             = 6
	causeLoop              = 7
	causeEchoTimeout       = 8
	causeAuthFailed        = 16
	causeNoNetworkProtocol = 18
	causeNoAddress         = 20
)

// Whose doing it was (RFC 3145, 2).
const (
	directionGlobal = iota
	directionPeer
	directionLocal
)

// disconnectCause says to the peer's L2TP why PPP ended, for its accounting: the
// Result Code does not tell much. late is whether authentication was over.
func disconnectCause(end ppp.End, late bool) *l2tp.DisconnectCause {
	c := &l2tp.DisconnectCause{
		ControlProtocol: uint16(ppp.ProtocolLCP), Direction: directionGlobal, Message: end.Detail,
	}
	switch end.Reason {
	case ppp.PeerTerminated:
		c.Code, c.Direction = causeNormal, directionPeer
	case ppp.LocalTerminated:
		c.Code, c.Direction = causeNormal, directionLocal
	case ppp.AuthFailed:
		c.Code, c.ControlProtocol, c.Direction = causeAuthFailed, 0, directionPeer
		c.Message = "" // who it was, and what was wrong, is not the peer's business
	case ppp.LocalAuthFailed:
		c.Code, c.ControlProtocol, c.Direction = causeAuthFailed, 0, directionLocal
	case ppp.NoAddress:
		c.Code, c.ControlProtocol, c.Direction = causeNoAddress, uint16(ppp.ProtocolIPCP), directionLocal
		c.Message = ""
	case ppp.LoopDetected:
		c.Code = causeLoop
	case ppp.PeerSilent:
		c.Code = causeNoLCP
		if late {
			c.Code = causeEchoTimeout
		}
	case ppp.NegotiationFailed:
		c.Code = causeLCPFailed
		if late {
			c.Code, c.ControlProtocol = causeNoNetworkProtocol, 0
		}
	default:
		return nil
	}
	return c
}
