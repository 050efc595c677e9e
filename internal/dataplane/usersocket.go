package dataplane

import (
	"bytes"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"culvert/kernel"
	"culvert/l2tp"
)

// batch is how many datagrams a socket may deliver before others have their turn.
const batch = 64

// A userSocket is a UDP socket: a listener, or one connected to a peer and
// shared by all tunnels between the same addresses and ports.
type userSocket struct {
	plane  *userspace
	poller *userPoller
	*kernel.Socket
	key   sockKey
	fd    int
	users int           // how many tunnels; guarded by plane.opening
	ended atomic.Bool   // closed: the descriptor's number may be another one's
	owner atomic.Uint32 // the first tunnel's identifier, zero for a listener's
	// clean: all that came before the socket was connected has been read. It
	// belongs to the poller's goroutine.
	clean  bool
	onPeer func(b []byte)
}

// Listen opens a listener.
func (u *userspace) Listen(addr netip.AddrPort) (Listener, error) {
	u.opening.Lock()
	defer u.opening.Unlock()
	s, err := u.listen(addr, 0)
	if err != nil {
		return nil, err
	}
	return userListener{s}, nil
}

// listen opens an unconnected socket. u.opening is held.
func (u *userspace) listen(addr netip.AddrPort, owner l2tp.TunnelID) (*userSocket, error) {
	sock, err := kernel.ListenUDP(addr)
	if err != nil {
		return nil, err
	}
	return u.adopt(sock, owner)
}

// adopt puts a socket to use, or closes it. u.opening is held.
func (u *userspace) adopt(sock *kernel.Socket, owner l2tp.TunnelID) (*userSocket, error) {
	s := &userSocket{
		plane:  u,
		poller: u.pollers[int(u.turn.Add(1))%len(u.pollers)],
		Socket: sock,
		key:    sockKey{sock.Local(), sock.Peer()},
		fd:     sock.FD(),
	}
	s.owner.Store(uint32(owner))
	u.mu.Lock()
	err := u.alive()
	if err == nil {
		u.sockets[s.key] = s
	}
	u.mu.Unlock()
	if err != nil {
		sock.Close()
		return nil, err
	}
	s.onPeer = s.receivePeer // once: a method value is an allocation
	if err := s.poller.Add(s.fd, s.ready); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// routeTo returns the address that the route to peer chooses, with port 0.
func routeTo(peer netip.AddrPort) (netip.AddrPort, error) {
	probe, err := kernel.DialUDP(netip.AddrPort{}, peer, kernel.DialOptions{})
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer probe.Close()
	return netip.AddrPortFrom(probe.Local().Addr(), 0), nil
}

// connect returns the socket for a tunnel, with the one more user counted. u.opening is held.
func (u *userspace) connect(spec TunnelSpec) (*userSocket, error) {
	local, err := chooseLocal(spec)
	if err != nil {
		return nil, err
	}
	if s := u.lookup(sockKey{local, spec.Peer}); s != nil {
		if err := s.forbidFragments(spec.DontFragment); err != nil {
			return nil, err
		}
		s.users++
		return s, nil
	}
	var told atomic.Int64
	sock, err := kernel.DialUDP(local, spec.Peer, kernel.DialOptions{
		Share: u.hasPort(local.Port()), Data: true, NoChecksum: spec.NoUDPChecksum,
		DontFragment: spec.DontFragment, TooLarge: func() { u.tooLarge(spec.Peer, &told) },
	})
	if err != nil {
		return nil, err
	}
	s, err := u.adopt(sock, spec.ID)
	if err == nil {
		s.users = 1
	}
	return s, err
}

// forbidFragments does so if one of the socket's tunnels wants it.
func (s *userSocket) forbidFragments(wanted bool) error {
	if !wanted {
		return nil
	}
	return s.DontFragment()
}

// tooLarge tells the tunnels with a peer that a packet was too large for the path,
// if they were not told so a moment ago: every packet may be.
func (u *userspace) tooLarge(peer netip.AddrPort, told *atomic.Int64) {
	const moment = 100 * time.Millisecond
	now, last := time.Now().UnixNano(), told.Load()
	if now-last < int64(moment) || !told.CompareAndSwap(last, now) {
		return
	}
	u.mu.RLock()
	var tellers []func()
	for _, t := range u.tunnels {
		if t.spec.Peer == peer && t.spec.TooLarge != nil {
			tellers = append(tellers, t.spec.TooLarge)
		}
	}
	u.mu.RUnlock()
	for _, tell := range tellers {
		tell()
	}
}

// chooseLocal completes the local address where the port is given: only the whole
// tells whether there is such a socket already.
func chooseLocal(spec TunnelSpec) (netip.AddrPort, error) {
	a, port := spec.Local.Addr(), spec.Local.Port()
	if port == 0 || a.IsValid() && !a.IsUnspecified() {
		return spec.Local, nil
	}
	local, err := routeTo(spec.Peer)
	return netip.AddrPortFrom(local.Addr(), port), err
}

func (u *userspace) lookup(k sockKey) *userSocket {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.sockets[k]
}

// hasPort tells whether a socket of ours has the port.
func (u *userspace) hasPort(port uint16) bool {
	if port == 0 {
		return false
	}
	u.mu.RLock()
	defer u.mu.RUnlock()
	for k := range u.sockets {
		if k.local.Port() == port {
			return true
		}
	}
	return false
}

// listenerFor returns the listener whose port a tunnel from local is to use
// while it is unconnected, if there is one.
func (u *userspace) listenerFor(local netip.AddrPort, peer netip.Addr) *userSocket {
	any := netip.IPv4Unspecified()
	if peer.Is6() {
		any = netip.IPv6Unspecified()
	}
	if s := u.lookup(sockKey{local: local}); s != nil && s.owner.Load() == 0 {
		return s
	}
	return u.lookup(sockKey{local: netip.AddrPortFrom(any, local.Port())})
}

// release ends one tunnel's use of the socket. plane.opening is held.
func (s *userSocket) release() {
	if s.users--; s.users == 0 {
		s.Close()
	}
}

// drain hands out what the socket has received, when its poller is no more
// concerned with it.
func (s *userSocket) drain() {
	s.ReadBatch(make([]byte, kernel.MaxDatagram), 4*batch, s.receive)
}

// Close closes the socket.
func (s *userSocket) Close() error {
	if s.ended.Swap(true) {
		return nil
	}
	s.plane.mu.Lock()
	if s.plane.sockets[s.key] == s {
		delete(s.plane.sockets, s.key)
	}
	s.plane.mu.Unlock()
	s.poller.Remove(s.fd)
	return s.Socket.Close()
}

// ready reads what has come. It runs on the poller's goroutine.
func (s *userSocket) ready() {
	var err error
	if s.clean {
		err = s.ReadPeer(s.poller.scratch, batch, s.onPeer)
	} else {
		err = s.readFirst()
	}
	if err != nil {
		s.poller.Mute(s.fd) // nothing can be read any more
	}
}

// readFirst reads with addresses, and finds out whether there is nothing left
// that could be of others than the peer.
func (s *userSocket) readFirst() error {
	n := 0
	err := s.ReadBatch(s.poller.scratch, batch, s.receive)
	if err == nil && s.key.peer.IsValid() {
		err = s.ReadBatch(s.poller.scratch, batch, func(d kernel.Datagram) {
			n++
			s.receive(d)
		})
		s.clean = n == 0
	}
	return err
}

// receivePeer takes a datagram of the peer. b is not kept.
func (s *userSocket) receivePeer(b []byte) {
	if !isControl(b) && s.plane.input(s, s.key.peer, b) {
		return
	}
	s.plane.handler.DatagramReceived(Datagram{
		Tunnel: l2tp.TunnelID(s.owner.Load()), Local: s.key.local, Peer: s.key.peer,
		Data: bytes.Clone(b),
	})
}

func (s *userSocket) receive(d kernel.Datagram) {
	if !isControl(d.Data) && s.plane.input(s, d.Peer, d.Data) {
		return
	}
	s.plane.handler.DatagramReceived(Datagram{
		Tunnel: l2tp.TunnelID(s.owner.Load()), Local: d.Local, Peer: d.Peer, Data: d.Data,
	})
}

// A userListener is a listener's view of its socket.
type userListener struct{ s *userSocket }

// Addr returns the address listened on.
func (l userListener) Addr() netip.AddrPort { return l.s.Local() }

// Send sends a datagram from the listener's port.
func (l userListener) Send(local netip.Addr, peer netip.AddrPort, b []byte) error {
	return l.s.SendTo(local, peer, b)
}

// Close closes the listener.
func (l userListener) Close() error {
	l.s.plane.opening.Lock()
	defer l.s.plane.opening.Unlock()
	if err := l.s.Close(); err != nil {
		return fmt.Errorf("close listener %s: %w", l.s.key.local, err)
	}
	return nil
}
