package dataplane

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"culvert/kernel"
	"culvert/l2tp"
)

// KernelOptions are the options of NewKernel.
type KernelOptions struct {
	Log     *slog.Logger // nil: none
	Pollers int          // goroutines that read; 0: one for each processor
	// Keeper holds descriptors for the process that comes after this one; nil: nobody.
	Keeper Keeper
	// Kept is what it held when this process began: the data plane's from now on.
	Kept map[string][]int
}

// A kernelPlane has the Linux kernel carry all data.
type kernelPlane struct {
	k       *kernel.Kernel
	handler Handler
	log     *slog.Logger
	pollers []*userPoller
	watch   *kernel.Watch
	turn    atomic.Uint32 // which poller gets the next descriptor
	pins    pins
	proxies proxies
	locals  locals
	closing slots // of sessions, in all tunnels
	keeper  Keeper
	adopts  bool // something was kept
	remains remains

	// opening is held while sockets are opened and given up.
	opening sync.Mutex

	mu        sync.RWMutex // guards what follows, and for writing is taken inside opening
	closed    bool
	tunnels   map[l2tp.TunnelID]*kernelTunnel
	listeners map[*kernelListener]struct{}
	pairs     map[sockKey]*kernelTunnel // which addresses and ports are taken
}

// NewKernel opens the kernel's data plane in the network namespace of the
// calling thread. It loads kernel modules where that is needed and allowed; what
// is missing is named in the error.
func NewKernel(h Handler, opts KernelOptions) (Dataplane, error) {
	k, err := kernel.Open()
	if err != nil {
		return nil, err
	}
	p := &kernelPlane{
		k:         k,
		handler:   h,
		log:       opts.Log,
		closing:   make(slots, parallel),
		keeper:    opts.Keeper,
		adopts:    len(opts.Kept) > 0,
		remains:   remains{fds: maps.Clone(opts.Kept)},
		tunnels:   make(map[l2tp.TunnelID]*kernelTunnel),
		listeners: make(map[*kernelListener]struct{}),
		pairs:     make(map[sockKey]*kernelTunnel),
	}
	if p.keeper == nil {
		p.keeper = noKeeper{}
	}
	if p.remains.fds == nil {
		p.remains.fds = make(map[string][]int)
	}
	p.pins.links, p.proxies.links, p.locals.links = k.Links, k.Links, k.Links
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if err := p.start(opts.Pollers); err != nil {
		return nil, errors.Join(err, p.Abandon()) // what was kept is the next process's
	}
	return p, nil
}

func (p *kernelPlane) start(pollers int) (err error) {
	if pollers <= 0 {
		pollers = runtime.GOMAXPROCS(0)
	}
	for range pollers {
		poller, err := kernel.NewPoller()
		if err != nil {
			return err
		}
		p.pollers = append(p.pollers, &userPoller{poller, make([]byte, kernel.MaxDatagram)})
	}
	if p.watch, err = p.k.WatchDeletions(p.deleted); err != nil {
		return err
	}
	return p.loadLocals(context.Background())
}

// loadLocals removes addresses that an earlier process has left, unless somebody may
// use them still: something was kept, or l2tp has tunnels.
func (p *kernelPlane) loadLocals(ctx context.Context) error {
	if err := p.locals.load(ctx); err != nil || p.adopts {
		return err
	}
	return p.pruneLocals(ctx)
}

// pruneLocals removes local addresses that no session uses, unless l2tp has tunnels that are
// not ours: they may be another process's.
func (p *kernelPlane) pruneLocals(ctx context.Context) error {
	all, err := p.k.Tunnels(ctx)
	if err != nil {
		return err
	}
	p.mu.RLock()
	foreign := slices.ContainsFunc(all, func(t kernel.TunnelInfo) bool {
		return t.ID > 0xffff || p.tunnels[l2tp.TunnelID(t.ID)] == nil
	})
	p.mu.RUnlock()
	if foreign {
		return nil
	}
	return p.locals.prune(ctx)
}

// Kind returns the word for the data plane.
func (p *kernelPlane) Kind() string { return "kernel" }

func (p *kernelPlane) nextPoller() *userPoller {
	return p.pollers[int(p.turn.Add(1))%len(p.pollers)]
}

// A kernelListener is a listener's socket.
type kernelListener struct {
	plane  *kernelPlane
	poller *userPoller
	sock   *kernel.Socket
	fd     int
}

// Listen opens a listener.
func (p *kernelPlane) Listen(addr netip.AddrPort) (Listener, error) {
	p.opening.Lock()
	defer p.opening.Unlock()
	sock, err := p.listen(addr)
	if err != nil {
		return nil, err
	}
	l := &kernelListener{plane: p, poller: p.nextPoller(), sock: sock, fd: sock.FD()}
	if err := l.start(); err != nil {
		sock.Close()
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	p.keeper.Keep(listenerKey(l.Addr()), l.fd)
	return l, nil
}

// start begins to read, and makes the listener known.
func (l *kernelListener) start() error {
	p := l.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.alive()
	if err == nil {
		err = l.poller.Add(l.fd, func() { p.receive(l.poller, l.sock, l.fd, 0) })
	}
	if err == nil {
		p.listeners[l] = struct{}{}
	}
	return err
}

// listen returns the socket for a listener: the one that was kept, or a new one. It may
// share its port with tunnels, which are older where a process has adopted them, but
// with nobody else. p.opening is held.
func (p *kernelPlane) listen(addr netip.AddrPort) (*kernel.Socket, error) {
	if sock := p.adoptListener(addr); sock != nil {
		return sock, nil
	}
	p.mu.RLock()
	conflict, tunnels := false, p.remains.any()
	for l := range p.listeners {
		conflict = conflict || overlap(l.sock.Local(), addr)
	}
	for k := range p.pairs {
		tunnels = tunnels || k.local.Port() == addr.Port()
	}
	p.mu.RUnlock()
	if tunnels && !conflict && addr.Port() != 0 {
		return kernel.ListenSharedUDP(addr)
	}
	return kernel.ListenUDP(addr)
}

// overlap tells whether listeners at both would get each other's datagrams.
func overlap(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && a.Addr().Is4() == b.Addr().Is4() &&
		(a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// receive reads what a socket has. It runs on the poller's goroutine.
func (p *kernelPlane) receive(at *userPoller, sock *kernel.Socket, fd int, id l2tp.TunnelID) {
	err := sock.ReadBatch(at.scratch, batch, func(d kernel.Datagram) {
		if !isControl(d.Data) && p.input(d) {
			return
		}
		p.handler.DatagramReceived(Datagram{Tunnel: id, Local: d.Local, Peer: d.Peer, Data: d.Data})
	})
	if err != nil {
		at.Mute(fd) // nothing can be read any more
		if !errors.Is(err, fs.ErrClosed) {
			p.log.Error("socket is unusable", "tunnel", id, "error", err)
		}
	}
}

// input gives a data message to its session. The kernel passes up those that
// were queued before it had the session, and those shorter than the longest
// header (14 bytes), such as an LCP Terminate-Ack without address and control.
func (p *kernelPlane) input(d kernel.Datagram) bool {
	h, payload, err := parseData(d.Data)
	if err != nil {
		return false
	}
	p.mu.RLock()
	t := p.tunnels[h.Tunnel]
	p.mu.RUnlock()
	if t == nil || t.Peer() != d.Peer {
		return false
	}
	t.mu.RLock()
	s := t.sessions[h.Session]
	t.mu.RUnlock()
	if s == nil || s.closed.Load() {
		return false
	}
	protocol, information, ok := splitFrame(payload)
	if ok && (h.HasSequence || !s.requireSequence.Load()) {
		frame := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(information)), protocol)
		s.received(append(frame, information...))
	}
	return true
}

// Addr returns the address listened on.
func (l *kernelListener) Addr() netip.AddrPort { return l.sock.Local() }

// Send sends a datagram from the listener's port.
func (l *kernelListener) Send(local netip.Addr, peer netip.AddrPort, b []byte) error {
	return l.sock.SendTo(local, peer, b)
}

// Close closes the listener.
func (l *kernelListener) Close() error {
	l.plane.opening.Lock()
	defer l.plane.opening.Unlock()
	l.plane.mu.Lock()
	_, open := l.plane.listeners[l]
	delete(l.plane.listeners, l)
	l.plane.mu.Unlock()
	if !open {
		return nil // the descriptor's number may be another one's by now
	}
	l.poller.Remove(l.fd)
	l.plane.keeper.Drop(context.Background(), listenerKey(l.Addr()))
	return l.sock.Close()
}

// alive returns fs.ErrClosed after Close. p.mu is held.
func (p *kernelPlane) alive() error {
	if p.closed {
		return fs.ErrClosed
	}
	return nil
}

// hasPort tells whether a socket of ours has the port. p.opening is held.
func (p *kernelPlane) hasPort(port uint16) bool {
	if port == 0 {
		return false
	}
	if p.remains.any() {
		return true // for all we know
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for l := range p.listeners {
		if l.sock.Local().Port() == port {
			return true
		}
	}
	for k := range p.pairs {
		if k.local.Port() == port {
			return true
		}
	}
	return false
}

// deleted is told what somebody deleted by command. It runs on the watch's goroutine.
func (p *kernelPlane) deleted(d kernel.Deletion) {
	if d.Tunnel > 0xffff || d.Session > 0xffff {
		return // L2TPv3 of someone else
	}
	p.mu.RLock()
	t := p.tunnels[l2tp.TunnelID(d.Tunnel)]
	p.mu.RUnlock()
	if t == nil {
		return
	}
	cause := fmt.Errorf("another program deleted session %d/%d", d.Tunnel, d.Session)
	if d.Session == 0 {
		cause = fmt.Errorf("another program deleted tunnel %d", d.Tunnel)
	}
	for _, s := range t.sessionList() {
		if d.Session == 0 || uint32(s.key.Session) == d.Session {
			s.lose(cause)
		}
	}
}

// Inventory says what the data plane holds, sorted. What it could not remove
// from the kernel it still holds.
func (p *kernelPlane) Inventory(ctx context.Context) (Inventory, error) {
	p.mu.RLock()
	tunnels := maps.Clone(p.tunnels)
	p.mu.RUnlock()
	inv := Inventory{Tunnels: slices.Sorted(maps.Keys(tunnels))}
	for _, t := range tunnels {
		for _, s := range t.sessionList() {
			inv.Sessions = append(inv.Sessions, s.key)
			if name := s.Interface(); name != "" {
				inv.Interfaces = append(inv.Interfaces, name)
			}
		}
	}
	slices.SortFunc(inv.Sessions, SessionKey.compare)
	slices.Sort(inv.Interfaces)
	return inv, ctx.Err()
}

// Close closes everything: after it the handler is not called any more, so it
// must not be called by the handler.
func (p *kernelPlane) Close() error {
	tunnels, listeners, first := p.end()
	if !first {
		return nil
	}
	errs := make([]error, len(tunnels))
	make(slots, parallel).each(len(tunnels), func(i int) {
		errs[i] = tunnels[i].Close(context.Background())
	})
	_, err := p.dropAllKept(context.Background())
	errs = append(errs, err)
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	if p.watch != nil {
		errs = append(errs, p.watch.Close())
	}
	for _, poller := range p.pollers {
		errs = append(errs, poller.Close())
	}
	return errors.Join(append(errs, p.k.Close())...)
}

// end makes the data plane refuse what is new, and returns what there is.
func (p *kernelPlane) end() (tunnels []*kernelTunnel, listeners []*kernelListener, first bool) {
	p.opening.Lock()
	defer p.opening.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	first = !p.closed
	p.closed = true
	return slices.Collect(maps.Values(p.tunnels)), slices.Collect(maps.Keys(p.listeners)), first
}

// parallel is how many sessions are closed at a time, and how many tunnels. They
// wait for the same grace periods, so that many take hardly longer than one. But
// each occupies a thread, of which the run time allows 10,000.
const parallel = 256

// slots are what is worked on at a time.
type slots chan struct{}

// each calls f for each number below n, when a slot is free.
func (slots slots) each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}
