package ppp

import "net/netip"

// An Action is what [Link.Step] says is to be done, in order.
type Action interface{ action() }

type (
	// SendFrame is a frame for the peer: two bytes of protocol, then the
	// information, without address, control and FCS.
	SendFrame struct{ Frame []byte }

	// LinkUp says that LCP is opened, and on what terms.
	LinkUp struct{ Terms Terms }

	// Authenticate asks whether the peer is who it says. Answer with
	// [Authenticated]. Rechallenges of a link that is up ask again. Serial tells
	// the answer to this question from that to an earlier one, which may come
	// after the peer began anew.
	Authenticate struct {
		Credentials Credentials
		Serial      uint32
	}

	// LocalAuthenticated says that the peer accepted us, with what it said.
	LocalAuthenticated struct {
		Method  AuthMethod
		Message string
	}

	// GrantAddresses asks which addresses the link gets. It comes once when
	// authentication is over, whichever network protocols follow. Frames of
	// those that come before [AddressesGranted] are kept, not lost. It comes
	// again when a link that went down (LinkDown) is up again.
	GrantAddresses struct {
		PeerName string // as authenticated, empty if not
		Serial   uint32 // for the answer, as in [Authenticate]
	}

	// NetworkUp says that a network protocol is opened.
	NetworkUp struct {
		Network   Network
		Addresses Addresses
	}

	// NetworkDown says that a network protocol is closed. The link may live on.
	NetworkDown struct{ Network Network }

	// LinkDown says that LCP left the Opened state: the networks are down
	// before it. It may come up again (renegotiation) unless Finished follows.
	LinkDown struct{}

	// Finished says that the link ended. Nothing follows it.
	Finished struct{ End End }
)

func (SendFrame) action()          {}
func (LinkUp) action()             {}
func (Authenticate) action()       {}
func (LocalAuthenticated) action() {}
func (GrantAddresses) action()     {}
func (NetworkUp) action()          {}
func (NetworkDown) action()        {}
func (LinkDown) action()           {}
func (Finished) action()           {}

// A Network is a network layer protocol.
type Network uint8

// The network layer protocols.
const (
	IPv4 Network = iota + 1 // by IPCP
	IPv6                    // by IPV6CP
)

// Terms are what LCP agreed on.
type Terms struct {
	MRU, PeerMRU           uint16 // bytes
	MTU                    uint16 // of the interface: PeerMRU, but never more than Config.MRU
	ACCM, PeerACCM         uint32 // ours is what the peer escapes when it sends
	MagicNumber, PeerMagic uint32
	PFC, ACFC              bool       // the peer may get compressed fields from us
	AuthPeer, AuthLocal    AuthMethod // 0: none
	PeerEndpoint           []byte     // endpoint discriminator, if said
}

// Credentials are what a peer presented. They print without the response.
type Credentials struct {
	Method    AuthMethod
	Name      string
	ID        uint8  // of the CHAP or PAP packet
	Challenge []byte // what we (or the LAC) sent; empty for PAP; EAP: random bytes to use for one
	Response  []byte // CHAP: value field as received; PAP: the password; EAP: the packet
	State     []byte // EAP pass-through: RADIUS State, opaque here
}

// A Verdict answers [Authenticate].
type Verdict struct {
	OK      bool
	Message string // for the peer; for MS-CHAP the message as its RFC words it ("S=...", "E=691 ...")
	// EAP: the next packet for the peer; if Continue, its reply is awaited.
	EAP      []byte
	Continue bool
	State    []byte
}

// An End says why a link ended.
type End struct {
	Reason EndReason
	// Detail is one line for the operator.
	Detail string
}

// An EndReason classifies ends, for accounting and for what is done next.
type EndReason uint8

// Why links end.
const (
	PeerTerminated    EndReason = iota + 1 // Terminate-Request came
	LocalTerminated                        // CloseRequested
	LowerLayerDown                         // the session went away
	AuthFailed                             // the peer did not prove itself
	LocalAuthFailed                        // the peer refused us
	NegotiationFailed                      // LCP or every network protocol did not converge
	PeerSilent                             // echoes or requests went unanswered
	NoAddress                              // AddressesRefused
	LoopDetected                           // our own magic number came back (RFC 1661, 6.4)
)

// LinkLocal returns the IPv6 link-local address of an interface identifier.
func LinkLocal(interfaceID uint64) netip.Addr {
	a := [16]byte{0: 0xfe, 1: 0x80}
	for i := range 8 {
		a[8+i] = byte(interfaceID >> (56 - 8*i))
	}
	return netip.AddrFrom16(a)
}
