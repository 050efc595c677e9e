package bench

import "net/netip"

// A Network opens the sockets of a run.
type Network interface {
	// Dial opens a socket from local to the LNS: an invalid address is the route's
	// choice, port 0 an ephemeral one. receive is called with each datagram of the
	// LNS, from any goroutine; it keeps no reference to b.
	Dial(local, target netip.AddrPort, receive func(b []byte)) (Conn, error)
	// Close ends all calls of receive.
	Close() error
}

// A Conn is a socket to the LNS.
type Conn interface {
	// Send sends a datagram. One that cannot leave at once is lost.
	Send(b []byte) error
	// Local is the address that the LNS sees, as far as is known here.
	Local() netip.AddrPort
	Close() error
}
