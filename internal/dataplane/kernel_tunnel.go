package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"culvert/kernel"
	"culvert/l2tp"
)

// A kernelTunnel is a connected UDP socket and, once attached, the kernel's
// tunnel on it.
type kernelTunnel struct {
	plane *kernelPlane
	id    l2tp.TunnelID
	spec  TunnelSpec

	// changing is held while the kernel's tunnel is made and removed.
	changing sync.Mutex
	used     bool // the socket has served a kernel's tunnel; guarded by changing
	made     bool // the kernel has the tunnel; guarded by changing

	// left: Detach was the last that happened, and the socket only lingers.
	left atomic.Bool

	mu       sync.RWMutex  // guards what follows
	heir     *kernelTunnel // has taken over the socket's addresses and ports
	poller   *userPoller
	sock     *kernel.Socket
	fd       int
	key      sockKey // what it has in plane.pairs
	peer     l2tp.TunnelID
	attached bool
	closed   bool
	sessions map[l2tp.SessionID]*kernelSession
}

// OpenTunnel opens the tunnel's socket.
//
// The kernel finds a tunnel by the socket that a data message arrives on, and
// of two sockets connected alike only one receives. So the second tunnel between
// the same addresses and ports gets an ephemeral port: see
// docs/decisions/0003-same-addresses-two-tunnels.md.
func (p *kernelPlane) OpenTunnel(ctx context.Context, spec TunnelSpec) (Tunnel, error) {
	t := newKernelTunnel(p, spec)
	p.opening.Lock()
	defer p.opening.Unlock()
	if err := p.openTunnel(t); err != nil {
		return nil, fmt.Errorf("open tunnel %d: %w", spec.ID, err)
	}
	return t, nil
}

func newKernelTunnel(p *kernelPlane, spec TunnelSpec) *kernelTunnel {
	return &kernelTunnel{
		plane: p, id: spec.ID, spec: spec,
		sessions: make(map[l2tp.SessionID]*kernelSession),
	}
}

// mayOpen says why there cannot be a tunnel with the identifier. To be certain for as long
// as p.opening is held.
func (p *kernelPlane) mayOpen(id l2tp.TunnelID) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.tunnels[id] != nil {
		return fs.ErrExist
	}
	return p.alive()
}

// openTunnel opens the socket and makes the tunnel known. p.opening is held.
func (p *kernelPlane) openTunnel(t *kernelTunnel) error {
	if err := p.mayOpen(t.id); err != nil {
		return err
	}
	if p.remains.has(tunnelKey(t.id)) {
		return fmt.Errorf("an earlier process has left one: %w", fs.ErrExist)
	}
	local, err := p.localFor(t.spec)
	if err != nil {
		return err
	}
	old := p.holder(sockKey{local, t.spec.Peer})
	sock, err := kernel.DialUDP(local, t.spec.Peer, kernel.DialOptions{
		Share:        p.hasPort(local.Port()),
		Unconnected:  t.spec.AnyPort,
		NoChecksum:   t.spec.NoUDPChecksum,
		DontFragment: t.spec.DontFragment,
		TooLarge:     t.spec.TooLarge,
	})
	if err != nil {
		return err
	}
	if err := t.adopt(sock); err != nil {
		return err
	}
	// Only now: pollers look tunnels up, and use their sockets.
	p.mu.Lock()
	p.tunnels[t.id] = t
	p.mu.Unlock()
	p.keeper.Keep(tunnelKey(t.id), t.fd)
	if old != nil {
		return old.bequeath(t)
	}
	return nil
}

// holder returns the tunnel that has the addresses and ports, or nil.
func (p *kernelPlane) holder(k sockKey) *kernelTunnel {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.pairs[k]
}

// bequeath gives up the socket of a tunnel that only lingers, so that its heir alone
// receives: a client that redials at once from the same port is not to be
// answered from another one. What the lingering tunnel still sends leaves by
// the heir's socket; what it is to receive arrives there, and its header tells.
// p.opening is held.
func (t *kernelTunnel) bequeath(heir *kernelTunnel) error {
	t.mu.Lock()
	old, fd, poller := t.sock, t.fd, t.poller
	t.heir = heir
	t.mu.Unlock()
	return t.plane.retire(old, fd, poller, t.id)
}

// retire closes a socket that another one replaces, and hands on what is in
// its queue.
func (p *kernelPlane) retire(old *kernel.Socket, fd int, poller *userPoller, id l2tp.TunnelID) error {
	p.keeper.Drop(context.Background(), tunnelKey(id))
	poller.Remove(fd)
	scratch := &userPoller{poller.Poller, make([]byte, kernel.MaxDatagram)}
	p.receive(scratch, old, fd, id)
	return old.Close()
}

// localFor returns the address to bind to. p.opening is held.
func (p *kernelPlane) localFor(spec TunnelSpec) (netip.AddrPort, error) {
	if !spec.Peer.IsValid() {
		return netip.AddrPort{}, fmt.Errorf("peer address %s: expected an address and a port", spec.Peer)
	}
	local, err := chooseLocal(spec)
	if err != nil {
		return local, err
	}
	if other := p.holder(sockKey{local, spec.Peer}); other != nil && !other.left.Load() {
		return netip.AddrPortFrom(local.Addr(), 0), nil
	}
	return local, nil
}

// forget removes a tunnel from the books. p.opening is held.
func (p *kernelPlane) forget(t *kernelTunnel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tunnels[t.id] == t {
		delete(p.tunnels, t.id)
	}
	if p.pairs[t.key] == t {
		delete(p.pairs, t.key)
	}
}

// adopt makes sock the tunnel's socket, or closes it. p.opening is held.
func (t *kernelTunnel) adopt(sock *kernel.Socket) error {
	p := t.plane
	fd, poller := sock.FD(), p.nextPoller()
	t.mu.Lock()
	defer t.mu.Unlock() // held over Add, so that a handler that answers at once has the socket
	// What others sent before the socket was connected is in its queue, and read now.
	if err := poller.Add(fd, func() { p.receive(poller, sock, fd, t.id) }); err != nil {
		sock.Close()
		return err
	}
	t.sock, t.fd, t.poller = sock, fd, poller
	t.take(sockKey{sock.Local(), sock.Peer()})
	return nil
}

// take notes which addresses and ports the tunnel has.
func (t *kernelTunnel) take(k sockKey) {
	t.plane.mu.Lock()
	defer t.plane.mu.Unlock()
	if t.plane.pairs[t.key] == t {
		delete(t.plane.pairs, t.key)
	}
	t.key = k
	if other := t.plane.pairs[k]; other == nil || other.left.Load() {
		t.plane.pairs[k] = t
	}
}

func (t *kernelTunnel) socket() *kernel.Socket {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.sock
}

// Local returns the socket's own address.
func (t *kernelTunnel) Local() netip.AddrPort { return t.socket().Local() }

// Peer returns the address that control messages are sent to.
func (t *kernelTunnel) Peer() netip.AddrPort { return t.socket().Peer() }

// Send sends a control message.
func (t *kernelTunnel) Send(b []byte) error {
	t.mu.RLock()
	heir, sock := t.heir, t.sock
	t.mu.RUnlock()
	if heir != nil {
		return heir.Send(b)
	}
	return sock.Send(b)
}

// Reconnect makes peer the tunnel's.
func (t *kernelTunnel) Reconnect(ctx context.Context, peer netip.AddrPort) error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	if err := t.reconnect(peer); err != nil {
		return fmt.Errorf("reconnect tunnel %d to %s: %w", t.id, peer, err)
	}
	return nil
}

// reconnect is Reconnect with plane.opening held.
func (t *kernelTunnel) reconnect(peer netip.AddrPort) error {
	t.mu.RLock()
	attached := t.attached
	t.mu.RUnlock()
	if attached {
		return errAttached
	}
	key := sockKey{t.Local(), peer}
	other := t.plane.holder(key)
	if other == t {
		other = nil
	}
	if other != nil && !other.left.Load() {
		return fmt.Errorf("tunnel %d has the same addresses and ports: %w", other.id, fs.ErrExist)
	}
	if err := t.socket().Connect(peer); err != nil {
		return err
	}
	t.spec.Peer, t.spec.AnyPort = peer, false
	t.take(key)
	if other != nil {
		return other.bequeath(t)
	}
	return nil
}

// Modify changes whether what is sent has UDP checksums.
func (t *kernelTunnel) Modify(ctx context.Context, spec TunnelSpec) error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.mu.RLock()
	sock, closed := t.sock, t.closed || t.heir != nil
	t.mu.RUnlock()
	if closed {
		return fmt.Errorf("modify tunnel %d: %w", t.id, fs.ErrClosed)
	}
	t.spec.NoUDPChecksum = spec.NoUDPChecksum
	return sock.SetNoChecksum(spec.NoUDPChecksum)
}

// PathMTU returns what the path to the peer takes.
func (t *kernelTunnel) PathMTU() int {
	mtu, err := t.socket().PathMTU()
	if err != nil {
		return 0 // not connected yet, or closed
	}
	return mtu
}

// Attach makes the kernel's tunnel.
func (t *kernelTunnel) Attach(ctx context.Context, peer l2tp.TunnelID) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	if err := t.attach(ctx, peer); err != nil {
		return fmt.Errorf("attach tunnel %d: %w", t.id, err)
	}
	return nil
}

func (t *kernelTunnel) attach(ctx context.Context, peer l2tp.TunnelID) error {
	t.mu.RLock()
	closed, attached, heir := t.closed, t.attached, t.heir
	t.mu.RUnlock()
	switch {
	case closed:
		return fs.ErrClosed
	case heir != nil:
		return fmt.Errorf("tunnel %d has taken over its addresses and ports: %w", heir.id, fs.ErrExist)
	case attached:
		return errAttached
	}
	if err := t.prepareSocket(); err != nil {
		return err
	}
	spec := kernel.TunnelSpec{ID: uint16(t.id), PeerID: uint16(peer)}
	if err := t.plane.k.CreateTunnel(ctx, spec, t.socket()); err != nil {
		return err
	}
	t.used, t.made = true, true
	t.left.Store(false)
	t.mu.Lock()
	t.attached, t.peer = true, peer
	t.mu.Unlock()
	return nil
}

// prepareSocket connects a socket that is not connected yet, and replaces one
// that the kernel will not take a second time.
func (t *kernelTunnel) prepareSocket() error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	if t.spec.AnyPort {
		if err := t.reconnect(t.Peer()); err != nil {
			return err
		}
	}
	if !t.used {
		return nil
	}
	t.mu.RLock()
	old, fd, poller := t.sock, t.fd, t.poller
	t.mu.RUnlock()
	sock, err := kernel.DialUDP(old.Local(), old.Peer(), kernel.DialOptions{
		Share: true, NoChecksum: t.spec.NoUDPChecksum,
		DontFragment: t.spec.DontFragment, TooLarge: t.spec.TooLarge,
	})
	if err != nil {
		return err
	}
	if err := t.adopt(sock); err != nil {
		return err
	}
	err = t.plane.retire(old, fd, poller, t.id)
	t.plane.keeper.Keep(tunnelKey(t.id), t.fd)
	return err
}

// Detach removes the sessions and the kernel's tunnel.
func (t *kernelTunnel) Detach(ctx context.Context) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	err := t.detach(ctx)
	t.left.Store(err == nil)
	return err
}

func (t *kernelTunnel) detach(ctx context.Context) error {
	t.mu.Lock()
	t.attached = false
	t.mu.Unlock()
	sessions := t.sessionList()
	errs := make([]error, len(sessions))
	t.plane.closing.each(len(sessions), func(i int) { errs[i] = sessions[i].Close(ctx) })
	if t.made {
		err := t.plane.k.DeleteTunnel(ctx, uint16(t.id))
		t.made = err != nil // then the next Detach or Close tries again
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Close removes everything of the tunnel.
func (t *kernelTunnel) Close(ctx context.Context) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	first := t.end()
	err := t.detach(ctx)
	if first {
		t.plane.keeper.Drop(ctx, tunnelKey(t.id))
		t.plane.opening.Lock()
		defer t.plane.opening.Unlock()
		err = errors.Join(err, t.closeSocket())
		t.plane.forget(t)
	}
	if err != nil {
		return fmt.Errorf("close tunnel %d: %w", t.id, err)
	}
	return nil
}

// end makes the tunnel refuse what is new, and tells whether it did not yet. After it
// nobody hands the socket to the keeper, nor is about to.
func (t *kernelTunnel) end() (first bool) {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	first = !t.closed
	t.closed = true
	return first
}

// closeSocket closes the socket, unless an heir has done so. p.opening is held.
func (t *kernelTunnel) closeSocket() error {
	t.mu.RLock()
	sock, fd, poller, heir := t.sock, t.fd, t.poller, t.heir
	t.mu.RUnlock()
	if heir != nil {
		return nil
	}
	poller.Remove(fd)
	return sock.Close()
}

func (t *kernelTunnel) sessionList() []*kernelSession {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(maps.Values(t.sessions))
}

// AddSession makes a session and its channel.
func (t *kernelTunnel) AddSession(ctx context.Context, spec SessionSpec) (Session, error) {
	s := &kernelSession{tunnel: t, key: SessionKey{t.id, spec.Session}, poller: t.plane.nextPoller()}
	// The one who closes the tunnel closes the session too, after this.
	s.changing.Lock()
	defer s.changing.Unlock()
	err := t.enter(s)
	if err == nil {
		if err = s.open(ctx, spec); err != nil {
			s.gone = true
			t.leave(s)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("add session %s: %w", s.key, err)
	}
	return s, nil
}

// enter puts a session on the list.
func (t *kernelTunnel) enter(s *kernelSession) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return fs.ErrClosed
	case !t.attached:
		return errNotAttached
	case t.sessions[s.key.Session] != nil:
		return fs.ErrExist
	}
	t.sessions[s.key.Session], s.peerTunnel = s, t.peer
	return nil
}

// leave takes a session off the list.
func (t *kernelTunnel) leave(s *kernelSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.key.Session] == s {
		delete(t.sessions, s.key.Session)
	}
}
