package bench

import (
	"net/netip"

	"culvert/kernel"
)

// batch is how many datagrams a socket may deliver before others have their turn.
const batch = 64

// UDP is the network of this host. All sockets are read by one goroutine.
type UDP struct {
	poller  *kernel.Poller
	scratch []byte
}

// OpenUDP opens the network of this host.
func OpenUDP() (*UDP, error) {
	p, err := kernel.NewPoller()
	if err != nil {
		return nil, err
	}
	return &UDP{p, make([]byte, kernel.MaxDatagram)}, nil
}

// Close ends reading. The sockets are their users' to close.
func (u *UDP) Close() error { return u.poller.Close() }

// Dial opens a socket. One for a single tunnel is connected to the port that the LNS
// first answers from, which makes it cheap; what is shared hears them all.
func (u *UDP) Dial(local, target netip.AddrPort, receive Receiver) (Conn, error) {
	s, err := kernel.DialUDP(local, target, kernel.DialOptions{Data: true, Unconnected: true})
	if err != nil {
		return nil, err
	}
	c := &udpConn{
		network: u, Socket: s, fd: s.FD(), local: s.Local().Addr(),
		target: target.Addr().WithZone(""), receive: receive, shared: local.Port() != 0,
	}
	if err := u.poller.Add(c.fd, c.ready); err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// A udpConn is one socket.
type udpConn struct {
	network *UDP
	*kernel.Socket
	fd            int
	local, target netip.Addr // the target without its zone, of which there are names and numbers
	receive       Receiver
	shared        bool
	ended         bool // the run's loop's

	// The poller's goroutine alone uses these.
	connected, clean bool
	peer             netip.AddrPort
}

// ready reads what has come. It runs on the poller's goroutine.
func (c *udpConn) ready() {
	var err error
	if c.clean {
		err = c.ReadPeer(c.network.scratch, batch, func(b []byte) { c.receive(c.peer, b) })
	} else {
		err = c.readFirst()
	}
	if err != nil {
		c.network.poller.Mute(c.fd) // nothing can be read any more
	}
}

// readFirst looks where datagrams come from. Once the socket is connected and empty
// all that comes is the LNS's.
func (c *udpConn) readFirst() error {
	n, err := c.readAny()
	if err == nil && c.connected && n < batch {
		n, err = c.readAny()
		c.clean = n == 0
	}
	return err
}

func (c *udpConn) readAny() (n int, err error) {
	err = c.ReadBatch(c.network.scratch, batch, func(d kernel.Datagram) {
		n++
		if d.Peer.Addr().WithZone("") == c.target {
			c.connect(d.Peer)
			c.receive(d.Peer, d.Data)
		}
	})
	return n, err
}

// connect makes the LNS's port the only one that is heard.
func (c *udpConn) connect(peer netip.AddrPort) {
	if !c.connected && !c.shared {
		c.connected = c.Connect(peer) == nil
		c.peer = peer
	}
}

// Send sends a datagram.
func (c *udpConn) Send(to netip.AddrPort, b []byte) error {
	if c.shared {
		return c.SendTo(c.local, to, b)
	}
	return c.Socket.Send(b)
}

// Close closes the socket.
func (c *udpConn) Close() error {
	if c.ended {
		return nil
	}
	c.ended = true
	c.network.poller.Remove(c.fd)
	return c.Socket.Close()
}
