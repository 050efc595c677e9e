package dataplane

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"culvert/l2tp"
)

// A Fake is a data plane in memory: a host on a [Wire] with sockets, tunnels and
// sessions that behave as the other data planes' do. Control and data messages
// really travel. Its handler is called from one goroutine.
type Fake struct {
	wire    *Wire
	handler Handler
	addrs   []netip.Addr
	opts    FakeOptions
	began   time.Time

	hook    atomic.Pointer[Hook]
	wake    chan struct{} // room for one
	done    chan struct{}
	stopped chan struct{}

	mu      sync.Mutex // guards what follows; never held while calling others
	closed  bool
	queue   arrivals
	port    uint16 // last ephemeral one
	sockets map[sockKey]*fakeSocket
	tunnels map[l2tp.TunnelID]*fakeTunnel
	unknown uint64 // datagrams that no socket wanted
	// held are frames of sessions that are not adopted yet.
	held map[SessionKey][]arrival
	left *FakeRemains // nil before Kill
}

// FakeOptions change what a Fake does. The zero value is the usual.
type FakeOptions struct {
	// Split gives a tunnel whose four addresses and ports another one has an
	// ephemeral port, as the kernel's does. Otherwise both use one socket.
	Split bool
	// Respond answers the frames that sessions send, in place of a peer: they do
	// not go to the wire, and what it returns, if anything, comes back to the handler.
	Respond func(id SessionKey, frame []byte) []byte
	// Packet receives network packets that come out of a session's interface.
	Packet func(id SessionKey, packet []byte)
	// Remains is what an earlier fake of the host left when it was killed; nil: nothing.
	Remains *FakeRemains
}

// A Hook is called before each operation that has a context, on its caller's
// goroutine. It may wait, and an error is the operation's: that is how tests
// slow or fail the kernel. Session is zero where the operation is a tunnel's.
type Hook func(ctx context.Context, op Op, id SessionKey) error

// An Op names an operation for a [Hook].
type Op string

// The operations of a data plane that wait for the kernel.
const (
	OpOpenTunnel   Op = "open tunnel"
	OpReconnect    Op = "reconnect tunnel"
	OpModifyTunnel Op = "modify tunnel"
	OpAttach       Op = "attach tunnel"
	OpDetach       Op = "detach tunnel"
	OpCloseTunnel  Op = "close tunnel"
	OpAddSession   Op = "add session"
	OpConfigure    Op = "configure session"
	OpModify       Op = "modify session"
	OpCloseSession Op = "close session"
	OpCounters     Op = "read counters"
	OpIdle         Op = "read idle time"
	OpInventory    Op = "read inventory"
	OpAdoptTunnel  Op = "adopt tunnel"
	OpAdoptSession Op = "adopt session"
	OpDropRest     Op = "drop the rest"
)

// A sockKey is what a datagram finds a socket by: peer is zero for a listener.
type sockKey struct{ local, peer netip.AddrPort }

type fakeSocket struct {
	fake *Fake
	key  sockKey
	// tunnels is how many tunnels use it, owner one of them. A listener has none.
	tunnels int
	owner   l2tp.TunnelID
	// kept is how many of its users are not adopted yet: a listener is one, a
	// tunnel is one. Until there are none, what arrives is held.
	kept int
	held []arrival
}

// NewFake makes a host with addresses addrs on the wire. Close it to end its goroutine.
func NewFake(w *Wire, h Handler, opts FakeOptions, addrs ...netip.Addr) *Fake {
	f := &Fake{
		wire:    w,
		handler: h,
		addrs:   addrs,
		opts:    opts,
		began:   time.Now(),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		stopped: make(chan struct{}),
		port:    40000,
		sockets: make(map[sockKey]*fakeSocket),
		tunnels: make(map[l2tp.TunnelID]*fakeTunnel),
		held:    make(map[SessionKey][]arrival),
	}
	if opts.Remains != nil {
		opts.Remains.pass(f)
	}
	w.join(f, addrs)
	go f.run()
	return f
}

// Kind returns "fake".
func (f *Fake) Kind() string { return "fake" }

// SetHook has h called before operations from now on; nil ends it.
func (f *Fake) SetHook(h Hook) { f.hook.Store(&h) }

// before calls the hook.
func (f *Fake) before(ctx context.Context, op Op, id SessionKey) error {
	f.mu.Lock()
	killed := f.left != nil
	f.mu.Unlock()
	if killed {
		return fmt.Errorf("%s %s: %w", op, id, fs.ErrClosed)
	}
	if h := f.hook.Load(); h != nil && *h != nil {
		if err := (*h)(ctx, op, id); err != nil {
			return fmt.Errorf("%s %s: %w", op, id, err)
		}
	}
	return ctx.Err()
}

// Listen opens a listener on one of the fake's addresses or an unspecified one.
func (f *Fake) Listen(addr netip.AddrPort) (Listener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, fmt.Errorf("listen on %s: %w", addr, fs.ErrClosed)
	}
	if a := addr.Addr(); !a.IsUnspecified() && !slices.Contains(f.addrs, a) {
		return nil, fmt.Errorf("listen on %s: not an address of this host: %w", addr, fs.ErrNotExist)
	}
	if addr.Port() == 0 {
		addr = netip.AddrPortFrom(addr.Addr(), f.ephemeral())
	}
	k := sockKey{local: addr}
	if s := f.sockets[k]; s != nil && s.tunnels == 0 && s.kept > 0 {
		s.adopted()
		return s, nil
	}
	if f.sockets[k] != nil {
		return nil, fmt.Errorf("listen on %s: address already in use: %w", addr, fs.ErrExist)
	}
	s := &fakeSocket{fake: f, key: k}
	f.sockets[k] = s
	return s, nil
}

// ephemeral returns a port not used before. f.mu is held.
func (f *Fake) ephemeral() uint16 {
	f.port++
	if f.port < 40000 {
		f.port = 40000
	}
	return f.port
}

// Addr returns the address listened on.
func (s *fakeSocket) Addr() netip.AddrPort { return s.key.local }

// Send sends a datagram from the listener's port.
func (s *fakeSocket) Send(local netip.Addr, peer netip.AddrPort, b []byte) error {
	s.fake.mu.Lock()
	gone := s.fake.sockets[s.key] != s
	s.fake.mu.Unlock()
	if gone {
		return fmt.Errorf("send to %s: %w", peer, fs.ErrClosed)
	}
	if !local.IsValid() || local.IsUnspecified() {
		local = s.key.local.Addr()
	}
	if !local.IsValid() || local.IsUnspecified() {
		local = s.fake.addressTo(peer.Addr())
	}
	s.fake.wire.Send(netip.AddrPortFrom(local, s.key.local.Port()), peer, b)
	return nil
}

// Close closes the listener.
func (s *fakeSocket) Close() error {
	s.fake.mu.Lock()
	defer s.fake.mu.Unlock()
	if s.fake.sockets[s.key] == s {
		delete(s.fake.sockets, s.key)
	}
	return nil
}

// addressTo returns the address that a route to peer would choose.
func (f *Fake) addressTo(peer netip.Addr) netip.Addr {
	for _, a := range f.addrs {
		if a.Is4() == peer.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// find returns who gets a datagram: the connected socket if there is one, else
// the listener at the address, else the one at all addresses. f.mu is held.
func (f *Fake) find(src, dst netip.AddrPort) *fakeSocket {
	if s := f.sockets[sockKey{dst, src}]; s != nil {
		return s
	}
	if s := f.sockets[sockKey{local: dst}]; s != nil {
		return s
	}
	any := netip.IPv4Unspecified()
	if dst.Addr().Is6() {
		any = netip.IPv6Unspecified()
	}
	return f.sockets[sockKey{local: netip.AddrPortFrom(any, dst.Port())}]
}

// receive hands a datagram to its session or to the handler.
func (f *Fake) receive(a arrival) {
	if !f.lockFor(a) {
		return
	}
	s := f.find(a.src, a.dst)
	if s == nil {
		f.unknown++
		f.mu.Unlock()
		return
	}
	owner := s.owner
	deliver := f.input(s, a)
	if deliver == nil && s.kept > 0 {
		s.held = append(s.held, a)
		deliver = func() {}
	}
	f.mu.Unlock()
	if deliver == nil {
		f.handler.DatagramReceived(Datagram{
			Tunnel: owner, Local: a.dst, Peer: a.src, Data: a.data,
		})
		return
	}
	deliver()
}

// Inventory says what the fake holds, sorted, without what it has not adopted.
func (f *Fake) Inventory(ctx context.Context) (Inventory, error) {
	if err := f.before(ctx, OpInventory, SessionKey{}); err != nil {
		return Inventory{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var inv Inventory
	for _, t := range f.sorted() {
		if t.kept {
			continue
		}
		inv.Tunnels = append(inv.Tunnels, t.spec.ID)
		for _, s := range t.sorted() {
			if s.kept {
				continue
			}
			inv.Sessions = append(inv.Sessions, s.key())
			if s.link != nil {
				inv.Interfaces = append(inv.Interfaces, s.link.Name)
			}
		}
	}
	slices.Sort(inv.Interfaces)
	return inv, nil
}

// Unknown returns how many datagrams came to a port where no socket is.
func (f *Fake) Unknown() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unknown
}

// sorted returns the tunnels by identifier. f.mu is held.
func (f *Fake) sorted() []*fakeTunnel {
	ids := slices.Sorted(maps.Keys(f.tunnels))
	out := make([]*fakeTunnel, len(ids))
	for i, id := range ids {
		out[i] = f.tunnels[id]
	}
	return out
}

// Close takes the host off the wire with all that it holds, and returns when
// its goroutine has ended: it must not be called by the handler.
func (f *Fake) Close() error {
	f.wire.leave(f)
	f.mu.Lock()
	first := !f.closed
	f.closed = true
	for _, t := range f.tunnels {
		t.close()
	}
	clear(f.sockets)
	f.queue = arrivals{}
	f.mu.Unlock()
	if first {
		close(f.done)
	}
	<-f.stopped
	return nil
}
