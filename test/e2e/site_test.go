package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"culvert/test/daemon"
	"culvert/test/lab"
)

// goneLimit is how long ended sessions and tunnels may stay.
const goneLimit = 60 * time.Second

// upLimit is how long set-up may take. The machine may be emulated.
const upLimit = 60 * time.Second

// The outer addresses of the two hosts.
var (
	lnsAddr = netip.MustParseAddr("192.0.2.1")

	lnsAddr6 = netip.MustParseAddr("2001:db8::1")
)

// newHosts returns two namespaces joined by their eth0.
func newHosts(t testing.TB) (lns, lac *lab.NetNS) {
	t.Helper()
	lns, lac = lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "lac")
	lab.Veth(t, lns, "eth0", []string{"192.0.2.1/24", "2001:db8::1/64"},
		lac, "eth0", []string{"192.0.2.2/24", "2001:db8::2/64"})
	return lns, lac
}

// A site is a culvertd in its namespace, and what was there before any tunnel.
type site struct {
	*daemon.Daemon

	t            testing.TB
	before       lab.State
	sockets, ppp int
}

// newSite starts culvertd in the namespace.
func newSite(t testing.TB, ns *lab.NetNS, dataplane, config string, args ...string) *site {
	t.Helper()
	t.Cleanup(func() { explain(t, ns) })
	s := &site{t: t}
	s.Daemon = daemon.Start(t, ns, daemon.Options{Config: config, Dataplane: dataplane, Args: args})
	s.before = ns.State()
	s.sockets, s.ppp = lab.KernelFiles(t, s.PID())
	return s
}

// explain shows the state of a namespace in which a test failed.
func explain(t testing.TB, ns *lab.NetNS) {
	if !t.Failed() {
		return
	}
	for _, command := range []string{
		"ip addr", "ip -4 route", "ip -6 route", "ip rule", "ip l2tp show tunnel",
		"ip l2tp show session", "dmesg | tail -n 15",
	} {
		// The test's own context has ended.
		out, _ := ns.Command(context.Background(), "sh", "-c", command).CombinedOutput()
		t.Logf("%s: %s\n%s", ns.Name, command, out)
	}
}

// checkGone waits until the daemon has no session and no tunnel, and fails the
// test unless the kernel then has nothing more than before: no tunnel,
// session, interface, address, route or descriptor.
//
// Each tunnel's socket may still be there: a closed tunnel acknowledges for as
// long as the peer may repeat itself (RFC 2661, 5.7), 31 seconds.
func (s *site) checkGone() {
	s.t.Helper()
	s.WaitGone(goneLimit)
	s.NS.CheckLeaks(s.t, s.idle())
	s.checkFiles(int(s.System().GetTunnelsCreated()))
}

// idle is what the namespace holds while the daemon runs and nothing is up: what
// was there before, and the TUN device, which is the daemon's own.
func (s *site) idle() lab.State {
	idle := maps.Clone(s.before)
	if s.System().GetDataplane() == "tun" {
		idle["interface"] = append(slices.Clone(idle["interface"]), "culvert0")
	}
	return idle
}

// checkFiles waits until the daemon has no descriptors more than before, but
// for some sockets.
func (s *site) checkFiles(lingering int) {
	s.t.Helper()
	lab.Wait(s.t, goneLimit, "descriptors to be closed", func() error {
		// A connection of l2tpconfig may just be closing.
		sockets, ppp := lab.KernelFiles(s.t, s.PID())
		if sockets > s.sockets+lingering || ppp > s.ppp {
			return fmt.Errorf("%d sockets and %d of /dev/ppp, before %d and %d",
				sockets, ppp, s.sockets, s.ppp)
		}
		return nil
	})
}

// stop ends the daemon by SIGTERM. It must exit with 0 and leave nothing behind.
func (s *site) stop(before lab.State) {
	s.t.Helper()
	if err := s.Stop(); err != nil {
		s.t.Errorf("stopping culvertd: %v", err)
	}
	if err := s.Wait(time.Second); err != nil {
		s.t.Errorf("culvertd ended with: %v", err)
	}
	s.NS.CheckLeaks(s.t, before)
	if _, err := os.Stat(s.Socket); err == nil {
		s.t.Errorf("%s is left", s.Socket)
	}
}

// deleteTunnels ends all tunnels by command. One that is ending already may be
// gone by then.
func (s *site) deleteTunnels() {
	s.t.Helper()
	for _, tunnel := range s.Tunnels() {
		id := fmt.Sprintf("tunnel_id=%d", tunnel.GetTunnelId())
		_, stderr, err := s.TryConfig("tunnel", "delete", id)
		if err != nil && !strings.Contains(stderr, "no such tunnel") {
			s.t.Errorf("tunnel delete %s: %s", id, stderr)
		}
	}
}

// newClock returns a function that logs when a test has come to a step: the
// machine that runs the suite has little time.
func newClock(t testing.TB) (step func(string)) {
	start := time.Now()
	return func(what string) {
		t.Logf("%6.1fs %s", time.Since(start).Seconds(), what)
	}
}
