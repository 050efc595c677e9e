package dataplanetest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/test/lab"
)

// Hosts opens pairs of data planes, each in a network namespace of its own, with a
// cable between them. It needs root. packets says whether they carry packets.
func Hosts(f func(dataplane.Handler) (dataplane.Dataplane, error), packets bool) Open {
	return func(t *testing.T, a, b dataplane.Handler) *Pair { return openHosts(t, f, packets, a, b) }
}

// OpenHosts opens one pair for tests other than the contract, and closes it at the
// end of t.
func OpenHosts(t testing.TB, f func(dataplane.Handler) (dataplane.Dataplane, error),
	packets bool) *Pair {
	t.Helper()
	a, b := NewRecorder(), NewRecorder()
	p := openHosts(t, f, packets, a, b)
	p.A.Said, p.B.Said = a, b
	t.Cleanup(func() {
		if err := errors.Join(p.A.Close(), p.B.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func openHosts(t testing.TB, f func(dataplane.Handler) (dataplane.Dataplane, error),
	packets bool, a, b dataplane.Handler) *Pair {
	t.Helper()
	nsA, nsB := lab.NewNetNS(t, "dpa"), lab.NewNetNS(t, "dpb")
	lab.Veth(t, nsA, "eth0", []string{"192.0.2.1/24", "fd00::1/64"},
		nsB, "eth0", []string{"192.0.2.2/24", "fd00::2/64"})
	before := [2]lab.State{nsA.State(), nsB.State()}
	p := &Pair{A: newHost(t, nsA, f, a), B: newHost(t, nsB, f, b)}
	p.A.Host, p.A.Host6 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fd00::1")
	p.B.Host, p.B.Host6 = netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("fd00::2")
	if packets {
		p.Flow, p.Own, p.Has = newHostFlow, ownAddress, hasAddress
	}
	p.Left = func(t testing.TB) {
		for _, ns := range []*lab.NetNS{nsA, nsB} {
			ns.Run("ip", "-4", "address", "flush", "dev", "lo", "to", "10.10.0.0/16")
		}
		nsA.CheckLeaks(t, before[0])
		nsB.CheckLeaks(t, before[1])
	}
	return p
}

func ownAddress(t testing.TB, s *Side, a netip.Addr) {
	t.Helper()
	s.NetNS().Run("ip", "address", "add", a.String(), "dev", "lo")
}

func hasAddress(t testing.TB, s *Side, a netip.Addr) bool {
	t.Helper()
	return strings.Contains(s.NetNS().Run("ip", "-oneline", "address"), " "+a.String()+" ")
}

// NetNS returns the side's namespace, for data planes opened by Hosts.
func (s *Side) NetNS() *lab.NetNS { return s.Dataplane.(inside).ns }

func newHost(t testing.TB, ns *lab.NetNS,
	f func(dataplane.Handler) (dataplane.Dataplane, error), h dataplane.Handler) *Side {
	t.Helper()
	d, err := do(ns, func() (dataplane.Dataplane, error) { return f(h) })
	if err != nil {
		t.Fatal(err)
	}
	return &Side{Dataplane: inside{d, ns}}
}

// Reopen opens another data plane in place of the side's, for data planes opened by Hosts.
func (s *Side) Reopen(f func() (dataplane.Dataplane, error)) error {
	d, err := do(s.NetNS(), f)
	if err == nil {
		s.Dataplane = inside{d, s.NetNS()}
	}
	return err
}

// do calls f in the namespace.
func do[T any](ns *lab.NetNS, f func() (T, error)) (v T, err error) {
	err = ns.Do(func() (err error) {
		v, err = f()
		return err
	})
	return v, err
}

// inside calls a data plane's methods in a namespace.
type inside struct {
	dataplane.Dataplane
	ns *lab.NetNS
}

func (d inside) Listen(addr netip.AddrPort) (dataplane.Listener, error) {
	return do(d.ns, func() (dataplane.Listener, error) { return d.Dataplane.Listen(addr) })
}

func (d inside) OpenTunnel(ctx context.Context,
	spec dataplane.TunnelSpec) (dataplane.Tunnel, error) {
	t, err := do(d.ns, func() (dataplane.Tunnel, error) { return d.Dataplane.OpenTunnel(ctx, spec) })
	if err != nil {
		return nil, err
	}
	return tunnelInside{t, d.ns}, nil
}

func (d inside) AdoptTunnel(ctx context.Context, spec dataplane.TunnelSpec,
	peer l2tp.TunnelID) (dataplane.Tunnel, error) {
	t, err := do(d.ns, func() (dataplane.Tunnel, error) { return d.Dataplane.AdoptTunnel(ctx, spec, peer) })
	if err != nil {
		return nil, err
	}
	return tunnelInside{t, d.ns}, nil
}

func (d inside) Abandon() error { return d.ns.Do(d.Dataplane.Abandon) }

func (d inside) Close() error { return d.ns.Do(d.Dataplane.Close) }

type tunnelInside struct {
	dataplane.Tunnel
	ns *lab.NetNS
}

func (t tunnelInside) Reconnect(ctx context.Context, peer netip.AddrPort) error {
	return t.ns.Do(func() error { return t.Tunnel.Reconnect(ctx, peer) })
}

func (t tunnelInside) Attach(ctx context.Context, peer l2tp.TunnelID) error {
	return t.ns.Do(func() error { return t.Tunnel.Attach(ctx, peer) })
}

func (t tunnelInside) Detach(ctx context.Context) error {
	return t.ns.Do(func() error { return t.Tunnel.Detach(ctx) })
}

func (t tunnelInside) Close(ctx context.Context) error {
	return t.ns.Do(func() error { return t.Tunnel.Close(ctx) })
}

func (t tunnelInside) AddSession(ctx context.Context,
	spec dataplane.SessionSpec) (dataplane.Session, error) {
	s, err := do(t.ns, func() (dataplane.Session, error) { return t.Tunnel.AddSession(ctx, spec) })
	if err != nil {
		return nil, err
	}
	return sessionInside{s, t.ns}, nil
}

func (t tunnelInside) AdoptSession(ctx context.Context, spec dataplane.SessionSpec,
	last dataplane.Configured) (dataplane.Session, error) {
	s, err := do(t.ns, func() (dataplane.Session, error) { return t.Tunnel.AdoptSession(ctx, spec, last) })
	if err != nil {
		return nil, err
	}
	return sessionInside{s, t.ns}, nil
}

type sessionInside struct {
	dataplane.Session
	ns *lab.NetNS
}

func (s sessionInside) Configure(ctx context.Context, spec dataplane.LinkSpec) error {
	return s.ns.Do(func() error { return s.Session.Configure(ctx, spec) })
}

func (s sessionInside) Modify(ctx context.Context, spec dataplane.SessionSpec) error {
	return s.ns.Do(func() error { return s.Session.Modify(ctx, spec) })
}

func (s sessionInside) Counters(ctx context.Context) (dataplane.Counters, error) {
	return do(s.ns, func() (dataplane.Counters, error) { return s.Session.Counters(ctx) })
}

func (s sessionInside) Idle(ctx context.Context) (time.Duration, error) {
	return do(s.ns, func() (time.Duration, error) { return s.Session.Idle(ctx) })
}

func (s sessionInside) Close(ctx context.Context) error {
	return s.ns.Do(func() error { return s.Session.Close(ctx) })
}

// A hostFlow is two UDP sockets of programs in the namespaces.
type hostFlow struct {
	from, to *net.UDPConn
	header   int // bytes of a packet that are not UDP's payload
	buf      []byte
}

func newHostFlow(t testing.TB, from, to End) Flow {
	t.Helper()
	f := &hostFlow{header: 28, buf: make([]byte, 1<<16)}
	if to.Addr.Is6() {
		f.header = 48
	}
	var err error
	f.to, err = do(to.NetNS(), func() (*net.UDPConn, error) { return listenUDP(t.Context(), to) })
	if err != nil {
		t.Fatalf("opening a socket for packets to %s: %v", to.Addr, err)
	}
	t.Cleanup(func() { f.to.Close() })
	port := f.to.LocalAddr().(*net.UDPAddr).Port
	f.from = dialUDP(t, from, netip.AddrPortFrom(to.Addr, uint16(port)))
	return f
}

// zoned returns a with the interface as its zone if it needs one: as a number,
// because package net keeps names for a while, and knows of one namespace only.
// It is called in the namespace.
func zoned(a netip.Addr, ifc string) netip.Addr {
	if !a.IsLinkLocalUnicast() || !a.Is6() {
		return a
	}
	i, err := net.InterfaceByName(ifc)
	if err != nil {
		return a
	}
	return a.WithZone(strconv.Itoa(i.Index))
}

func listenUDP(ctx context.Context, e End) (*net.UDPConn, error) {
	var lc net.ListenConfig
	addr := netip.AddrPortFrom(zoned(e.Addr, e.Interface), 0)
	c, err := lc.ListenPacket(ctx, "udp", addr.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// dialUDP opens a socket that does not let its packets be fragmented.
func dialUDP(t testing.TB, from End, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := do(from.NetNS(), func() (net.Conn, error) {
		d := net.Dialer{
			LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(zoned(from.Addr, from.Interface), 0)),
			Control: func(network, address string, c syscall.RawConn) (err error) {
				cerr := c.Control(func(fd uintptr) { err = dontFragment(int(fd), to.Addr()) })
				return errors.Join(cerr, err)
			},
		}
		return d.DialContext(t.Context(), "udp",
			netip.AddrPortFrom(zoned(to.Addr(), from.Interface), to.Port()).String())
	})
	if err != nil {
		t.Fatalf("opening a socket for packets from %s to %s: %v", from.Addr, to, err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

func dontFragment(fd int, to netip.Addr) error {
	if to.Is6() {
		return syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_MTU_DISCOVER,
			syscall.IPV6_PMTUDISC_DO)
	}
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, syscall.IP_MTU_DISCOVER,
		syscall.IP_PMTUDISC_DO)
}

func (f *hostFlow) Send(size int) error {
	_, err := f.from.Write(make([]byte, size-f.header))
	return err
}

func (f *hostFlow) Receive(patience time.Duration) (int, bool) {
	if err := f.to.SetReadDeadline(time.Now().Add(max(patience, time.Millisecond))); err != nil {
		return 0, false
	}
	n, err := f.to.Read(f.buf)
	return n + f.header, err == nil
}
