package ppp

// An Event is what goes into [Link.Step].
type Event interface{ event() }

type (
	// A Tick says nothing but the time. Step expires what is due before it looks at any event.
	Tick struct{}

	// LowerUp says that frames can be sent and received: LCP begins. Proxy, if
	// not nil, is what a LAC already negotiated (RFC 2661, 4.4.5).
	LowerUp struct{ Proxy *Proxy }

	// LowerDown says that frames can no longer be sent: the session is gone.
	LowerDown struct{}

	// FrameReceived is one frame from the peer, with or without address and
	// control bytes, with one or two bytes of protocol. No reference to Frame is kept.
	FrameReceived struct{ Frame []byte }

	// Authenticated answers [Authenticate]. Serial is that of the question: an
	// answer to an old one is passed over. Zero stands for the last one.
	Authenticated struct {
		Verdict Verdict
		Serial  uint32
	}

	// AddressesGranted answers [GrantAddresses]. Serial as in [Authenticated].
	AddressesGranted struct {
		Addresses Addresses
		Serial    uint32
	}

	// AddressesRefused answers [GrantAddresses] with the end of the link: none
	// is free, say. Reason is told to the operator, not to the peer.
	AddressesRefused struct {
		Reason string
		Serial uint32
	}

	// CloseRequested terminates the link politely: Terminate-Request, then Finished.
	CloseRequested struct{ Reason string }
)

func (Tick) event()             {}
func (LowerUp) event()          {}
func (LowerDown) event()        {}
func (FrameReceived) event()    {}
func (Authenticated) event()    {}
func (AddressesGranted) event() {}
func (AddressesRefused) event() {}
func (CloseRequested) event()   {}

// A Proxy is what a LAC did on our behalf (RFC 2661, 4.4.5). LCP options
// come without the header of their packet; an empty LastSent or LastReceived
// means that LCP is to be negotiated anew.
type Proxy struct {
	InitialReceivedConfReq []byte
	LastSentConfReq        []byte
	LastReceivedConfReq    []byte
	Credentials            *Credentials // nil if the LAC did not authenticate the peer
}
