package dataplane

import (
	"context"
	"net/netip"
	"time"

	"culvert/l2tp"
)

// A Dataplane carries the packets of tunnels and sessions.
//
// Methods with a context wait for the kernel, some of them for tens of
// milliseconds: they are called from many workers at once, but never two at once
// for one session. Methods without a context never block. Closing what is
// closed already is no error.
type Dataplane interface {
	// Kind is the word for it in --dataplane: kernel, tun, null or fake.
	Kind() string

	// Listen opens a socket for first messages at addr: port 0 means any, an
	// unspecified address all of its family.
	Listen(addr netip.AddrPort) (Listener, error)

	// OpenTunnel opens the tunnel's socket, connected to its peer. Datagrams
	// come to the handler from then on.
	OpenTunnel(ctx context.Context, spec TunnelSpec) (Tunnel, error)

	// AdoptTunnel takes over the tunnel that an earlier process had: spec.Local and
	// spec.Peer are what its Local and Peer said, peer is what it was attached to, 0
	// if it was not. If nothing of such a tunnel was kept the error is
	// fs.ErrNotExist. Datagrams that came meanwhile come to the handler now.
	AdoptTunnel(ctx context.Context, spec TunnelSpec, peer l2tp.TunnelID) (Tunnel, error)

	// DropRest ends adoption: what was kept and nobody took over is closed, and
	// what such things leave behind is removed. It returns the keys of what it closed.
	DropRest(ctx context.Context) (keys []string, err error)

	// HandOver gives the Keeper everything again, one that has begun anew.
	HandOver()

	// Inventory says what of ours is there now, for audits and leak checks.
	Inventory(ctx context.Context) (Inventory, error)

	// Abandon ends what this process does with tunnels and sessions, and leaves
	// them to the next one, which adopts them. Without a Keeper it is Close.
	Abandon() error

	// Close frees everything. Tunnels and sessions still there are closed, also those
	// that were kept and not adopted.
	Close() error
}

// A Handler receives what arrives. Its methods are called from the data plane's
// pollers, must not block, and own the bytes that they are given.
type Handler interface {
	// DatagramReceived is called for each control message, on whichever socket, and
	// for each data message whose session the data plane does not have (yet).
	DatagramReceived(d Datagram)

	// FrameReceived is called for each PPP frame that is not the network
	// layer's: it begins with the two bytes of protocol.
	FrameReceived(id SessionKey, frame []byte)

	// SessionLost is called when something other than us took away a session.
	SessionLost(id SessionKey, cause error)
}

// A Datagram is what a socket received.
type Datagram struct {
	// Tunnel is whose socket it was, zero for a listener's. The message may be for
	// another tunnel all the same: its header decides.
	Tunnel l2tp.TunnelID
	// Local is the address it was sent to, Peer where it came from.
	Local, Peer netip.AddrPort
	Data        []byte
}

// A SessionKey names a session by this end's identifiers.
type SessionKey struct {
	Tunnel  l2tp.TunnelID
	Session l2tp.SessionID
}

// A Listener is a socket for messages of peers that have no tunnel yet.
type Listener interface {
	Addr() netip.AddrPort
	// Send sends a datagram to peer from local (one of the host's addresses and
	// the listener's port). A datagram that cannot leave at once is lost.
	Send(local netip.Addr, peer netip.AddrPort, b []byte) error
	Close() error
}

// A TunnelSpec says what socket a tunnel wants.
type TunnelSpec struct {
	ID l2tp.TunnelID
	// Local is our end: an invalid address is chosen by the route to the peer;
	// port 0 is an ephemeral one. A port that a listener of ours has is shared
	// with it. If the same four addresses and ports serve another tunnel, the
	// data plane picks an ephemeral port where it cannot serve both on one.
	Local netip.AddrPort
	Peer  netip.AddrPort
	// NoUDPChecksum sends data without UDP checksums.
	NoUDPChecksum bool
	// AnyPort leaves the socket unconnected until Reconnect or Attach: the peer
	// may answer from another port than it is asked at (RFC 2661, 8.1).
	AnyPort bool
	// DontFragment forbids everybody to fragment what the socket sends: control
	// messages, and data where it is made in this process. The kernel's tunnels
	// have their data fragmented where that is needed.
	DontFragment bool
	// TooLarge, if set, is called when a packet turned out to be too large for the
	// path: from any goroutine, and it must not block.
	TooLarge func()
}

// A Tunnel is one tunnel's socket and, once attached, the kernel's tunnel.
type Tunnel interface {
	Local() netip.AddrPort
	Peer() netip.AddrPort
	// Send sends a control message. One that cannot leave at once is lost.
	Send(b []byte) error
	// Reconnect makes the socket's peer the one given, before Attach: it
	// turned out to answer from there.
	Reconnect(ctx context.Context, peer netip.AddrPort) error
	// Modify changes NoUDPChecksum, and nothing else. Tunnels that share a socket
	// share that too: the last one says.
	Modify(ctx context.Context, spec TunnelSpec) error
	// PathMTU is the largest IP packet that the path to the peer takes, as far as
	// is known; 0 if it is not. It never blocks.
	PathMTU() int
	// Attach makes the tunnel able to carry sessions.
	Attach(ctx context.Context, peer l2tp.TunnelID) error
	// Detach undoes Attach, sessions included. The socket stays open for
	// control messages: a closed tunnel still acknowledges (RFC 2661, 5.7).
	Detach(ctx context.Context) error
	// AddSession makes a session and its ppp channel: frames flow from then on.
	AddSession(ctx context.Context, spec SessionSpec) (Session, error)
	// AdoptSession takes over a session that an earlier process had in the tunnel. If
	// nothing of such a session was kept the error is fs.ErrNotExist. Frames that
	// came meanwhile come to the handler now.
	AdoptSession(ctx context.Context, spec SessionSpec, last Configured) (Session, error)
	Close(ctx context.Context) error
}

// A SessionSpec says how a session's data messages look.
type SessionSpec struct {
	Session, PeerSession l2tp.SessionID
	// LNS: we decide on sequence numbers for both ends (RFC 2661, 5.4).
	LNS bool
	// SendSequence numbers what we send; RequireSequence drops what comes without.
	SendSequence, RequireSequence bool
	// ReorderTimeout is how long a message is held for one missing before it; 0:
	// what comes late is dropped. After it the message goes on; the kernel
	// notices only with the next message, and drops it.
	ReorderTimeout time.Duration
	// Raw leaves the session's frames to another program: neither Send nor
	// Configure work, and what comes may not reach the handler. It cannot be modified.
	Raw bool
}

// A Session is one session: its frames and its interface.
type Session interface {
	// Send sends a PPP frame that begins with two bytes of protocol. One that
	// cannot leave at once is lost.
	Send(frame []byte) error
	// Configure brings the session's interface to the state that spec
	// describes, whatever its state was before: it makes the ppp unit, opens
	// and closes network protocols, sets addresses and routes.
	Configure(ctx context.Context, spec LinkSpec) error
	// Modify changes sequencing of the running session.
	Modify(ctx context.Context, spec SessionSpec) error
	// Interface is the interface's name, empty before the first Configure.
	Interface() string
	Counters(ctx context.Context) (Counters, error)
	// Idle returns for how long no network packet has gone either way, counted
	// from the first Configure; zero before it. The kernel counts whole seconds.
	Idle(ctx context.Context) (time.Duration, error)
	Close(ctx context.Context) error
}

// A LinkSpec is the desired state of a session's network interface.
type LinkSpec struct {
	// Name of the interface, 1 to 15 bytes. It cannot change later. On tun all
	// sessions share one device.
	Name string
	MTU  int // bytes; of what is sent into the interface
	MRU  int // bytes; of what we may receive
	// ReceiveMultiple and the like come with the features that need them.

	// IPv4 opens IP between the two addresses. Invalid addresses: closed.
	IPv4 PointToPoint
	// Unnumbered lets the interface do without its IPv4 address. The host has that once
	// for all such links, on its loopback interface, and a route to the peer says that it
	// is the source. A data plane for which that makes no difference ignores it.
	Unnumbered bool
	// IPv6 opens IPv6 between two link-local addresses. Invalid ones: closed. The
	// kernel does no IPv6 on an interface with an MTU below 1280: it waits for more.
	IPv6 PointToPoint
	// Routes lead to the peer besides its own address.
	Routes []netip.Prefix
	// DefaultRoute makes the link the default route (of each family that is
	// open); the way to the tunnel's peer is pinned to where it goes now.
	DefaultRoute bool
	// ProxyARP answers ARP for the peer's IPv4 address on the network of this host
	// that it belongs to. If there is none, or the host does not forward from there,
	// Configure does all the rest and returns an error that is ErrNoProxyARP.
	ProxyARP bool
}

// PointToPoint is the addresses of the two ends of a link.
type PointToPoint struct{ Local, Peer netip.Addr }

// Counters are a session's data counters as the data plane has them.
type Counters struct {
	RxPackets, RxBytes, RxErrors, RxDropped uint64 // from the peer
	TxPackets, TxBytes, TxErrors, TxDropped uint64 // to the peer
	RxOutOfSequence                         uint64 // late or missing by their sequence numbers
}

// An Inventory is what a data plane holds.
type Inventory struct {
	Tunnels    []l2tp.TunnelID
	Sessions   []SessionKey
	Interfaces []string
}
