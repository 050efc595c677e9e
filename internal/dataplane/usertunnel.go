package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"culvert/l2tp"
)

// A userTunnel is guarded by its plane's mu.
type userTunnel struct {
	plane    *userspace
	spec     TunnelSpec // with the local address as it came out
	socket   *userSocket
	listener bool // the socket is a listener's, and not for us to close
	peer     l2tp.TunnelID
	attached bool
	closed   bool
	sessions map[l2tp.SessionID]*userSession
}

// OpenTunnel opens the tunnel's socket or joins another tunnel's.
func (u *userspace) OpenTunnel(ctx context.Context, spec TunnelSpec) (Tunnel, error) {
	t := &userTunnel{plane: u, spec: spec, sessions: make(map[l2tp.SessionID]*userSession)}
	u.opening.Lock()
	defer u.opening.Unlock()
	u.mu.RLock()
	err := u.alive()
	if err == nil && u.tunnels[spec.ID] != nil {
		err = fs.ErrExist
	}
	u.mu.RUnlock()
	if err == nil {
		err = t.open()
	}
	if err != nil {
		return nil, fmt.Errorf("open tunnel %d: %w", spec.ID, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tunnels[spec.ID] = t
	return t, nil
}

// open gives the tunnel its first socket. plane.opening is held.
func (t *userTunnel) open() (err error) {
	switch {
	case !t.spec.Peer.IsValid():
		return fmt.Errorf("peer address %s: expected an address and a port", t.spec.Peer)
	case !t.spec.AnyPort:
		return t.connect()
	}
	local, err := chooseLocal(t.spec)
	if err != nil {
		return err
	}
	t.spec.Local = local
	if s := t.plane.listenerFor(local, t.spec.Peer.Addr()); local.Port() != 0 && s != nil {
		t.socket, t.listener = s, true
		return nil
	}
	if !local.IsValid() { // an ephemeral port, and the address by the route
		if local, err = routeTo(t.spec.Peer); err != nil {
			return err
		}
	}
	if t.socket = t.plane.lookup(sockKey{local: local}); t.socket == nil {
		if t.socket, err = t.plane.listen(local, t.spec.ID); err != nil {
			return err
		}
	}
	t.socket.users++
	t.spec.Local = t.socket.Local()
	return nil
}

// connect puts the tunnel on a socket connected to its peer. plane.opening is held.
func (t *userTunnel) connect() error {
	s, err := t.plane.connect(t.spec)
	if err != nil {
		return err
	}
	t.plane.mu.Lock()
	old, listener := t.socket, t.listener
	t.socket, t.listener = s, false
	t.spec.Local, t.spec.AnyPort = s.Local(), false
	t.plane.mu.Unlock()
	if old != nil && !listener {
		old.quit(t)
	}
	return nil
}

// quit ends the use of the socket by a tunnel that has another one now.
// plane.opening is held.
func (s *userSocket) quit(t *userTunnel) {
	if s.users == 1 {
		// What was queued on it before the new one took over is not lost.
		s.poller.Remove(s.fd)
		s.drain()
	}
	s.disown(t)
	s.release()
}

// disown finds the socket another owner. plane.opening is held.
func (s *userSocket) disown(t *userTunnel) {
	if s.users > 1 && s.owner.Load() == uint32(t.spec.ID) {
		s.owner.Store(uint32(s.plane.otherOn(s)))
	}
}

// state returns a copy of what a call needs.
func (t *userTunnel) state() (spec TunnelSpec, s *userSocket, listener, closed bool) {
	t.plane.mu.RLock()
	defer t.plane.mu.RUnlock()
	return t.spec, t.socket, t.listener, t.closed
}

// Local returns the socket's own address.
func (t *userTunnel) Local() netip.AddrPort {
	spec, _, _, _ := t.state()
	return spec.Local
}

// Peer returns the address that control messages are sent to.
func (t *userTunnel) Peer() netip.AddrPort {
	spec, _, _, _ := t.state()
	return spec.Peer
}

// Send sends a control message.
func (t *userTunnel) Send(b []byte) error {
	spec, s, _, closed := t.state()
	if closed {
		return fmt.Errorf("send on tunnel %d: %w", spec.ID, fs.ErrClosed)
	}
	if s.key.peer.IsValid() {
		return s.Socket.Send(b)
	}
	return s.SendTo(spec.Local.Addr(), spec.Peer, b)
}

// Reconnect makes peer the tunnel's.
func (t *userTunnel) Reconnect(ctx context.Context, peer netip.AddrPort) error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.plane.mu.Lock()
	err := t.usable(false)
	old := t.spec.Peer
	if err == nil {
		t.spec.Peer = peer
	}
	t.plane.mu.Unlock()
	if err == nil {
		if err = t.connect(); err != nil {
			t.plane.mu.Lock()
			t.spec.Peer = old
			t.plane.mu.Unlock()
		}
	}
	if err != nil {
		return fmt.Errorf("reconnect tunnel %d to %s: %w", t.spec.ID, peer, err)
	}
	return nil
}

// Modify changes whether what is sent has UDP checksums.
func (t *userTunnel) Modify(ctx context.Context, spec TunnelSpec) error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.plane.mu.Lock()
	closed, s, listener := t.closed, t.socket, t.listener
	t.spec.NoUDPChecksum = spec.NoUDPChecksum
	t.plane.mu.Unlock()
	switch {
	case closed:
		return fmt.Errorf("modify tunnel %d: %w", t.spec.ID, fs.ErrClosed)
	case listener:
		return nil // its own socket will have it
	}
	return s.SetNoChecksum(spec.NoUDPChecksum)
}

// PathMTU returns what the path to the peer takes.
func (t *userTunnel) PathMTU() int {
	_, s, listener, closed := t.state()
	if listener || closed {
		return 0
	}
	mtu, err := s.PathMTU()
	if err != nil {
		return 0 // not connected yet
	}
	return mtu
}

// usable says why the tunnel cannot do what needs it attached or not. plane.mu is held.
func (t *userTunnel) usable(attached bool) error {
	switch {
	case t.closed:
		return fs.ErrClosed
	case t.attached && !attached:
		return errAttached
	case !t.attached && attached:
		return errNotAttached
	}
	return nil
}

// Attach makes the tunnel able to carry sessions.
func (t *userTunnel) Attach(ctx context.Context, peer l2tp.TunnelID) error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.plane.mu.Lock()
	err, open := t.usable(false), t.spec.AnyPort
	t.plane.mu.Unlock()
	if err == nil && open {
		err = t.connect()
	}
	if err != nil {
		return fmt.Errorf("attach tunnel %d: %w", t.spec.ID, err)
	}
	t.plane.mu.Lock()
	defer t.plane.mu.Unlock()
	t.peer, t.attached = peer, true
	return nil
}

// Detach closes the tunnel's sessions and keeps its socket.
func (t *userTunnel) Detach(ctx context.Context) error {
	t.plane.mu.Lock()
	sessions := t.sessions
	t.sessions = make(map[l2tp.SessionID]*userSession)
	t.attached = false
	t.plane.mu.Unlock()
	var errs []error
	for _, s := range sessions {
		errs = append(errs, s.Close(ctx))
	}
	return errors.Join(errs...)
}

// Close closes the tunnel and its sessions.
func (t *userTunnel) Close(ctx context.Context) error {
	t.plane.opening.Lock()
	defer t.plane.opening.Unlock()
	t.plane.mu.Lock()
	first := !t.closed
	t.closed = true
	if first {
		delete(t.plane.tunnels, t.spec.ID)
	}
	t.plane.mu.Unlock()
	if !first {
		return nil
	}
	err := t.Detach(ctx)
	t.leave()
	return err
}

// leave takes the closed tunnel off its socket. plane.opening is held.
func (t *userTunnel) leave() {
	if t.listener {
		return
	}
	t.socket.disown(t)
	t.socket.release()
}

// otherOn returns a tunnel that uses the socket, zero for none.
func (u *userspace) otherOn(s *userSocket) l2tp.TunnelID {
	u.mu.RLock()
	defer u.mu.RUnlock()
	for id, t := range u.tunnels {
		if t.socket == s {
			return id
		}
	}
	return 0
}

// AddSession makes a session; its frames flow from then on.
func (t *userTunnel) AddSession(ctx context.Context, spec SessionSpec) (Session, error) {
	id := SessionKey{t.spec.ID, spec.Session}
	u := t.plane
	u.mu.Lock()
	defer u.mu.Unlock()
	err := t.usable(true)
	if err == nil && u.sessions[id] != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, fmt.Errorf("add session %s: %w", id, err)
	}
	s := newUserSession(t, spec)
	u.sessions[id], t.sessions[spec.Session] = s, s
	return s, nil
}
