package dataplane

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"time"

	"culvert/l2tp"
)

// A fakeTunnel is guarded by its fake's mutex.
type fakeTunnel struct {
	fake     *Fake
	spec     TunnelSpec // with the local address as it came out
	socket   *fakeSocket
	peer     l2tp.TunnelID
	attached bool
	closed   bool
	kept     bool // from an earlier process, and not adopted yet
	pathMTU  int  // 0: not known
	sessions map[l2tp.SessionID]*fakeSession
}

// OpenTunnel opens a tunnel's socket on the wire.
func (f *Fake) OpenTunnel(ctx context.Context, spec TunnelSpec) (Tunnel, error) {
	if err := f.before(ctx, OpOpenTunnel, SessionKey{Tunnel: spec.ID}); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(&spec); err != nil {
		return nil, fmt.Errorf("open tunnel %d: %w", spec.ID, err)
	}
	t := &fakeTunnel{fake: f, spec: spec, sessions: make(map[l2tp.SessionID]*fakeSession)}
	if !spec.AnyPort {
		t.reconnect()
	} else if t.socket = f.open(spec); t.socket != nil {
		t.spec.Local = t.socket.key.local
	}
	f.tunnels[spec.ID] = t
	return t, nil
}

// check completes the local address and says what is wrong. f.mu is held.
func (f *Fake) check(spec *TunnelSpec) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case f.tunnels[spec.ID] != nil:
		return fs.ErrExist
	case !spec.Peer.IsValid():
		return fmt.Errorf("peer address %s: expected an address and a port", spec.Peer)
	}
	local := spec.Local.Addr()
	if !local.IsValid() || local.IsUnspecified() {
		local = f.addressTo(spec.Peer.Addr())
	}
	if !slices.Contains(f.addrs, local) {
		return fmt.Errorf("local address %s: not of this host: %w", local, fs.ErrNotExist)
	}
	spec.Local = netip.AddrPortFrom(local, spec.Local.Port())
	return nil
}

// open returns the socket for a tunnel that does not yet know its peer's port:
// nil where it uses a listener's. f.mu is held.
func (f *Fake) open(spec TunnelSpec) *fakeSocket {
	k := sockKey{local: spec.Local}
	if k.local.Port() == 0 {
		k.local = netip.AddrPortFrom(k.local.Addr(), f.ephemeral())
	}
	s := f.find(spec.Peer, k.local)
	switch {
	case s != nil && s.tunnels == 0:
		return nil
	case s == nil || s.key != k:
		s = &fakeSocket{fake: f, key: k, owner: spec.ID}
		f.sockets[k] = s
	}
	s.tunnels++
	return s
}

// connect returns the socket for a tunnel, an existing one where the addresses
// and ports are the same. f.mu is held.
func (f *Fake) connect(spec TunnelSpec) *fakeSocket {
	local := spec.Local
	if local.Port() == 0 {
		local = netip.AddrPortFrom(local.Addr(), f.ephemeral())
	}
	k := sockKey{local, spec.Peer}
	if s := f.sockets[k]; s != nil && !f.opts.Split {
		s.tunnels++
		return s
	} else if s != nil {
		k.local = netip.AddrPortFrom(local.Addr(), f.ephemeral())
	}
	s := &fakeSocket{fake: f, key: k, tunnels: 1, owner: spec.ID}
	f.sockets[k] = s
	return s
}

// reconnect puts the tunnel on a socket connected to its peer. fake.mu is held.
func (t *fakeTunnel) reconnect() {
	t.release()
	t.socket = t.fake.connect(t.spec)
	t.spec.Local = t.socket.key.local
}

// release takes the tunnel off its socket. fake.mu is held.
func (t *fakeTunnel) release() {
	s := t.socket
	t.socket = nil
	if s == nil {
		return
	}
	if t.kept {
		s.adopted() // nobody waits for it any more
	}
	if s.tunnels--; s.tunnels == 0 {
		delete(t.fake.sockets, s.key)
		return
	}
	for id, other := range t.fake.tunnels {
		if s.owner == t.spec.ID && other.socket == s {
			s.owner = id
		}
	}
}

// Local returns the socket's own address.
func (t *fakeTunnel) Local() netip.AddrPort { return t.addresses().Local }

// Peer returns the address that control messages are sent to.
func (t *fakeTunnel) Peer() netip.AddrPort { return t.addresses().Peer }

// key is the tunnel's for hooks; the identifier never changes.
func (t *fakeTunnel) key() SessionKey { return SessionKey{Tunnel: t.spec.ID} }

func (t *fakeTunnel) addresses() TunnelSpec {
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	return t.spec
}

// Send sends a control message.
func (t *fakeTunnel) Send(b []byte) error {
	t.fake.mu.Lock()
	closed, spec := t.closed, t.spec
	t.fake.mu.Unlock()
	if closed {
		return fmt.Errorf("send on tunnel %d: %w", spec.ID, fs.ErrClosed)
	}
	return t.fake.transmit(spec, b)
}

// transmit sends a datagram of a tunnel, unless the path takes none so large and
// nobody may fragment it.
func (f *Fake) transmit(spec TunnelSpec, b []byte) error {
	mtu := f.wire.narrowed()
	if !spec.DontFragment || mtu == 0 || ipOverhead(spec.Peer.Addr())+len(b) <= mtu {
		f.wire.Send(spec.Local, spec.Peer, b)
		return nil
	}
	f.mu.Lock()
	if t := f.tunnels[spec.ID]; t != nil {
		t.pathMTU = mtu
	}
	f.mu.Unlock()
	if spec.TooLarge != nil {
		f.enqueue(0, arrival{call: spec.TooLarge})
	}
	return fmt.Errorf("send on tunnel %d: %d bytes: too large for the path", spec.ID, len(b))
}

// ipOverhead is what IP and UDP put before what is sent to an address.
func ipOverhead(peer netip.Addr) int {
	const udp = 8
	if peer.Is4() {
		return headerIPv4 + udp
	}
	return headerIPv6 + udp
}

// Modify changes whether what is sent has UDP checksums.
func (t *fakeTunnel) Modify(ctx context.Context, spec TunnelSpec) error {
	if err := t.fake.before(ctx, OpModifyTunnel, t.key()); err != nil {
		return err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	if t.closed {
		return fmt.Errorf("modify tunnel %d: %w", t.spec.ID, fs.ErrClosed)
	}
	t.spec.NoUDPChecksum = spec.NoUDPChecksum
	return nil
}

// PathMTU returns what the path to the peer takes.
func (t *fakeTunnel) PathMTU() int {
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	return t.pathMTU
}

// Reconnect makes peer the tunnel's.
func (t *fakeTunnel) Reconnect(ctx context.Context, peer netip.AddrPort) error {
	if err := t.fake.before(ctx, OpReconnect, t.key()); err != nil {
		return err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	switch {
	case t.closed:
		return fmt.Errorf("reconnect tunnel %d: %w", t.spec.ID, fs.ErrClosed)
	case t.attached:
		return fmt.Errorf("reconnect tunnel %d: %w", t.spec.ID, errAttached)
	}
	t.spec.Peer, t.spec.AnyPort = peer, false
	t.reconnect()
	return nil
}

// Attach makes the tunnel able to carry sessions.
func (t *fakeTunnel) Attach(ctx context.Context, peer l2tp.TunnelID) error {
	if err := t.fake.before(ctx, OpAttach, t.key()); err != nil {
		return err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	switch {
	case t.closed:
		return fmt.Errorf("attach tunnel %d: %w", t.spec.ID, fs.ErrClosed)
	case t.attached:
		return fmt.Errorf("attach tunnel %d: %w", t.spec.ID, fs.ErrExist)
	}
	if t.spec.AnyPort {
		t.spec.AnyPort = false
		t.reconnect()
	}
	t.peer, t.attached = peer, true
	return nil
}

// Detach closes the tunnel's sessions and keeps its socket.
func (t *fakeTunnel) Detach(ctx context.Context) error {
	if err := t.fake.before(ctx, OpDetach, t.key()); err != nil {
		return err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	t.detach()
	return nil
}

// detach does what Detach does. fake.mu is held.
func (t *fakeTunnel) detach() {
	for _, s := range t.sessions {
		s.close()
	}
	t.peer, t.attached = 0, false
}

// AddSession makes a session; its frames flow from then on.
func (t *fakeTunnel) AddSession(ctx context.Context, spec SessionSpec) (Session, error) {
	id := SessionKey{t.spec.ID, spec.Session}
	if err := t.fake.before(ctx, OpAddSession, id); err != nil {
		return nil, err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	switch {
	case t.closed:
		return nil, fmt.Errorf("add session %s: %w", id, fs.ErrClosed)
	case !t.attached:
		return nil, fmt.Errorf("add session %s: %w", id, errNotAttached)
	case t.sessions[spec.Session] != nil:
		return nil, fmt.Errorf("add session %s: %w", id, fs.ErrExist)
	}
	s := &fakeSession{
		tunnel: t, id: spec.Session, peer: spec.PeerSession, order: newSequencer(spec),
		reorder: uint16(spec.ReorderTimeout / time.Millisecond), raw: spec.Raw,
	}
	t.sessions[spec.Session] = s
	return s, nil
}

// Close closes the tunnel and its sessions.
func (t *fakeTunnel) Close(ctx context.Context) error {
	if err := t.fake.before(ctx, OpCloseTunnel, t.key()); err != nil {
		return err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	t.close()
	return nil
}

// close does what Close does. fake.mu is held.
func (t *fakeTunnel) close() {
	if t.closed {
		return
	}
	t.closed = true
	t.detach()
	delete(t.fake.tunnels, t.spec.ID)
	t.release()
}

// sorted returns the sessions by identifier. fake.mu is held.
func (t *fakeTunnel) sorted() []*fakeSession {
	ids := slices.Sorted(maps.Keys(t.sessions))
	out := make([]*fakeSession, len(ids))
	for i, id := range ids {
		out[i] = t.sessions[id]
	}
	return out
}
