package bench

import "net/netip"

// A Network opens the sockets of a run.
type Network interface {
	// Dial opens a socket from local to the LNS: an invalid address is the route's
	// choice, port 0 an ephemeral one, for one tunnel. receive is called with each
	// datagram from the LNS's address, from any goroutine; it keeps no reference to b.
	Dial(local, target netip.AddrPort, receive Receiver) (Conn, error)
	// Close ends all calls of receive.
	Close() error
}

// A Receiver takes a datagram and where it came from.
type Receiver func(from netip.AddrPort, b []byte)

// A Conn is a socket to the LNS.
type Conn interface {
	// Send sends a datagram to a port of the LNS. One that cannot leave at once is lost.
	Send(to netip.AddrPort, b []byte) error
	Close() error
}
