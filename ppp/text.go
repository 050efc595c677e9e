package ppp

import (
	"fmt"
	"strconv"
	"strings"
)

// One-line forms, for logs and transcripts. No password is in any of them.

func name(names []string, i int, kind string) string {
	if i < len(names) && names[i] != "" {
		return names[i]
	}
	return kind + " " + strconv.Itoa(i)
}

var stateNames = []string{
	"Initial", "Starting", "Closed", "Stopped", "Closing", "Stopping",
	"Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened",
}

// String returns the RFC's name.
func (s State) String() string { return name(stateNames, int(s), "state") }

var phaseNames = []string{"Dead", "Establish", "Authenticate", "Network", "Terminate"}

// String returns the RFC's name.
func (p Phase) String() string { return name(phaseNames, int(p), "phase") }

var methodNames = []string{"none", "PAP", "CHAP-MD5", "MS-CHAPv1", "MS-CHAPv2", "EAP"}

// String returns the usual name.
func (m AuthMethod) String() string { return name(methodNames, int(m), "method") }

var networkNames = []string{"", "IPv4", "IPv6"}

// String returns the usual name.
func (n Network) String() string { return name(networkNames, int(n), "network") }

var reasonNames = []string{
	"none", "peer terminated", "locally terminated", "lower layer down",
	"authentication failed", "local authentication failed", "negotiation failed",
	"peer silent", "no address", "loop detected",
}

// String returns a few words.
func (r EndReason) String() string { return name(reasonNames, int(r), "reason") }

// String returns the usual name, or the number.
func (p Protocol) String() string {
	switch p {
	case ProtocolIPv4:
		return "IPv4"
	case ProtocolIPv6:
		return "IPv6"
	case ProtocolIPCP:
		return "IPCP"
	case ProtocolIPv6CP:
		return "IPV6CP"
	case ProtocolCCP:
		return "CCP"
	case ProtocolLCP:
		return "LCP"
	case ProtocolPAP:
		return "PAP"
	case ProtocolLQR:
		return "LQR"
	case ProtocolCHAP:
		return "CHAP"
	case ProtocolEAP:
		return "EAP"
	}
	return fmt.Sprintf("protocol %#04x", uint16(p))
}

var codeNames = []string{
	"", "Configure-Request", "Configure-Ack", "Configure-Nak", "Configure-Reject",
	"Terminate-Request", "Terminate-Ack", "Code-Reject", "Protocol-Reject",
	"Echo-Request", "Echo-Reply", "Discard-Request", "Identification", "Time-Remaining",
}

// String returns LCP's name of a code.
func (c code) String() string { return name(codeNames, int(c), "code") }

// String says why a link ended.
func (e End) String() string { return e.Reason.String() + ": " + e.Detail }

// String names the peer and what it used, not the response, nor how long it is.
func (c Credentials) String() string {
	return fmt.Sprintf("%v name=%s id=%d", c.Method, quotedName(c.Name), c.ID)
}

// GoString is String: %#v must not print a password either.
func (c Credentials) GoString() string { return c.String() }

// MarshalText hides the response from JSON and slog.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// quoted is what a peer said, for the end of a line.
func quoted(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return ": " + strconv.Quote(printable(b))
}

func quotedName(s string) string { return strconv.Quote(clip(s, 255)) }

// printable is a message of a peer without what could harm a terminal.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, clip(string(b), 255))
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
