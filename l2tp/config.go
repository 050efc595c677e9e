package l2tp

import (
	"fmt"
	"io"
	"time"
)

// A TunnelID names a tunnel (control connection) at one of its two ends.
// Zero is no tunnel: it stands in the header of a first SCCRQ.
// https://www.rfc-editor.org/rfc/rfc2661#section-3.1
type TunnelID uint16

// A SessionID names a session (call) within a tunnel at one of its two ends.
// Zero is no session: control messages of the tunnel itself carry it.
type SessionID uint16

// A Secret is a shared secret. It prints as asterisks everywhere.
type Secret string

// Format hides the secret under every verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "********") }

// String hides the secret.
func (Secret) String() string { return "********" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "********" }

// MarshalText hides the secret from JSON and slog.
func (Secret) MarshalText() ([]byte, error) { return []byte("********"), nil }

// A Config says how one end of a tunnel behaves. It is shared by many tunnels
// and never changed once a tunnel has it. A zero field means its default.
type Config struct {
	// What we tell the peer of ourselves (4.4.2, 4.4.3).
	HostName            string
	VendorName          string  // default "Culvert"
	FirmwareRevision    uint16  // sent when not zero
	FramingCapabilities Framing // default FramingAsync | FramingSync; FramingNone for none
	BearerCapabilities  Bearer  // sent when not zero

	// Authentication and hiding (5.1.1, 4.3).
	Secret        Secret // answers a peer's challenge and hides AVPs; empty for none
	ChallengePeer bool   // send a Challenge and insist on the right response; needs Secret
	HideAVPs      bool   // hide what may be hidden, never in SCCRQ; needs Secret
	UseTieBreaker bool   // send a Tie Breaker in SCCRQ (4.4.3)

	// Reliable delivery (5.8, Appendix A).
	ReceiveWindow      uint16        // messages; what we advertise, 1 to 32768, default 16
	SendWindow         uint16        // messages; cap on what the peer advertises, default 256
	RetransmitInterval time.Duration // first interval, doubled each time; default 1 s
	RetransmitCap      time.Duration // default and minimum 8 s
	MaxRetransmits     int           // default 5; then the tunnel is given up
	AckDelay           time.Duration // how long an acknowledgement may wait for a message to ride on; default 200 ms
	HelloInterval      time.Duration // of silence before a HELLO (5.5); 0 means none
	HelloSpread        time.Duration // a HELLO is up to this much early or late, so that not all leave at once
	Linger             time.Duration // after StopCCN (5.7), default 31 s, a full retransmission cycle

	EstablishTimeout        time.Duration // of a tunnel, default 120 s
	SessionEstablishTimeout time.Duration // of a call, default 120 s
	MaxSessions             int           // in this tunnel; 0 means 65535

	// Which call requests of the peer are considered at all.
	RefuseIncomingCalls bool // ICRQ: we are not an LNS for this peer
	RefuseOutgoingCalls bool // OCRQ: we are not a LAC for this peer

	Rand io.Reader // identifiers, challenges, random vectors; default crypto/rand.Reader
}
