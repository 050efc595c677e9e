package l2tp

// An Event is what goes into [Tunnel.Step].
type Event interface{ event() }

type (
	// A Tick says nothing but the time. Step expires what is due before it looks at any event.
	Tick struct{}

	// Open makes a tunnel made by [Initiate] send its SCCRQ.
	Open struct{}

	// MessageReceived is one control datagram from the peer, header included.
	// The tunnel keeps no reference to Data.
	MessageReceived struct{ Data []byte }

	// DataReceived says that data from the peer was seen, which makes a HELLO needless.
	DataReceived struct{}

	// TieBreakerLost ends, silently, a tunnel whose SCCRQ lost against the peer's (4.4.3).
	TieBreakerLost struct{}

	// PlaceCall asks the peer for a call: ICRQ (as LAC) if Kind is [LACIncoming],
	// OCRQ (as LNS) if Kind is [LNSOutgoing]. Session comes from
	// [Tunnel.NewSessionID]. In a tunnel not yet established the call waits for it.
	PlaceCall struct {
		Session SessionID
		Kind    CallKind
		Call    Call
	}

	// CallAccepted answers [IncomingCall]: ICRP or OCRP is sent.
	CallAccepted struct{ Session SessionID }

	// CallConnected says that our end is ready to carry data: as LAC it sends
	// ICCN (after [CallAnswered]) or OCCN (after [CallAccepted]). Of Call only what
	// those messages carry is read: speeds, framing, sequencing, proxy values.
	CallConnected struct {
		Session SessionID
		Call    Call
	}

	// CallRefused answers [IncomingCall] or [CallAnswered] with a CDN.
	CallRefused struct {
		Session SessionID
		Result  Result
	}

	// HangUp ends a call in any state with a CDN. It also gives back an
	// identifier of [Tunnel.NewSessionID] that is not used.
	HangUp struct {
		Session    SessionID
		Result     Result
		Cause      *Q931Cause       // said as well if not nil
		Disconnect *DisconnectCause // said as well if not nil (RFC 3145)
	}

	// SetLinkInfo sends the ACCMs that LCP agreed on to the LAC (SLI, 6.14). We are the LNS.
	SetLinkInfo struct {
		Session            SessionID
		SendACCM, RecvACCM uint32
	}

	// NotifyErrors sends the call's error counters to the LNS (WEN, 6.13). We are the LAC.
	NotifyErrors struct {
		Session SessionID
		Errors  CallErrors
	}

	// Stop ends the tunnel with a StopCCN; its calls end with it.
	Stop struct{ Result Result }
)

func (Tick) event()            {}
func (Open) event()            {}
func (MessageReceived) event() {}
func (DataReceived) event()    {}
func (TieBreakerLost) event()  {}
func (PlaceCall) event()       {}
func (CallAccepted) event()    {}
func (CallConnected) event()   {}
func (CallRefused) event()     {}
func (HangUp) event()          {}
func (SetLinkInfo) event()     {}
func (NotifyErrors) event()    {}
func (Stop) event()            {}
