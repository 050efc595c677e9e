package overload

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"culvert/l2tp"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// atLNS is where peers and strangers send.
var atLNS = netip.MustParseAddrPort("192.0.2.1:1701")

// limit is how long to wait for what must come. The machine may be slow, and shared.
const limit = 3 * time.Minute

// Peers are asked often, and given up soon: what is not served in time is lost.
const lnsConfig = `
user create user_name=alice user_password=wonderland
pool create pool_name=home addresses=10.64.0.0/15 reserved=10.64.0.1
ppp profile modify profile_name=default local_ipaddr=10.64.0.1 ip_pool_name=home \
	lcp_echo_interval=3 lcp_echo_failure_count=3
tunnel profile modify profile_name=default secret=tea auth_mode=challenge hello_timeout=3 max_retries=3
`

// lacConfig is that of a LAC with tunnels, and so many sessions in each.
func lacConfig(addr string, tunnels, sessions int, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "system modify host_name=lac-%s\n", addr)
	b.WriteString("ppp profile modify profile_name=default lcp_echo_interval=3 lcp_echo_failure_count=3\n" +
		"tunnel profile modify profile_name=default secret=tea hello_timeout=3 " +
		"dest_ipaddr=192.0.2.1 src_ipaddr=" + addr + more + "\n")
	for i := range tunnels {
		fmt.Fprintf(&b, "tunnel create tunnel_name=t%d\n", i)
		for j := range sessions {
			fmt.Fprintf(&b, "session create tunnel_name=t%d session_name=s%d user_name=alice "+
				"user_password=wonderland\n", i, j)
		}
	}
	return b.String()
}

// A site is an LNS, and a namespace for those who call it.
type site struct {
	*daemon.Daemon
	t     *testing.T
	peers *lab.NetNS
}

func newSite(t *testing.T, plane string) *site {
	lab.RequireRoot(t)
	lns, peers := lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "peers")
	lab.Veth(t, lns, "eth0", []string{"192.0.2.1/24"},
		peers, "eth0", []string{"192.0.2.2/24", "192.0.2.3/24", "192.0.2.4/24"})
	for _, dev := range []string{"all", "eth0"} {
		lns.Run("sysctl", "-qw", "net.ipv4.conf."+dev+".rp_filter=0")
	}
	lns.Run("ip", "route", "add", "default", "via", "192.0.2.2") // answers to strangers go astray there
	return &site{t: t, peers: peers,
		Daemon: daemon.Start(t, lns, daemon.Options{Config: lnsConfig, Dataplane: plane})}
}

// lac starts a LAC at one of the peers' addresses, whose sessions carry nothing.
func (s *site) lac(addr string, tunnels, sessions int, more string) *daemon.Daemon {
	return s.lacOn("null", addr, tunnels, sessions, more)
}

// lacOn starts a LAC on a data plane. There can be one that has a device.
func (s *site) lacOn(plane, addr string, tunnels, sessions int, more string) *daemon.Daemon {
	return daemon.Start(s.t, s.peers, daemon.Options{
		Config: lacConfig(addr, tunnels, sessions, more), Dataplane: plane,
		Listen: []string{addr + ":1701"},
	})
}

// waitUp waits until a daemon has so many sessions, all of them up.
func (s *site) waitUp(d *daemon.Daemon, count int) {
	s.t.Helper()
	lab.Wait(s.t, limit, fmt.Sprintf("%d sessions to be up", count), func() error {
		if st := d.System(); int(st.SessionsUp) != count || int(st.Sessions) != count {
			return fmt.Errorf("%d of %d sessions are up", st.SessionsUp, st.Sessions)
		}
		return nil
	})
}

// wantUnharmed checks that a LAC's sessions came up once and are up.
func (s *site) wantUnharmed(lac *daemon.Daemon, count int) {
	s.t.Helper()
	st := lac.System()
	if got := st.Statistics; int(got.SessionsCreated) != count || int(st.SessionsUp) != count ||
		got.SessionsFailed+got.TunnelsLost+got.TunnelsFailed != 0 {
		s.t.Errorf("%d sessions are up, %d were begun, %d failed; %d tunnels lost; want %d, none lost",
			st.SessionsUp, got.SessionsCreated, got.SessionsFailed, got.TunnelsLost, count)
	}
}

// sccrq is what a stranger sends.
func sccrq() []byte {
	core := l2tp.Initiate(&l2tp.Config{HostName: "stranger"}, 4711)
	for _, a := range core.Step(time.Now(), l2tp.Open{}) {
		if send, ok := a.(l2tp.Send); ok {
			return send.Data
		}
	}
	return nil
}

// startFlows starts flows through some of a LAC's sessions, either way in turn. They are slow: what
// is to be seen is whether a packet is lost, not how many can be had.
func (s *site) startFlows(lac *daemon.Daemon, n int) (flows []*lab.Flow) {
	s.t.Helper()
	lns := netip.MustParseAddr("10.64.0.1")
	for i, session := range lac.Up(true)[:n] {
		client := netip.MustParseAddr(session.GetStatus().GetPpp().GetLocalIpv4())
		from, source, to, destination := s.peers, client, s.NS, lns
		if i%2 == 1 {
			from, source, to, destination = to, destination, from, source
		}
		flows = append(flows, lab.StartFlow(s.t, from, source, to, destination, 20*time.Millisecond))
	}
	return flows
}

// TestNativeFlood: while SCCRQs come from everywhere, up to 50,000 a second of them, 1,000 sessions
// do not notice and lose no packet, memory is bounded, and a LAC that nobody knows gets in.
func TestNativeFlood(t *testing.T) {
	lab.RequireTUN(t)
	s := newSite(t, "tun")
	lac := s.lacOn("tun", "192.0.2.2", 10, 100, " max_retries=3")
	s.waitUp(s.Daemon, 1000)
	s.waitUp(lac, 1000)
	flows := s.startFlows(lac, 8)
	before, _ := lab.Memory(t, s.PID())

	const rate, seconds = 50000, 15
	began := time.Now()
	flood := s.peers.Flood(t, atLNS, rate, rate*seconds, sccrq())
	lab.Wait(t, limit, "the flood to begin", func() error {
		if n := s.System().Statistics.TunnelRequestsPutOff; n < rate {
			return fmt.Errorf("%d SCCRQs were put off", n)
		}
		return nil
	})
	late := s.lac("192.0.2.3", 1, 1, " max_retries=5")
	s.waitUp(late, 1)
	inTime := flood.Sent()
	if inTime == rate*seconds {
		t.Error("the new LAC's session was up only after the flood")
	}
	<-flood.Done()
	took := time.Since(began)
	for _, f := range flows {
		t.Logf("%d packets, none lost", f.Stop())
	}

	st := s.System()
	now, most := lab.Memory(t, s.PID())
	t.Logf("%d SCCRQs in %v, %.0f a second; a new LAC's session was up after %d of them",
		flood.Sent(), took, float64(flood.Sent())/took.Seconds(), inTime)
	t.Logf("put off %d, over the rate %d, no answer %d, gave way %d, half open %d, dropped in mailboxes %d; "+
		"memory before %d KiB, after %d KiB, at most %d KiB", st.Statistics.TunnelRequestsPutOff,
		st.Statistics.TunnelRequestsOverRate, st.Statistics.TunnelRequestsUnanswered,
		st.Statistics.HalfOpenTunnelsEvicted, st.HalfOpenTunnels, st.RxDroppedPackets,
		before>>10, now>>10, most>>10)
	// Not how fast: that is the machine's. But they must have come to where there is something to overload.
	if n := st.Statistics.TunnelRequestsPutOff; n < rate*seconds/2 {
		t.Errorf("%d of %d SCCRQs came to the LNS, want half of them at least", n, flood.Sent())
	}
	if most-before > 64<<20 {
		t.Errorf("memory grew by %d KiB, want at most 64 MiB", (most-before)>>10)
	}
	s.wantUnharmed(lac, 1000)
	s.wantUnharmed(late, 1)
	if st.SessionsUp != 1001 || st.Statistics.SessionsFailed != 0 || st.RxDroppedPackets != 0 {
		t.Errorf("the LNS has %d sessions up, %d failed, and dropped %d packets; want 1001, 0, 0",
			st.SessionsUp, st.Statistics.SessionsFailed, st.RxDroppedPackets)
	}
	if n := st.Statistics.TunnelsCreated; n > 5000 {
		t.Errorf("%d tunnels were begun, want those of the first moment only", n)
	}
	lab.Wait(t, limit, "what strangers began to go", func() error {
		if n := s.System().HalfOpenTunnels; n != 0 {
			return fmt.Errorf("%d tunnels are half open", n)
		}
		return nil
	})
	s.wantUnharmed(lac, 1000)
	wantFewLines(t, s.Daemon)
}

// wantFewLines checks that a daemon has not logged of each stranger.
func wantFewLines(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	stopped := strings.Count(d.Output(), "tunnel stopped")
	if stopped > 1000 {
		t.Errorf("%d lines say that a tunnel stopped, want ten a second at most", stopped)
	}
	if !strings.Contains(d.Output(), "overload: peers ask for more than they can have") {
		t.Error("the log does not tell of the flood")
	}
}

// TestNativeStorm: a LAC with 5,000 sessions is killed and is back at once. All of its
// sessions come up again, those of another LAC do not notice, and in the end the LNS
// has no more than there are.
func TestNativeStorm(t *testing.T) {
	s := newSite(t, "null")
	other := s.lac("192.0.2.2", 4, 250, " max_retries=3")
	dying := s.lac("192.0.2.3", 10, 500, " persist=yes max_retries=3")
	s.waitUp(s.Daemon, 6000)
	if err := syscall.Kill(dying.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, limit, "the LAC to end", func() error {
		if dying.Ended() == nil {
			return errors.New("it runs")
		}
		return nil
	})
	began := time.Now()
	back := s.lac("192.0.2.3", 10, 500, " persist=yes max_retries=3")
	s.waitUp(back, 5000)
	t.Logf("5000 sessions are up again %v after their LAC was killed", time.Since(began))
	s.waitUp(s.Daemon, 6000)
	t.Logf("the old ones are gone after %v", time.Since(began))
	s.waitUp(back, 5000)
	s.wantUnharmed(other, 1000)
	up := other.System().Statistics
	t.Logf("the other LAC sent %d messages again", up.Retransmits)
}
