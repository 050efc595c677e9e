package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"culvert/kernel"
	"culvert/test/daemon"
	"culvert/test/lab"
	"culvert/test/peers"
)

// password is everybody's. Each session has a user of its own: l2tpns ends a session
// when its user comes again.
const password = "wonderland"

var (
	lnsAddr = netip.MustParseAddr("192.0.2.1")
	// inner is the LNS's address in sessions, behind one of its own, to which packets go:
	// l2tpns does not answer at the former.
	inner  = netip.MustParseAddr("10.16.0.1")
	behind = netip.MustParseAddr("10.200.0.1")
)

// A subject is an LNS that is measured.
type subject struct {
	name  string
	most  int // sessions that it is asked for at most; what is slower is not given hours
	wide  int // calls in set-up at once
	start func(t testing.TB, ns *lab.NetNS, users int) lns
}

// An lns is a subject that runs.
type lns interface {
	// processes are those whose memory counts.
	processes() []int
	// sessions is how many it still has anything of, or -1 if that cannot be told.
	sessions() int
	// aside is how many bytes there are for it outside its processes.
	aside() float64
	// settle returns when it has had the time to give back what so many sessions have left
	// that have come or gone since the last time.
	settle(moved int)
	stop()
}

// lnss are the LNSs, the slowest first.
var lnss = []subject{
	{XL2TPD, 200, 32, startXL2TPD},
	{L2TPNS, 5000, 64, startL2TPNS},
	{TUNPlane, 1 << 20, 128, startCulvert("tun", false)},
	{Forgetful, large, 128, startCulvert("kernel", false)},
	{KernelPlane, 1 << 20, 128, startCulvert("kernel", true)},
}

// ours is culvertd as it is installed.
var ours = lnss[len(lnss)-1:]

// A culvert is culvertd. If its sessions survive it, it has a culvert-keeper.
type culvert struct {
	*daemon.Daemon

	t        testing.TB
	survives bool
	returned *float64 // how often it had given memory back when it last settled
}

func startCulvert(plane string, survives bool) func(t testing.TB, ns *lab.NetNS, users int) lns {
	return func(t testing.TB, ns *lab.NetNS, users int) lns {
		t.Helper()
		if plane == "kernel" {
			lab.RequireKernel(t)
		}
		t.Setenv("TMPDIR", "/dev/shm") // where the state of sessions belongs: on a tmpfs
		d := daemon.Start(t, ns, daemon.Options{
			Dataplane: plane, Config: culvertConfig(users), Survives: survives,
		})
		return culvert{d, t, survives, new(float64)}
	}
}

func culvertConfig(users int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `
pool create pool_name=all addresses=10.16.0.0/12 reserved=%[1]v
ppp profile modify profile_name=default local_ipaddr=%[1]v ip_pool_name=all ipv6=no
ppp profile modify profile_name=default auth_chap=yes auth_pap=no auth_mschapv1=no auth_mschapv2=no auth_eap=no
tunnel profile modify profile_name=default rx_window_size=64 tx_window_size=64
`, inner)
	for i := range users {
		fmt.Fprintf(&text, "user create user_name=user%d user_password=%s\n", i+1, password)
	}
	return text.String()
}

func (c culvert) processes() []int { return []int{c.PID()} }
func (c culvert) sessions() int    { return int(c.System().GetSessions()) }
func (c culvert) stop()            { _ = c.Stop() } // the test's end tells if it does not end

// aside is the keeper, and what is written down for the next process.
func (c culvert) aside() float64 {
	if !c.survives {
		return 0
	}
	return residentBytes([]int{c.Keeper().Cmd.Process.Pid}) + lab.DirBytes(c.t, filepath.Dir(c.File))
}

// burst is after how many sessions that came or went culvertd gives memory back.
const burst = 1000

func (c culvert) settle(moved int) {
	if moved < burst {
		time.Sleep(settleTime)
		return
	}
	lab.Wait(c.t, time.Minute, "memory to be given back", func() error {
		n := c.Metrics()["go_gc_cycles_forced_gc_cycles_total"]
		if n <= *c.returned {
			return fmt.Errorf("it was given back %.0f times", n)
		}
		*c.returned = n
		return nil
	})
	// That has begun, and takes the system some time.
	settled(func() float64 { return residentBytes(c.processes()) })
}

// An xl2tpd is xl2tpd with a pppd for each session.
type xl2tpd struct {
	*peers.XL2TPD

	t  testing.TB
	ns *lab.NetNS
}

func startXL2TPD(t testing.TB, ns *lab.NetNS, _ int) lns {
	t.Helper()
	lab.RequireKernel(t)
	return xl2tpd{peers.StartXL2TPD(t, ns, peers.XL2TPDConfig{
		Auth: peers.CHAP, User: peers.User{Name: "*", Password: password}, Local: inner, Pool: "10.16.1.1-10.16.9.250", Quiet: true,
		Options: []string{"noipv6", "novj", "mtu 1400", "mru 1400", "ipcp-max-configure 30", "lcp-max-configure 30"},
	}), t, ns}
}

func (x xl2tpd) processes() []int { return family(x.t, x.PID()) }

// sessions counts those of the kernel.
func (x xl2tpd) sessions() (n int) {
	x.t.Helper()
	err := x.ns.Do(func() error {
		k, err := kernel.Open()
		if err != nil {
			return err
		}
		defer k.Close()
		all, err := k.Sessions(x.t.Context())
		n = len(all)
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return n
}

func (x xl2tpd) aside() float64 { return 0 }
func (x xl2tpd) settle(int)     { time.Sleep(settleTime) }
func (x xl2tpd) stop()          { x.XL2TPD.Stop() }

// An l2tpns is l2tpns, which asks FreeRADIUS.
type l2tpns struct{ *peers.L2TPNS }

// anyAddress is how RADIUS says that the LNS is to choose one (RFC 2865, 5.8).
var anyAddress = netip.MustParseAddr("255.255.255.254")

func startL2TPNS(t testing.TB, ns *lab.NetNS, _ int) lns {
	t.Helper()
	peers.StartFreeRADIUS(t, ns, peers.RADIUSUser{
		User: peers.User{Name: "DEFAULT", Password: password}, Addr: anyAddress,
	})
	l := peers.StartL2TPNS(t, ns, peers.L2TPNSConfig{
		Bind: lnsAddr, Local: netip.MustParseAddr("10.8.0.1"), Pool: netip.MustParsePrefix("10.16.0.0/16"),
		Auth: peers.CHAP, Quiet: true,
	})
	return l2tpns{l}
}

func (l l2tpns) processes() []int { return []int{l.PID()} }
func (l l2tpns) sessions() int    { return -1 }
func (l l2tpns) aside() float64   { return 0 }
func (l l2tpns) settle(int)       { time.Sleep(settleTime) }
func (l l2tpns) stop()            { l.HangUp() }

// newHosts returns two namespaces joined by their eth0, and has packets end behind the LNS.
func newHosts(t testing.TB) (lns, lac *lab.NetNS) {
	t.Helper()
	lns, lac = lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "lac")
	lab.Veth(t, lns, "eth0", []string{lnsAddr.String() + "/24"}, lac, "eth0", []string{"192.0.2.2/24"})
	lns.Run("ip", "address", "add", behind.String(), "dev", "lo")
	return lns, lac
}

// waitGone waits until an LNS has nothing of any session, and returns how long after
// begin. Where that cannot be told it returns 0.
func waitGone(t testing.TB, l lns, begin time.Time, limit time.Duration) float64 {
	t.Helper()
	if l.sessions() < 0 {
		return 0
	}
	lab.Wait(t, limit, "all sessions to be gone", func() error {
		if n := l.sessions(); n > 0 {
			return fmt.Errorf("%d are left", n)
		}
		return nil
	})
	return time.Since(begin).Seconds()
}
