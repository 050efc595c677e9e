package ppp

import (
	"io"
	"net/netip"
	"time"
)

// A Secret is a password. It prints as asterisks everywhere.
type Secret string

// String hides the secret.
func (Secret) String() string { return "********" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "********" }

// MarshalText hides the secret from JSON and slog.
func (Secret) MarshalText() ([]byte, error) { return []byte("********"), nil }

// An AuthMethod is an authentication protocol with its algorithm.
type AuthMethod uint8

// The authentication methods.
const (
	PAP      AuthMethod = iota + 1 // RFC 1334
	CHAPMD5                        // RFC 1994
	MSCHAPv1                       // RFC 2433
	MSCHAPv2                       // RFC 2759
	EAP                            // RFC 3748
)

// A Config says how one end of a link behaves. It is shared by many links and
// never changed once a link has it. A zero field means its default.
type Config struct {
	// LCP (RFC 1661, 6).
	MRU     uint16 // bytes; what we can receive, 128 to 16384; default 1500 (not sent then)
	ACCM    uint32 // the control characters that the peer is to escape (RFC 1662, 7.1)
	NoACCM  bool   // do not negotiate that
	Passive bool   // wait for the peer's first Configure-Request
	NoMagic bool   // do not negotiate a Magic-Number

	// Authentication. Methods in order of preference.
	AuthPeer     []AuthMethod // the peer must prove itself by one of them; empty: it need not
	AuthLocal    []AuthMethod // by which we prove ourselves if asked; empty: we refuse
	LocalName    string       // our name as authenticator, in challenges
	User         string       // who we are, if we are asked
	Password     Secret
	AuthTimeout  time.Duration // for the whole of authentication; default 60 s
	AuthInterval time.Duration // between repetitions of what is not PAP; default 3 s
	AuthAttempts int           // transmissions of one such packet; default 10
	Rechallenge  time.Duration // CHAP only: between challenges once the link is up; 0 never
	PAPInterval  time.Duration // between repetitions of our PAP request; default AuthInterval
	PAPAttempts  int           // transmissions of it; default AuthAttempts
	PAPTimeout   time.Duration // the wait for the peer's PAP request; default AuthTimeout

	LCP Limits
	NCP Limits // of the network control protocols; a zero field is as LCP's

	// LCP Echo (RFC 1661, 5.8).
	EchoInterval time.Duration // 0: none are sent
	EchoFailures int           // unanswered ones that end the link; default 5

	// Network control protocols.
	NoIPv4 bool // refuse IPCP (RFC 1332)
	IPv6   bool // negotiate IPV6CP (RFC 5072)

	// As the side that asks for its address: what to accept.
	RequestDNS  bool // ask for DNS servers (RFC 1877)
	RequestWINS bool // ask for NBNS servers (RFC 1877)

	Rand io.Reader // magic numbers, challenges, interface identifiers; default crypto/rand.Reader
}

// Limits are the timer and the counters of a control protocol (RFC 1661, 4.6).
type Limits struct {
	RestartInterval time.Duration // default 3 s
	MaxConfigure    int           // Configure-Requests without an answer; default 10
	MaxTerminate    int           // Terminate-Requests without an answer; default 2
	MaxFailure      int           // Configure-Naks before Configure-Reject; default 5
}

// Addresses is what the engine lets a link use, and what a link ended up with.
type Addresses struct {
	// Local is ours. Invalid or 0.0.0.0: the peer is to say.
	Local netip.Addr
	// Peer is what the peer must take. Invalid or 0.0.0.0: the peer may choose.
	Peer netip.Addr
	// DNS and WINS are what a peer that asks is told (as granted), or what the
	// peer told us (in NetworkUp). Invalid ones are not given.
	DNS, WINS [2]netip.Addr
	// LocalInterfaceID and PeerInterfaceID are IPV6CP's (RFC 5072, 4.1). Zero
	// LocalInterfaceID: a random one. Zero PeerInterfaceID: the peer may choose.
	LocalInterfaceID, PeerInterfaceID uint64
}
