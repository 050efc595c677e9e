package l2tp

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// The least that may be chosen, and what is assumed of a peer that is silent.
const (
	minRetransmitCap  = 8 * time.Second
	defaultPeerWindow = 4
	protocolVersion   = 0x0100 // version 1, revision 0
)

// These give the fields of a Config with their defaults.

// "Human readable text for this AVP MUST be provided in the UTF-8 charset."
func (c *Config) vendorName() string {
	return cmp.Or(strings.ToValidUTF8(c.VendorName, "\uFFFD"), "Culvert")
}

func (c *Config) framing() Framing {
	if c.FramingCapabilities == FramingNone {
		return 0
	}
	return cmp.Or(c.FramingCapabilities, FramingAsync|FramingSync)
}

// "A value of 0 for the Receive Window Size AVP is invalid", 5.8. More than
// half of the sequence numbers could not be told from duplicates.
func (c *Config) receiveWindow() uint16 { return min(cmp.Or(c.ReceiveWindow, 16), 32768) }

func (c *Config) sendWindow() uint16 { return cmp.Or(c.SendWindow, 256) }

func (c *Config) retransmitInterval() time.Duration {
	return cmp.Or(max(c.RetransmitInterval, 0), time.Second)
}

// "An implementation MAY place a cap upon the maximum interval between
// retransmissions. This cap MUST be no less than 8 seconds per retransmission."
// https://www.rfc-editor.org/rfc/rfc2661#section-5.8
func (c *Config) retransmitCap() time.Duration {
	return max(c.RetransmitCap, minRetransmitCap, c.retransmitInterval())
}

func (c *Config) maxRetransmits() int { return cmp.Or(max(c.MaxRetransmits, 0), 5) }

func (c *Config) ackDelay() time.Duration {
	return cmp.Or(max(c.AckDelay, 0), 200*time.Millisecond)
}

// ackEvery is how many messages are acknowledged at once, without delay. A peer whose
// window is full waits for us, and its window is not always the one that we offer: the
// congestion window of Appendix A is one message at first, and after each loss again.
// So every second message is, as with TCP (RFC 5681, 4.2), and each where we offer less
// than four. Of fewer, a peer's window would grow by one message for each delay; for more,
// there would be a ZLB even where our answer follows. docs/performance.md has figures.
func (c *Config) ackEvery() uint16 { return max(min(c.receiveWindow()/2, 2), 1) }

func (c *Config) linger() time.Duration { return cmp.Or(max(c.Linger, 0), 31*time.Second) }

func (c *Config) establishTimeout() time.Duration {
	return cmp.Or(max(c.EstablishTimeout, 0), 120*time.Second)
}

func (c *Config) sessionEstablishTimeout() time.Duration {
	return cmp.Or(max(c.SessionEstablishTimeout, 0), 120*time.Second)
}

func (c *Config) maxSessions() int {
	if c.MaxSessions <= 0 || c.MaxSessions > 65535 {
		return 65535
	}
	return c.MaxSessions
}

// hides says whether AVPs of a message of type mt are to be hidden. Cisco
// routers cannot read hidden AVPs in an SCCRQ, and there the peer does not
// know yet which secret is meant.
func (c *Config) hides(mt MessageType) bool {
	return c.HideAVPs && c.Secret != "" && mt != TypeSCCRQ
}

// random returns n random octets. Identifiers and challenges that are not
// random would be worse than a stop.
func (c *Config) random(n int) []byte {
	r := c.Rand
	if r == nil {
		r = rand.Reader
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		panic("l2tp: reading Config.Rand: " + err.Error())
	}
	return b
}

func (c *Config) random16() uint16 { return binary.BigEndian.Uint16(c.random(2)) }
