package dataplane_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/kernel"
	"culvert/test/lab"
)

// limit is how long what must come may take.
const limit = 20 * time.Second

func newKernel(h dataplane.Handler) (dataplane.Dataplane, error) {
	return dataplane.NewKernel(h, dataplane.KernelOptions{})
}

func TestKernelContract(t *testing.T) {
	lab.RequireKernel(t)
	dataplanetest.Contract(t, func(t *testing.T, a, b dataplane.Handler) *dataplanetest.Pair {
		p := keptHosts(t, a, b)
		p.Lose = deleteSession
		return p
	}, 0)
}

func TestKernelProxyARP(t *testing.T) {
	lab.RequireKernel(t)
	dataplanetest.ProxyARP(t, newKernel)
}

// deleteSession does what `ip l2tp del session` does.
func deleteSession(t testing.TB, s *dataplanetest.Side, id dataplane.SessionKey) {
	t.Helper()
	err := s.NetNS().Do(func() error {
		k, err := kernel.Open()
		if err != nil {
			return err
		}
		defer k.Close()
		return k.DeleteSession(t.Context(), uint16(id.Tunnel), uint16(id.Session))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKernelDefaultRoute sends everything into the tunnel but the tunnel itself.
// Another address keeps the routes, and closing brings the host's own default
// route back.
func TestKernelDefaultRoute(t *testing.T) {
	lab.RequireKernel(t)
	h := dataplanetest.NewRecorder()
	p := dataplanetest.Hosts(newKernel, true)(t, h, h)
	defer func() { errors.Join(p.A.Close(), p.B.Close()) }()
	ns := p.A.NetNS()
	ns.Run("ip", "route", "add", "default", "via", "192.0.2.77")
	// A peer that is reached by the default route.
	peer := netip.MustParseAddrPort("203.0.113.1:1701")
	s := kernelSession(t, p.A, peer)
	link := dataplane.LinkSpec{
		Name: "up", MTU: 1400, MRU: 1400, DefaultRoute: true,
		IPv4: dataplane.PointToPoint{
			Local: netip.MustParseAddr("10.0.0.1"), Peer: netip.MustParseAddr("10.0.0.2"),
		},
	}
	for _, local := range []string{"10.0.0.1", "10.0.0.9"} {
		link.IPv4.Local = netip.MustParseAddr(local)
		if err := s.Configure(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		wantRoute(t, p.A, "198.51.100.1", "dev up src "+local)
		wantRoute(t, p.A, "203.0.113.1", "via 192.0.2.77 dev eth0")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRoute(t, p.A, "198.51.100.1", "via 192.0.2.77 dev eth0")
	if out := ns.Run("ip", "route", "show", "proto", "76"); out != "" {
		t.Errorf("routes of ours are left: %s", out)
	}
}

// kernelSession opens a tunnel and a session whose peer need not exist.
func kernelSession(t *testing.T, s *dataplanetest.Side, peer netip.AddrPort) dataplane.Session {
	t.Helper()
	tun, err := s.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 1, Peer: peer})
	if err != nil {
		t.Fatal(err)
	}
	if err := tun.Attach(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	session, err := tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 3, PeerSession: 4})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func wantRoute(t *testing.T, s *dataplanetest.Side, to, want string) {
	t.Helper()
	if out := s.NetNS().Run("ip", "route", "get", to); !strings.Contains(out, want) {
		t.Errorf("the route to %s is %q, want %q", to, out, want)
	}
}

// TestKernelReattach attaches a tunnel again, for which it needs another socket.
func TestKernelReattach(t *testing.T) {
	lab.RequireKernel(t)
	h := dataplanetest.NewRecorder()
	p := dataplanetest.Hosts(newKernel, true)(t, h, h)
	defer func() { errors.Join(p.A.Close(), p.B.Close()) }()
	tun, err := p.A.OpenTunnel(t.Context(), dataplane.TunnelSpec{
		ID: 1, Peer: netip.AddrPortFrom(p.B.Host, 1701),
	})
	if err != nil {
		t.Fatal(err)
	}
	local := tun.Local()
	for range 3 {
		if err := tun.Attach(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		_, err := tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 3, PeerSession: 4})
		if err != nil {
			t.Fatal(err)
		}
		if err := tun.Detach(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tun.Local() != local {
			t.Errorf("the tunnel's address is %v, was %v", tun.Local(), local)
		}
	}
}

// TestKernelUnnumbered looks at how the host is left by links without an address of
// their own: it has their address once, chooses it for packets to their peers, and
// loses it with the last of them. An address of the operator's stays.
func TestKernelUnnumbered(t *testing.T) {
	lab.RequireKernel(t)
	h := dataplanetest.NewRecorder()
	p := dataplanetest.Hosts(newKernel, true)(t, h, h)
	defer func() { errors.Join(p.A.Close(), p.B.Close()) }()
	ns := p.A.NetNS()
	ns.Run("ip", "addr", "add", "10.0.0.9/32", "dev", "lo")
	s := kernelSession(t, p.A, netip.AddrPortFrom(p.B.Host, 1701))
	link := dataplane.LinkSpec{
		Name: "up", MTU: 1400, MRU: 1400, Unnumbered: true,
		Routes: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")},
	}
	for _, local := range []string{"10.0.0.1", "10.0.0.9", "10.0.0.1"} {
		link.IPv4 = dataplane.PointToPoint{
			Local: netip.MustParseAddr(local), Peer: netip.MustParseAddr("10.0.0.2"),
		}
		if err := s.Configure(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		wantRoute(t, p.A, "10.0.0.2", "dev up src "+local)
		wantRoute(t, p.A, "10.20.0.1", "dev up src "+local)
		want := ""
		if local == "10.0.0.1" {
			want = "inet 10.0.0.1/32 scope global lo:l2tp"
		}
		if out := ns.Run("ip", "addr", "show", "label", "lo:l2tp"); !strings.Contains(out, want) ||
			want == "" && out != "" {
			t.Errorf("with %s the host has %q, want %q", local, out, want)
		}
		if out := ns.Run("ip", "-4", "addr", "show", "dev", "up"); out != "" {
			t.Errorf("the interface has an address: %s", out)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := ns.Run("ip", "-4", "addr", "show", "dev", "lo")
	if strings.Contains(out, "10.0.0.1/") || !strings.Contains(out, "10.0.0.9/32") {
		t.Errorf("after the session the host has %s, want its own address and no other", out)
	}
}

// TestKernelLeftAddress starts where a process was killed: what it has left goes, unless
// there are tunnels that may need it.
func TestKernelLeftAddress(t *testing.T) {
	lab.RequireKernel(t)
	h := dataplanetest.NewRecorder()
	p := dataplanetest.Hosts(newKernel, true)(t, h, h)
	defer func() { errors.Join(p.A.Close(), p.B.Close()) }()
	ns := p.A.NetNS()
	restart := func(want bool) {
		t.Helper()
		ns.Run("ip", "addr", "replace", "10.0.0.1/32", "dev", "lo", "label", "lo:l2tp")
		err := ns.Do(func() error {
			another, err := newKernel(h)
			if err != nil {
				return err
			}
			_, err = another.DropRest(t.Context())
			return errors.Join(err, another.Close())
		})
		if err != nil {
			t.Fatal(err)
		}
		if out := ns.Run("ip", "addr", "show", "dev", "lo"); strings.Contains(out, "10.0.0.1/32") != want {
			t.Errorf("the address of another process is there: %v, want %v", !want, want)
		}
	}
	restart(false)
	s := kernelSession(t, p.A, netip.AddrPortFrom(p.B.Host, 1701))
	restart(true)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
