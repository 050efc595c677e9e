package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"culvert/kernel"
	"culvert/test/lab"
)

// A host is one end: a namespace with a kernel handle.
type host struct {
	*kernel.Kernel
	ns     *lab.NetNS
	v4, v6 netip.Addr
}

// hosts makes two hosts with a cable between them.
func hosts(t testing.TB) (a, b *host) {
	t.Helper()
	lab.RequireKernel(t)
	nsA, nsB := lab.NewNetNS(t, "ka"), lab.NewNetNS(t, "kb")
	lab.Veth(t, nsA, "eth0", []string{"192.0.2.1/24", "2001:db8::1/64"},
		nsB, "eth0", []string{"192.0.2.2/24", "2001:db8::2/64"})
	return newHost(t, nsA, 1), newHost(t, nsB, 2)
}

func newHost(t testing.TB, ns *lab.NetNS, n int) *host {
	t.Helper()
	h := &host{
		ns: ns,
		v4: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", n)),
		v6: netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", n)),
	}
	err := ns.Do(func() (err error) {
		h.Kernel, err = kernel.Open()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		inv, err := h.Inventory(context.Background())
		if err != nil || len(inv.Tunnels)+len(inv.Sessions)+len(inv.Links) > 0 {
			t.Errorf("left in the kernel: %+v, %v", inv, err)
		}
		h.Close()
	})
	return h
}

// A tunnelEnd is one end of a tunnel made by hand.
type tunnelEnd struct {
	h        *host
	id, peer uint16
	sock     *kernel.Socket
}

// tunnel makes both ends of the n-th tunnel: identifiers 10n+1 and 10n+2, ports alike.
func tunnel(t testing.TB, a, b *host, n int, v6 bool) (ta, tb *tunnelEnd) {
	t.Helper()
	atA, atB := a.v4, b.v4
	if v6 {
		atA, atB = a.v6, b.v6
	}
	ta = &tunnelEnd{h: a, id: uint16(10*n + 1), peer: uint16(10*n + 2)}
	tb = &tunnelEnd{h: b, id: ta.peer, peer: ta.id}
	port := uint16(20000 + n)
	ta.open(t, netip.AddrPortFrom(atA, port), netip.AddrPortFrom(atB, port))
	tb.open(t, netip.AddrPortFrom(atB, port), netip.AddrPortFrom(atA, port))
	return ta, tb
}

func (e *tunnelEnd) open(t testing.TB, local, peer netip.AddrPort) {
	t.Helper()
	err := e.h.ns.Do(func() (err error) {
		if e.sock, err = kernel.DialUDP(local, peer, kernel.DialOptions{}); err != nil {
			return err
		}
		return e.h.CreateTunnel(t.Context(), kernel.TunnelSpec{ID: e.id, PeerID: e.peer}, e.sock)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.close(t) })
}

func (e *tunnelEnd) close(t testing.TB) {
	t.Helper()
	if err := errors.Join(e.h.DeleteTunnel(context.Background(), e.id), e.sock.Close()); err != nil {
		t.Error(err)
	}
}

// A sessionEnd is one end of a session made by hand.
type sessionEnd struct {
	t       *tunnelEnd
	id      uint16
	channel *kernel.Channel
	unit    *kernel.Unit
}

// session makes one end; the two ends of the n-th session have its number as
// identifier. It is called on a thread of the namespace.
func (e *tunnelEnd) session(ctx context.Context, n int) (s *sessionEnd, err error) {
	s = &sessionEnd{t: e, id: uint16(n)}
	spec := kernel.SessionSpec{Tunnel: e.id, Session: s.id, PeerSession: s.id}
	if err := e.h.CreateSession(ctx, spec); err != nil {
		return nil, err
	}
	s.channel, err = kernel.OpenChannel(kernel.ChannelSpec{
		Tunnel: e.id, PeerTunnel: e.peer, Session: s.id, PeerSession: s.id, Peer: e.sock.Peer(),
	})
	return s, err
}

// up gives the session its interface and addresses.
func (s *sessionEnd) up(ctx context.Context, name string, local, peer string) (err error) {
	if s.unit, err = s.t.h.CreateUnit(ctx, name, 1400); err != nil {
		return err
	}
	if err := s.unit.Connect(s.channel); err != nil {
		return err
	}
	a, b := netip.MustParseAddr(local), netip.MustParseAddr(peer)
	protocol := kernel.IPv4
	if a.Is6() {
		protocol = kernel.IPv6
	}
	return errors.Join(s.unit.SetMRU(1400), s.unit.Pass(protocol, true),
		s.t.h.Apply(ctx, kernel.SetUp(s.unit.Index(), true),
			kernel.AddAddress(s.unit.Index(), a, b)))
}

func (s *sessionEnd) close() error {
	var errs []error
	if s.unit != nil {
		errs = append(errs, s.unit.Close())
	}
	return errors.Join(append(errs, s.channel.Close())...)
}

// sessionUp makes one end that is up, to be closed by the test's end.
func sessionUp(t testing.TB, e *tunnelEnd, n int, name, local, peer string) (s *sessionEnd) {
	t.Helper()
	err := e.h.ns.Do(func() (err error) {
		if s, err = e.session(t.Context(), n); err != nil {
			return err
		}
		return s.up(t.Context(), name, local, peer)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func contains(text, want string) bool { return strings.Contains(text, want) }

func countLines(text string) int { return strings.Count(text, "\n") }
