package dataplane_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/internal/keeper"
	"culvert/l2tp"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// A kept is a kernel data plane that a keeper's process keeps things for.
type kept struct {
	path    string
	handler dataplane.Handler
	client  *keeper.Client
	Process *lab.Daemon
}

func newKept(t testing.TB, h dataplane.Handler) *kept {
	t.Helper()
	k := &kept{path: filepath.Join(t.TempDir(), "keeper.sock"), handler: h}
	k.start(t)
	return k
}

// start starts the keeper's process.
func (k *kept) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(daemon.Program(t, "culvert-keeper"), "--socket", k.path)
	k.Process = lab.StartDaemon(t, cmd, "culvert-keeper")
	k.Process.WaitOutput(limit, "serving")
}

// open opens the data plane with what the keeper has.
func (k *kept) open() (dataplane.Dataplane, error) {
	client, fds, err := keeper.Dial(k.path)
	if err != nil {
		return nil, err
	}
	k.client = client
	return dataplane.NewKernel(k.handler, dataplane.KernelOptions{Keeper: client, Kept: fds})
}

// keptHosts opens a pair whose side A can begin again.
func keptHosts(t *testing.T, a, b dataplane.Handler) *dataplanetest.Pair {
	t.Helper()
	k := newKept(t, a)
	first := true
	p := dataplanetest.Hosts(func(h dataplane.Handler) (dataplane.Dataplane, error) {
		if first { // A's
			first = false
			return k.open()
		}
		return newKernel(h)
	}, true)(t, a, b)
	p.Restart = func(t testing.TB, s *dataplanetest.Side) (begin func()) {
		t.Helper()
		if err := s.Abandon(); err != nil {
			t.Fatal(err)
		}
		if err := k.client.Close(); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := s.Reopen(k.open); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { k.client.Close() })
	return p
}

// openKept opens a pair whose side A can begin again, for a test other than the contract,
// which ends it.
func openKept(t *testing.T) (p *dataplanetest.Pair, k *kept) {
	t.Helper()
	a, b := dataplanetest.NewRecorder(), dataplanetest.NewRecorder()
	k = newKept(t, a)
	p = dataplanetest.Hosts(newKernel, true)(t, a, b)
	p.A.Said, p.B.Said = a, b
	if err := errors.Join(p.A.Close(), p.A.Reopen(k.open)); err != nil {
		t.Fatal(err)
	}
	return p, k
}

// end closes the pair, which must leave nothing.
func (k *kept) end(t *testing.T, p *dataplanetest.Pair) {
	t.Helper()
	if err := errors.Join(p.A.Close(), p.B.Close(), k.client.Close()); err != nil {
		t.Error(err)
	}
	p.A.NetNS().Run("ip", "route", "flush", "exact", "default")
	p.Left(t)
}

// abandon ends side A's data plane.
func (k *kept) abandon(t *testing.T, s *dataplanetest.Side) {
	t.Helper()
	if err := errors.Join(s.Abandon(), k.client.Close()); err != nil {
		t.Fatal(err)
	}
}

// demanding is a link with all that outlives an interface.
var demanding = dataplane.LinkSpec{
	Name: "up", MTU: 1400, MRU: 1400, DefaultRoute: true, ProxyARP: true,
	IPv4: dataplane.PointToPoint{
		Local: netip.MustParseAddr("10.0.0.1"), Peer: netip.MustParseAddr("192.0.2.50"),
	},
}

var farPeer = netip.MustParseAddrPort("203.0.113.1:1701")

// openDemanding opens a session with that link, in a tunnel to a peer that the default route leads to.
func openDemanding(t *testing.T, s *dataplanetest.Side) dataplane.TunnelSpec {
	t.Helper()
	s.NetNS().Run("ip", "route", "add", "default", "via", "192.0.2.77")
	s.NetNS().Run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/forwarding")
	tun, err := s.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 1, Peer: farPeer})
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
	if err := session.Configure(t.Context(), demanding); err != nil {
		t.Fatal(err)
	}
	wantOurs(t, s, true)
	return dataplane.TunnelSpec{ID: 1, Local: tun.Local(), Peer: tun.Peer()}
}

// wantOurs wants the pinned route and the proxy to be there or not.
func wantOurs(t *testing.T, s *dataplanetest.Side, there bool) {
	t.Helper()
	routes := s.NetNS().Run("ip", "route", "show", "proto", "76")
	proxies := s.NetNS().Run("ip", "neigh", "show", "proxy")
	if strings.Contains(routes, "203.0.113.1 via 192.0.2.77") != there ||
		strings.Contains(proxies, "192.0.2.50") != there {
		t.Errorf("routes of ours %q and proxies %q, want them: %v", routes, proxies, there)
	}
}

// TestKernelAdoptRoutes adopts a session with a pinned route and a proxy: they stay for
// as long as it does.
func TestKernelAdoptRoutes(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	spec := openDemanding(t, p.A)
	k.abandon(t, p.A)
	wantOurs(t, p.A, true)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	tun, err := p.A.AdoptTunnel(t.Context(), spec, 2)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tun.AdoptSession(t.Context(), dataplane.SessionSpec{Session: 3, PeerSession: 4},
		dataplane.Configured{Link: &demanding})
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := p.A.DropRest(t.Context()); err != nil || len(keys) > 0 {
		t.Errorf("dropped %q, %v", keys, err)
	}
	wantOurs(t, p.A, true)
	wantRoute(t, p.A, "198.51.100.1", "dev up")
	if err := s.Configure(t.Context(), demanding); err != nil {
		t.Fatal(err)
	}
	wantOurs(t, p.A, true)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOurs(t, p.A, false)
}

// TestKernelSweep begins after a session's process and its keeper have both died, and
// after a session was not adopted: what it left behind is removed.
func TestKernelSweep(t *testing.T) {
	lab.RequireKernel(t)
	for name, dies := range map[string]bool{"both die": true, "not adopted": false} {
		t.Run(name, func(t *testing.T) {
			p, k := openKept(t)
			defer k.end(t, p)
			openDemanding(t, p.A)
			k.abandon(t, p.A)
			if dies {
				k.Process.Kill()
				k.start(t)
			}
			if err := p.A.Reopen(k.open); err != nil {
				t.Fatal(err)
			}
			wantOurs(t, p.A, true)
			if _, err := p.A.DropRest(t.Context()); err != nil {
				t.Error(err)
			}
			wantOurs(t, p.A, false)
		})
	}
}

// openUnnumbered opens a tunnel with two sessions that share an address, which their
// interfaces do not have.
func openUnnumbered(t *testing.T, p *dataplanetest.Pair) dataplane.TunnelSpec {
	t.Helper()
	s := p.A
	tun, err := s.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 1, Peer: addressOf(p.B)})
	if err != nil {
		t.Fatal(err)
	}
	if err := tun.Attach(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		session, err := tun.AddSession(t.Context(), manySpec(i))
		if err == nil {
			err = session.Configure(t.Context(), unnumbered(i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	wantLocal(t, s, 2)
	return dataplane.TunnelSpec{ID: 1, Local: tun.Local(), Peer: tun.Peer()}
}

func unnumbered(i int) dataplane.LinkSpec {
	link := *manyLink(i).Link
	link.Unnumbered = true
	return link
}

// wantLocal wants the host to have the address that sessions share as long as there are
// some, and a route to each one's peer.
func wantLocal(t *testing.T, s *dataplanetest.Side, sessions int) {
	t.Helper()
	out := s.NetNS().Run("ip", "addr", "show", "label", "lo:l2tp")
	if there := strings.Contains(out, "inet 10.0.0.1/32"); there != (sessions > 0) {
		t.Errorf("for %d sessions the host has %q", sessions, out)
	}
	routes := s.NetNS().Run("ip", "route", "show", "root", "10.1.0.0/24")
	if n := strings.Count(routes, "src 10.0.0.1"); n != sessions {
		t.Errorf("%d routes with the address, want %d:\n%s", n, sessions, routes)
	}
}

// TestKernelAdoptUnnumbered has a process killed whose sessions share an address: the host
// keeps it, and the routes from it, until the last session that was adopted has gone.
func TestKernelAdoptUnnumbered(t *testing.T) {
	lab.RequireKernel(t)
	for name, adopted := range map[string]int{"none": 0, "one": 1, "both": 2} {
		for _, unsure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, unsure %v", name, unsure), func(t *testing.T) {
				testAdoptUnnumbered(t, adopted, unsure)
			})
		}
	}
}

func testAdoptUnnumbered(t *testing.T, adopted int, unsure bool) {
	p, k := openKept(t)
	defer k.end(t, p)
	spec := openUnnumbered(t, p)
	k.abandon(t, p.A)
	wantLocal(t, p.A, 2)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	wantLocal(t, p.A, 2)
	tun, err := p.A.AdoptTunnel(t.Context(), spec, 2)
	if err != nil {
		t.Fatal(err)
	}
	var sessions []dataplane.Session
	for i := range adopted {
		last := dataplane.Configured{Link: new(unnumbered(i)), Unsure: unsure}
		s, err := tun.AdoptSession(t.Context(), manySpec(i), last)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	if _, err := p.A.DropRest(t.Context()); err != nil {
		t.Error(err)
	}
	wantLocal(t, p.A, adopted)
	for i, s := range sessions {
		if err := s.Configure(t.Context(), unnumbered(i)); err != nil {
			t.Error(err)
		}
	}
	wantLocal(t, p.A, adopted)
	for i, s := range sessions {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		wantLocal(t, p.A, adopted-1-i)
	}
}

// TestKernelUnnumberedRenumbered adopts a session whose process was killed while it gave
// it another address: the host has the new one, and not the old one.
func TestKernelUnnumberedRenumbered(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	spec := openUnnumbered(t, p)
	k.abandon(t, p.A)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	tun, err := p.A.AdoptTunnel(t.Context(), spec, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		next := unnumbered(i)
		next.IPv4.Local = netip.MustParseAddr("10.0.0.7")
		s, err := tun.AdoptSession(t.Context(), manySpec(i), dataplane.Configured{Link: &next, Unsure: true})
		if err == nil {
			err = s.Configure(t.Context(), next)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.A.DropRest(t.Context()); err != nil {
		t.Error(err)
	}
	wantLocal(t, p.A, 0)
	for i := range 2 {
		wantRoute(t, p.A, unnumbered(i).IPv4.Peer.String(), fmt.Sprintf("dev many%d src 10.0.0.7", i))
	}
}

// TestKernelSweepUnnumbered begins after a process and its keeper have both died: the
// address that its sessions shared goes.
func TestKernelSweepUnnumbered(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	openUnnumbered(t, p)
	k.abandon(t, p.A)
	k.Process.Kill()
	k.start(t)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	if _, err := p.A.DropRest(t.Context()); err != nil {
		t.Error(err)
	}
	wantLocal(t, p.A, 0)
}

// TestKernelOrphan ends a process that had just made a session, without a channel yet:
// nothing of it is kept, but it lives on in its tunnel. A session of another program is
// adopted, though nothing of it is kept either.
func TestKernelOrphan(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	tun, err := p.A.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 1, Peer: addressOf(p.B)})
	if err != nil {
		t.Fatal(err)
	}
	spec := dataplane.TunnelSpec{ID: 1, Local: tun.Local(), Peer: tun.Peer()}
	if err := tun.Attach(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	raw := dataplane.SessionSpec{Session: 3, PeerSession: 4, Raw: true}
	orphan := dataplane.SessionSpec{Session: 5, PeerSession: 6, Raw: true} // without a channel, too
	for _, s := range []dataplane.SessionSpec{raw, orphan} {
		if _, err := tun.AddSession(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	k.abandon(t, p.A)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	if tun, err = p.A.AdoptTunnel(t.Context(), spec, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := tun.AdoptSession(t.Context(), raw, dataplane.Configured{}); err != nil {
		t.Fatal(err)
	}
	if keys, err := p.A.DropRest(t.Context()); err != nil || !slices.Equal(keys, []string{"session/1/5"}) {
		t.Errorf("dropped %q, %v, want session/1/5", keys, err)
	}
	if n := strings.Count(p.A.NetNS().Run("ip", "l2tp", "show", "session"), "Session "); n != 1 {
		t.Errorf("the kernel has %d sessions, want 1", n)
	}
}

// addressOf is where a tunnel to the side may lead.
func addressOf(s *dataplanetest.Side) netip.AddrPort { return netip.AddrPortFrom(s.Host, 1701) }

// TestKernelKeeperDies has a keeper die and another one come while the data plane runs:
// that one has everything, and what ended meanwhile not.
func TestKernelKeeperDies(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	changes := make(chan error, 10)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	client := k.client
	running.Go(func() {
		client.Run(ctx, func(lost error) {
			if lost == nil {
				p.A.HandOver()
			}
			changes <- lost
		})
	})
	if _, err := p.A.Listen(netip.MustParseAddrPort("0.0.0.0:1701")); err != nil {
		t.Fatal(err)
	}
	spec := openDemanding(t, p.A)
	k.Process.Kill()
	if lost := <-changes; lost == nil {
		t.Fatal("nobody notices")
	}
	tun, err := p.A.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 2, Peer: addressOf(p.B)})
	if err != nil {
		t.Fatal(err)
	}
	second := dataplane.TunnelSpec{ID: 2, Local: tun.Local(), Peer: tun.Peer()}
	k.start(t)
	if lost := <-changes; lost != nil {
		t.Fatal(lost)
	}
	cancel()
	running.Wait()
	k.abandon(t, p.A)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	if _, err := p.A.AdoptTunnel(t.Context(), second, 0); err != nil {
		t.Error(err)
	}
	if tun, err = p.A.AdoptTunnel(t.Context(), spec, 2); err != nil {
		t.Fatal(err)
	}
	_, err = tun.AdoptSession(t.Context(), dataplane.SessionSpec{Session: 3, PeerSession: 4},
		dataplane.Configured{Link: &demanding})
	if err != nil {
		t.Error(err)
	}
	keys, err := p.A.DropRest(t.Context())
	if err != nil || !slices.Equal(keys, []string{"listener/0.0.0.0:1701"}) {
		t.Errorf("dropped %q, %v, want the listener", keys, err)
	}
}

// TestKernelFailedStart: a process that cannot begin, here for want of descriptors, leaves
// what is kept to the next one.
func TestKernelFailedStart(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	spec := openDemanding(t, p.A)
	k.abandon(t, p.A)
	err := p.A.Reopen(func() (dataplane.Dataplane, error) {
		client, fds, err := keeper.Dial(k.path)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		defer leaveDescriptors(t, 100)() // enough for all but so many pollers
		return dataplane.NewKernel(k.handler, dataplane.KernelOptions{Keeper: client, Kept: fds, Pollers: 200})
	})
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("begun: %v, want %v", err, syscall.EMFILE)
	}
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	tun, err := p.A.AdoptTunnel(t.Context(), spec, 2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tun.AdoptSession(t.Context(), dataplane.SessionSpec{Session: 3, PeerSession: 4},
		dataplane.Configured{Link: &demanding})
	if err != nil {
		t.Error(err)
	}
}

// leaveDescriptors lets the process open no more than n descriptors until free is called.
func leaveDescriptors(t *testing.T, n int) (free func()) {
	t.Helper()
	next, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(next)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = uint64(next + n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
}

// TestKernelAdoptMany adopts hundreds of sessions, and says how long that takes.
func TestKernelAdoptMany(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	const n = 200
	spec := openMany(t, p, n)
	began := time.Now()
	k.abandon(t, p.A)
	abandoned := time.Since(began)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	opened := time.Since(began) - abandoned
	tun, err := p.A.AdoptTunnel(t.Context(), spec, 2)
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	for i := range n {
		if _, err := tun.AdoptSession(t.Context(), manySpec(i), manyLink(i)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d sessions: %v to abandon, %v to begin again, %v to adopt", n, abandoned, opened, time.Since(began))
	if keys, err := p.A.DropRest(t.Context()); err != nil || len(keys) > 0 {
		t.Errorf("dropped %q, %v", keys, err)
	}
	inv, err := p.A.Inventory(t.Context())
	if err != nil || len(inv.Sessions) != n || len(inv.Interfaces) != n {
		t.Errorf("%d sessions and %d interfaces, %v", len(inv.Sessions), len(inv.Interfaces), err)
	}
	if lines := strings.Count(p.A.NetNS().Run("ip", "-oneline", "link"), " many"); lines != n {
		t.Errorf("%d interfaces in the kernel, want %d", lines, n)
	}
}

// openMany opens a tunnel with n sessions.
func openMany(t *testing.T, p *dataplanetest.Pair, n int) dataplane.TunnelSpec {
	t.Helper()
	tun, err := p.A.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: 1, Peer: addressOf(p.B)})
	if err != nil {
		t.Fatal(err)
	}
	if err := tun.Attach(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			s, err := tun.AddSession(t.Context(), manySpec(i))
			if err == nil {
				err = s.Configure(t.Context(), *manyLink(i).Link)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return dataplane.TunnelSpec{ID: 1, Local: tun.Local(), Peer: tun.Peer()}
}

// TestKernelDropMany takes over none of hundreds of sessions: their interfaces go many at a
// time, by commands for a group, and not each with its descriptor.
func TestKernelDropMany(t *testing.T) {
	lab.RequireKernel(t)
	p, k := openKept(t)
	defer k.end(t, p)
	const n = 200
	openMany(t, p, n)
	k.abandon(t, p.A)
	if err := p.A.Reopen(k.open); err != nil {
		t.Fatal(err)
	}
	monitor := p.A.NetNS().StartDaemon(t, "ip", "monitor", "link")
	lab.Wait(t, limit, "the monitor", func() error {
		p.A.NetNS().Run("ip", "link", "add", "hello", "type", "veth", "peer", "name", "again")
		p.A.NetNS().Run("ip", "link", "del", "hello")
		if !strings.Contains(monitor.Output(), "hello") {
			return errors.New("it has seen nothing")
		}
		return nil
	})
	began := time.Now()
	keys, err := p.A.DropRest(t.Context())
	t.Logf("%v to drop %d keys", time.Since(began), len(keys))
	if err != nil || len(keys) != 2*n+1 {
		t.Errorf("dropped %d keys, %v, want %d", len(keys), err, 2*n+1)
	}
	for i := range n {
		monitor.WaitOutput(limit, fmt.Sprintf("Deleted [0-9]+: many%d: .* group 1278366800 ", i))
	}
}

func manySpec(i int) dataplane.SessionSpec {
	return dataplane.SessionSpec{Session: l2tp.SessionID(i + 1), PeerSession: l2tp.SessionID(i + 1)}
}

func manyLink(i int) dataplane.Configured {
	return dataplane.Configured{Link: &dataplane.LinkSpec{
		Name: fmt.Sprint("many", i), MTU: 1400, MRU: 1400,
		IPv4: dataplane.PointToPoint{
			Local: netip.MustParseAddr("10.0.0.1"), Peer: netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}),
		},
	}}
}
