package dataplane

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"culvert/kernel"
	"culvert/l2tp"
)

// A userspace is what null and tun share: UDP sockets, and sessions whose data
// messages this process makes and reads. What becomes of the network packets
// in them is its network's concern.
type userspace struct {
	kind    string
	handler Handler
	network network
	pollers []*userPoller
	turn    atomic.Uint32 // which poller gets the next socket
	strays  atomic.Uint64

	// opening is held while sockets are opened, shared and closed.
	opening sync.Mutex

	mu       sync.RWMutex // guards what follows, and for writing is taken inside opening
	closed   bool
	sockets  map[sockKey]*userSocket
	tunnels  map[l2tp.TunnelID]*userTunnel
	sessions map[SessionKey]*userSession
}

// A network takes network packets out of sessions.
type network interface {
	// configure brings what belongs to a session's link from old to spec; nil is no link.
	configure(ctx context.Context, s *userSession, old, spec *LinkSpec) error
	// receive takes a packet from the peer; the protocol is open. packet is not kept.
	receive(s *userSession, protocol uint16, packet []byte)
	// interfaces names the interfaces for the links of the sessions.
	interfaces(links []string) []string
	// sweep removes what an earlier process left.
	sweep(ctx context.Context) error
	// name is the interface for a link.
	name(link string) string
	close() error
}

// A userPoller is a poller with room for one datagram.
type userPoller struct {
	*kernel.Poller
	scratch []byte
}

// newUserspace starts the pollers. The caller sets network before anything flows.
func newUserspace(kind string, h Handler) (*userspace, error) {
	u := &userspace{
		kind:     kind,
		handler:  h,
		sockets:  make(map[sockKey]*userSocket),
		tunnels:  make(map[l2tp.TunnelID]*userTunnel),
		sessions: make(map[SessionKey]*userSession),
	}
	for range runtime.GOMAXPROCS(0) {
		p, err := kernel.NewPoller()
		if err != nil {
			u.closePollers()
			return nil, fmt.Errorf("open data plane %s: %w", kind, err)
		}
		u.pollers = append(u.pollers, &userPoller{p, make([]byte, kernel.MaxDatagram)})
	}
	return u, nil
}

// Kind returns the word for the data plane.
func (u *userspace) Kind() string { return u.kind }

// input gives a data message to its session. It returns false for one that is
// the handler's, because there is no such session on this socket.
func (u *userspace) input(from *userSocket, peer netip.AddrPort, b []byte) bool {
	h, payload, err := parseData(b)
	if err != nil {
		return false
	}
	u.mu.RLock()
	s := u.sessions[SessionKey{h.Tunnel, h.Session}]
	known := s != nil && s.tunnel.socket == from
	u.mu.RUnlock()
	if !known || from.key.peer != peer {
		u.strays.Add(1)
		return false
	}
	s.input(h, payload)
	return true
}

// Strays returns how many data messages had no session: they came too early,
// too late, or from somewhere else.
func (u *userspace) Strays() uint64 { return u.strays.Load() }

// Inventory says what the data plane holds, sorted.
func (u *userspace) Inventory(ctx context.Context) (Inventory, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	inv := Inventory{Tunnels: slices.Sorted(maps.Keys(u.tunnels))}
	inv.Sessions = slices.SortedFunc(maps.Keys(u.sessions), SessionKey.compare)
	var links []string
	for _, s := range u.sessions {
		if l := s.link.Load(); l != nil {
			links = append(links, l.Name)
		}
	}
	inv.Interfaces = u.network.interfaces(links)
	slices.Sort(inv.Interfaces)
	return inv, ctx.Err()
}

// all returns the sessions there are.
func (u *userspace) all() []*userSession {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return slices.Collect(maps.Values(u.sessions))
}

// Close closes everything: after it the handler is not called any more, so it
// must not be called by the handler.
func (u *userspace) Close() error {
	tunnels, first := u.end()
	if !first {
		return nil
	}
	for _, t := range tunnels {
		t.Close(context.Background())
	}
	u.mu.RLock()
	listeners := slices.Collect(maps.Values(u.sockets))
	u.mu.RUnlock()
	for _, s := range listeners {
		s.Close()
	}
	u.closePollers()
	return u.network.close()
}

// end makes the data plane refuse what is new, and returns the tunnels there are.
// It waits for those being opened.
func (u *userspace) end() (tunnels []*userTunnel, first bool) {
	u.opening.Lock()
	defer u.opening.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	first = !u.closed
	u.closed = true
	return slices.Collect(maps.Values(u.tunnels)), first
}

func (u *userspace) closePollers() {
	for _, p := range u.pollers {
		p.Close()
	}
}

// alive returns fs.ErrClosed after Close. u.mu is held.
func (u *userspace) alive() error {
	if u.closed {
		return fs.ErrClosed
	}
	return nil
}
