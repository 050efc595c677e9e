package ppp

import (
	"fmt"
	"net/netip"
	"strings"
)

// The forms of events and actions. Those with a frame or credentials in them have
// GoString as well, so that %#v shows no password either.

// String returns "tick".
func (Tick) String() string { return "tick" }

// String says that the lower layer is up.
func (e LowerUp) String() string {
	if e.Proxy != nil {
		return "lower layer up, with proxy"
	}
	return "lower layer up"
}

// GoString is String.
func (e LowerUp) GoString() string { return e.String() }

// String says that the lower layer is down.
func (LowerDown) String() string { return "lower layer down" }

// String says what was received.
func (e FrameReceived) String() string { return "received " + Describe(e.Frame) }

// GoString is String.
func (e FrameReceived) GoString() string { return e.String() }

// String tells the verdict.
func (e Authenticated) String() string {
	v := e.Verdict
	return fmt.Sprintf("authenticated ok=%t continue=%t message=%q", v.OK, v.Continue, v.Message)
}

// String tells what is granted.
func (e AddressesGranted) String() string { return "granted" + e.Addresses.String() }

// String tells why not.
func (e AddressesRefused) String() string { return "addresses refused: " + e.Reason }

// String tells why.
func (e CloseRequested) String() string { return "close requested: " + e.Reason }

// String says what is sent.
func (a SendFrame) String() string { return "send " + Describe(a.Frame) }

// GoString is String.
func (a SendFrame) GoString() string { return a.String() }

// String tells the terms.
func (a LinkUp) String() string { return "link up: " + a.Terms.String() }

// String tells who is to be judged.
func (a Authenticate) String() string { return "authenticate " + a.Credentials.String() }

// String tells by what.
func (a LocalAuthenticated) String() string {
	return fmt.Sprintf("accepted by the peer: %v message=%q", a.Method, a.Message)
}

// String tells for whom.
func (a GrantAddresses) String() string {
	return fmt.Sprintf("grant addresses peer=%q", a.PeerName)
}

// String tells which and with what addresses.
func (a NetworkUp) String() string { return a.Network.String() + " up:" + a.Addresses.String() }

// String tells which.
func (a NetworkDown) String() string { return a.Network.String() + " down" }

// String says that the link is down.
func (LinkDown) String() string { return "link down" }

// String tells the end.
func (a Finished) String() string { return "finished: " + a.End.String() }

// String is one line of what was agreed on.
func (t Terms) String() string {
	return fmt.Sprintf("mru=%d peer-mru=%d mtu=%d accm=%08x peer-accm=%08x pfc=%t acfc=%t "+
		"auth-peer=%v auth-local=%v", t.MRU, t.PeerMRU, t.MTU, t.ACCM, t.PeerACCM, t.PFC, t.ACFC,
		t.AuthPeer, t.AuthLocal)
}

// String lists what there is, with a space before each.
func (a Addresses) String() string {
	var s strings.Builder
	for _, v := range []struct {
		name string
		addr netip.Addr
	}{
		{"local", a.Local}, {"peer", a.Peer}, {"dns", a.DNS[0]}, {"dns", a.DNS[1]},
		{"wins", a.WINS[0]}, {"wins", a.WINS[1]},
	} {
		if v.addr.IsValid() {
			fmt.Fprintf(&s, " %s=%v", v.name, v.addr)
		}
	}
	if a.LocalInterfaceID != 0 {
		fmt.Fprintf(&s, " local-id=%016x", a.LocalInterfaceID)
	}
	if a.PeerInterfaceID != 0 {
		fmt.Fprintf(&s, " peer-id=%016x", a.PeerInterfaceID)
	}
	return s.String()
}
