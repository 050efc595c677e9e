package l2tp

// An Action is what [Tunnel.Step] says is to be done, in order.
type Action interface{ action() }

type (
	// Send is a control datagram for the peer, header included. Session is which
	// of ours it is about, zero if none; the header has the peer's. Again says
	// that it was sent before and not acknowledged in time.
	Send struct {
		Data    []byte
		Session SessionID
		Again   bool
	}

	// Established says that the control connection is up. Peer is what the peer said of itself.
	Established struct{ Peer Peer }

	// IncomingCall says that the peer asks for a call: ICRQ (Kind [LNSIncoming])
	// or OCRQ (Kind [LACOutgoing]). Answer with [CallAccepted] once data can be
	// received for the session, or with [CallRefused].
	IncomingCall struct {
		Session, PeerSession SessionID
		Kind                 CallKind
		Call                 Call
	}

	// CallTurnedDown says that the peer asked for a call that was refused at once,
	// with a CDN of Result: there is no session, and nothing follows.
	CallTurnedDown struct {
		Kind   CallKind
		Result Result
	}

	// CallAnswered says that the peer took a call that we placed: ICRP (Kind
	// [LACIncoming]) or OCRP ([LNSOutgoing]) came. As LAC answer with
	// [CallConnected] once data can be received, or with [CallRefused]. As LNS
	// nothing is owed: [SessionUp] follows when the OCCN comes.
	CallAnswered struct {
		Session, PeerSession SessionID
		Kind                 CallKind
		Call                 Call
	}

	// SessionUp says that the call is established at both ends as far as is
	// known here, and that the ICCN or OCCN, if ours, has left the window:
	// PPP may begin. Call holds all that both ends said.
	SessionUp struct {
		Session, PeerSession SessionID
		Kind                 CallKind
		Call                 Call
	}

	// SessionDown says that a call ended; the session's identifier is free.
	// It comes once for each IncomingCall and each PlaceCall.
	SessionDown struct {
		Session SessionID
		End     End
	}

	// LinkInfo is the ACCMs of an SLI from the LNS.
	LinkInfo struct {
		Session            SessionID
		SendACCM, RecvACCM uint32
	}

	// ErrorsNotified is the counters of a WEN from the LAC.
	ErrorsNotified struct {
		Session SessionID
		Errors  CallErrors
	}

	// Stopped says that the control connection ended, after SessionDown for
	// each of its calls. The tunnel lingers to acknowledge what the peer
	// retransmits (5.7): keep calling Step until Finished.
	Stopped struct{ End End }

	// Finished says that the tunnel may be forgotten. Nothing follows it.
	Finished struct{}
)

func (Send) action()           {}
func (Established) action()    {}
func (IncomingCall) action()   {}
func (CallTurnedDown) action() {}
func (CallAnswered) action()   {}
func (SessionUp) action()      {}
func (SessionDown) action()    {}
func (LinkInfo) action()       {}
func (ErrorsNotified) action() {}
func (Stopped) action()        {}
func (Finished) action()       {}

// An End says why a tunnel or a call ended.
type End struct {
	Result Result
	// ByPeer: the result is what the peer told us. Otherwise it is what we told
	// the peer, or would have if it were still there.
	ByPeer bool
	// Lost: nothing was told: retransmissions went unanswered, a timer expired, or a tie was lost.
	Lost bool
	// Cause is what the peer's CDN said of the bearer (Q.931, 4.4.7), if anything.
	Cause *Q931Cause
	// Disconnect is the PPP Disconnect Cause of RFC 3145, if any.
	Disconnect *DisconnectCause
}
