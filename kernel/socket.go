package kernel

import (
	"errors"
	"io/fs"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Socket is a non-blocking UDP socket of one family.
//
// Its methods may be called from many goroutines, also while one closes it:
// after that they return fs.ErrClosed.
type Socket struct {
	descriptor
	family   int
	tooLarge func()      // see DialOptions
	large    atomic.Bool // it is to be called

	// Guarded by the descriptor's mutex.
	local     netip.AddrPort
	peer      netip.AddrPort // invalid for a listener
	connected bool
}

// A Datagram is what a socket received. Data belongs to the receiver.
type Datagram struct {
	Local, Peer netip.AddrPort
	Data        []byte
}

// MaxDatagram is the size of a scratch buffer into which each datagram fits.
const MaxDatagram = 1 << 16

// DialOptions are the options of DialUDP.
type DialOptions struct {
	// Share binds to a port that this process has already, by ListenUDP or
	// DialUDP. Without it a port in use is an error.
	Share bool
	// Unconnected leaves the socket unconnected until Connect: it sends to peer
	// and receives from everywhere.
	Unconnected bool
	// Data says that data messages are read from the socket too: it gets room
	// for bursts of them.
	Data bool
	// NoChecksum sends without UDP checksum over IPv4; see SetNoChecksum.
	NoChecksum bool
	// DontFragment forbids everybody to fragment what the socket sends. What is too
	// large for the path, as far as is known, does not leave. What a kernel's
	// tunnel on the socket sends is fragmented all the same.
	DontFragment bool
	// TooLarge, if set, is called when a datagram turned out to be too large for
	// the path: from any goroutine, and it must not block.
	TooLarge func()
}

// ListenUDP opens a socket that receives from everywhere: port 0 means any, an
// unspecified address all of its family.
//
// A port that any other socket has is an error, although DialUDP can share this
// one: the socket is bound first, which is exclusive while it does not allow
// reuse, and allows it only then. So of two daemons on a port the second fails.
func ListenUDP(addr netip.AddrPort) (*Socket, error) { return listenUDP(addr, false) }

// ListenSharedUDP is ListenUDP for a port that sockets of DialUDP have, of this
// process or an earlier one.
func ListenSharedUDP(addr netip.AddrPort) (*Socket, error) { return listenUDP(addr, true) }

func listenUDP(addr netip.AddrPort, share bool) (*Socket, error) {
	op := "listen on UDP " + addr.String()
	s, err := newSocket(op, addr.Addr())
	if err != nil {
		return nil, err
	}
	if err := s.bind(addr, share); err != nil {
		s.Close()
		return nil, opError(op, err)
	}
	s.enlarge(listenRoom)
	return s, nil
}

// Room for what comes: a burst of calls, which is some hundreds of messages, and what
// a flood brings while the reader does something else.
const (
	dialRoom   = 1 << 20
	listenRoom = 4 << 20
)

// enlarge asks for room. Without the right to exceed the system's limit the socket
// gets what that allows.
func (s *Socket) enlarge(room int) {
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) != nil {
		unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, room)
	}
}

// DialUDP opens a socket that is bound to local and connected to peer. An
// invalid or unspecified local address is chosen by the route to the peer, port
// 0 is an ephemeral one.
//
// Between being bound and being connected the socket receives also what others
// send to local. It stays in the socket's queue, and the first ReadBatch
// returns it with its true Peer: nothing is lost, but the receiver must look.
func DialUDP(local, peer netip.AddrPort, opts DialOptions) (*Socket, error) {
	peer = unmap(peer)
	op := "open UDP socket to " + peer.String()
	s, err := newSocket(op, peer.Addr())
	if err != nil {
		return nil, err
	}
	if opts.Data {
		s.enlarge(dialRoom)
	}
	if err := s.dial(local, peer, opts); err != nil {
		s.Close()
		return nil, opError(op, err)
	}
	return s, nil
}

func newSocket(op string, addr netip.Addr) (*Socket, error) {
	family := unix.AF_INET6
	if addr.Unmap().Is4() {
		family = unix.AF_INET
	} else if !addr.IsValid() {
		return nil, opError(op, unix.EINVAL)
	}
	const flags = unix.SOCK_DGRAM | unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	fd, err := unix.Socket(family, flags, unix.IPPROTO_UDP)
	if err != nil {
		return nil, opError(op, err)
	}
	s := &Socket{descriptor: descriptor{fd: fd}, family: family}
	if err := s.wantLocalAddress(); err != nil {
		s.Close()
		return nil, opError(op, err)
	}
	return s, nil
}

// wantLocalAddress makes each datagram come with the address it was sent to.
func (s *Socket) wantLocalAddress() error {
	if s.family == unix.AF_INET {
		return unix.SetsockoptInt(s.fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return errors.Join(
		unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
		unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
}

// bind binds the socket and lets later ones share its address if they ask to.
func (s *Socket) bind(addr netip.AddrPort, share bool) error {
	sa, err := s.sockaddr(addr)
	if err != nil {
		return err
	}
	if share {
		if err := s.allowReuse(); err != nil {
			return err
		}
	}
	if err := unix.Bind(s.fd, sa); err != nil {
		return err
	}
	if err := s.allowReuse(); err != nil {
		return err
	}
	return s.readLocal()
}

func (s *Socket) allowReuse() error {
	return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
}

func (s *Socket) readLocal() error {
	sa, err := unix.Getsockname(s.fd)
	s.local = addrPort(sa)
	return err
}

func (s *Socket) dial(local, peer netip.AddrPort, opts DialOptions) error {
	s.tooLarge = opts.TooLarge
	if err := s.setOptions(opts); err != nil {
		return err
	}
	if a := local.Addr(); opts.Unconnected && (!a.IsValid() || a.IsUnspecified()) {
		a, err := sourceTo(peer)
		if err != nil {
			return err
		}
		local = netip.AddrPortFrom(a, local.Port())
	}
	if err := s.bind(local, opts.Share && local.Port() != 0); err != nil {
		return err
	}
	if opts.Unconnected {
		s.peer = peer
		return nil
	}
	return s.connect(peer)
}

func (s *Socket) setOptions(opts DialOptions) error {
	if opts.DontFragment {
		if err := s.dontFragment(); err != nil {
			return err
		}
	}
	if opts.NoChecksum {
		return s.setNoChecksum(true)
	}
	return nil
}

// sourceTo returns the local address that the route to peer prefers.
func sourceTo(peer netip.AddrPort) (netip.Addr, error) {
	s, err := DialUDP(netip.AddrPort{}, peer, DialOptions{})
	if err != nil {
		return netip.Addr{}, err
	}
	defer s.Close()
	return s.local.Addr(), nil
}

// Connect makes peer the only one that the socket receives from, whatever it
// was connected to before.
func (s *Socket) Connect(peer netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := "connect UDP socket to " + peer.String()
	if s.closed {
		return opError(op, fs.ErrClosed)
	}
	return opError(op, s.connect(unmap(peer)))
}

func (s *Socket) connect(peer netip.AddrPort) error {
	sa, err := s.sockaddr(peer)
	if err != nil {
		return err
	}
	if err := unix.Connect(s.fd, sa); err != nil {
		return err
	}
	s.peer, s.connected = peer, true
	return s.readLocal()
}

// Local returns the socket's own address; unspecified for a listener on all.
func (s *Socket) Local() netip.AddrPort {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.local
}

// Peer returns what the socket sends to, the zero value for a listener.
func (s *Socket) Peer() netip.AddrPort {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.peer
}

// Send sends a datagram to the peer. One that cannot leave at once is lost
// with the error EAGAIN.
func (s *Socket) Send(b []byte) error {
	err := s.use(func(fd int) error {
		if !s.connected {
			return s.sendTo(fd, s.local.Addr(), s.peer, b)
		}
		return s.send(func() error { _, err := unix.Write(fd, b); return err })
	})
	s.notice()
	if err != nil {
		return opError("send to "+s.Peer().String(), err)
	}
	return nil
}

// SendTo sends a datagram to peer; local is the host's address to send from, or
// an invalid one to have it chosen.
func (s *Socket) SendTo(local netip.Addr, peer netip.AddrPort, b []byte) error {
	err := s.use(func(fd int) error { return s.sendTo(fd, local, peer, b) })
	if err != nil {
		return opError("send to "+peer.String(), err)
	}
	return nil
}

func (s *Socket) sendTo(fd int, local netip.Addr, peer netip.AddrPort, b []byte) error {
	to, err := s.sockaddr(peer)
	if err != nil {
		return err
	}
	oob := s.packetInfo(local)
	return s.send(func() error { return unix.Sendmsg(fd, b, oob, to, 0) })
}

// send repeats f where the error belongs to a datagram sent before: the system
// reports an ICMP error by refusing the next datagram, which then has not left.
func (s *Socket) send(f func() error) error {
	err := retry(f)
	if isReported(err) {
		s.judge(err)
		err = retry(f)
	}
	s.judge(err)
	return err
}

// isReported reports whether err can be about an earlier datagram: all that the
// kernel makes of ICMP. Anybody can send that, so none of it may end a socket's use.
func isReported(err error) bool {
	switch err {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET,
		unix.EPROTO, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EMSGSIZE, unix.EACCES:
		return true
	}
	return false
}

// passes reports whether a socket that gave err when read can be read all the same.
func passes(err error) bool {
	return isReported(err) || err == unix.ENOMEM || err == unix.ENOBUFS
}

// ReadBatch reads what is queued, at most limit datagrams, and calls receive
// for each. scratch is room for the longest one, MaxDatagram to be safe. It
// returns nil when the queue is empty or the limit reached.
func (s *Socket) ReadBatch(scratch []byte, limit int, receive func(Datagram)) error {
	var batch []Datagram
	err := s.use(func(fd int) (err error) {
		batch, err = s.readBatch(fd, scratch, limit)
		return err
	})
	for _, d := range batch { // with no lock held: the receiver may answer, or close
		receive(d)
	}
	s.notice()
	if err != nil {
		return opError("receive on "+s.Local().String(), err)
	}
	return nil
}

func (s *Socket) readBatch(fd int, scratch []byte, limit int) (batch []Datagram, err error) {
	var oob [64]byte
	for range limit {
		d, err := s.read(fd, scratch, oob[:])
		switch {
		case err == unix.EAGAIN:
			return batch, nil
		case passes(err):
			s.judge(err)
			continue // about what we sent; the core's retransmission deals with it
		case err != nil:
			return batch, err
		}
		batch = append(batch, d)
	}
	return batch, nil
}

func (s *Socket) read(fd int, scratch, oob []byte) (d Datagram, err error) {
	var n, oobn int
	var from unix.Sockaddr
	err = retry(func() (err error) {
		n, oobn, _, from, err = unix.Recvmsg(fd, scratch, oob, 0)
		return err
	})
	if err != nil {
		return d, err
	}
	local := s.local
	if a := destination(oob[:oobn]); a.IsValid() {
		local = netip.AddrPortFrom(a, s.local.Port())
	}
	return Datagram{Local: local, Peer: addrPort(from), Data: append([]byte{}, scratch[:n]...)}, nil
}

// Connected tells whether the socket receives from its peer alone.
func (s *Socket) Connected() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.connected
}
