package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/test/daemon"
	"culvert/test/lab"
	"culvert/test/peers"
)

// survivalConfig keeps the control channel busy: a tunnel that was forgotten in a restart
// is lost within seconds.
const survivalConfig = "tunnel profile modify profile_name=default hello_timeout=3 max_retries=3\n" +
	"ppp profile modify profile_name=default lcp_echo_interval=5 lcp_echo_failure_count=3"

// controlLife is longer than HELLO and its retries take to find a dead control channel.
const controlLife = 30 * time.Second

// TestSurvival kills an LNS again and again, at random moments, while sessions come and go
// and traffic flows: what was established stays, and no packet is lost.
func TestSurvival(t *testing.T) {
	lab.RequireKernel(t)
	const tunnels, sessions, kills, flows = 4, 125, 20, 8
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	clean, lacClean := lnsNS.State(), lacNS.State()
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig))
	lac := newSite(t, lacNS, "kernel", join(survivalConfig, tunnelsConfig(lnsAddr, tunnels, sessions),
		"tunnel create tunnel_name=churn persist=yes our_udp_port=ephemeral dest_ipaddr="+lnsAddr.String()))
	lac.before, lac.sockets, lac.ppp = lacClean, lns.sockets, lns.ppp // it may have called already
	all := tunnels * sessions
	before := daemon.Indexed(lns.WaitUp(all, 5*time.Minute))
	lac.WaitUp(all, upLimit)
	began := time.Now()
	step(fmt.Sprintf("%d sessions up", all))

	running := startFlows(t, lns, lac, flows)
	counted := interfaceCounters(t, lnsNS)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range kills {
		lac.churn(i)
		time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond)))) // any moment will do
		lns.Kill()
		killed := time.Now()
		lns.Restart()
		t.Logf("kill %d: serving again after %v", i, time.Since(killed).Round(time.Millisecond))
		lns.wantAll(before)
	}
	step(fmt.Sprintf("%d kills", kills))

	if rest := controlLife - time.Since(began); rest > 0 {
		time.Sleep(rest) // for the control channel to be found dead, if it is
	}
	lns.wantAll(before)
	lac.wantTold(all)
	for _, f := range running {
		t.Logf("%d packets, none lost", f.Stop())
	}
	wantMonotonic(t, counted, interfaceCounters(t, lnsNS))
	step("control channel alive, packets counted")
	lac.deleteTunnels()
	waitNoInterfaces(t, lns, lac)
	lns.checkGone()
	lac.checkGone()
	lns.checkKeeper()
	lns.stop(clean)
	step("ended")
}

// newMortal starts a culvertd that may be killed.
func newMortal(t testing.TB, ns *lab.NetNS, config string) *site {
	t.Helper()
	t.Cleanup(func() { explain(t, ns) })
	s := &site{t: t}
	s.Daemon = daemon.Start(t, ns, daemon.Options{Config: config, Dataplane: "kernel", Survives: true})
	s.before = ns.State()
	s.sockets, s.ppp = lab.KernelFiles(t, s.PID())
	return s
}

// startFlows starts flows through some of the sessions, either way in turn.
func startFlows(t *testing.T, lns, lac *site, n int) []*lab.Flow {
	t.Helper()
	var flows []*lab.Flow
	for i, s := range lac.Up(true) {
		if i == n {
			break
		}
		near, far := end{lac.NS, localAddr(t, s)}, end{lns.NS, peerAddr(t, s)}
		if i%2 == 1 {
			near, far = far, near
		}
		flows = append(flows, lab.StartFlow(t, near.ns, near.addr, far.ns, far.addr, 20*time.Millisecond))
	}
	return flows
}

// wantAll checks that sessions are what they were: established when they were, with
// their interfaces and addresses.
func (s *site) wantAll(before map[string]*api.Session) {
	s.t.Helper()
	now := daemon.Indexed(s.Sessions())
	missing := 0
	for key, was := range before {
		is := now[key]
		switch {
		case is == nil || is.Status.State != api.SessionState_SESSION_STATE_UP:
			missing++
		case is.Status.EstablishedAt.AsTime() != was.Status.EstablishedAt.AsTime() ||
			is.Status.Interface != was.Status.Interface || is.Status.User != was.Status.User ||
			is.Status.Ppp.GetPeerIpv4() != was.Status.Ppp.GetPeerIpv4():
			s.t.Errorf("session %s is\n%v, was\n%v", key, is, was)
		}
	}
	if missing > 0 {
		s.t.Fatalf("%d of %d sessions are lost", missing, len(before))
	}
}

// wantTold checks by the peer's own count that none of its first sessions ended.
func (s *site) wantTold(all int) {
	s.t.Helper()
	up := 0
	for _, session := range s.Up(true) {
		if !strings.HasPrefix(session.GetSessionName(), "churn") {
			up++
		}
	}
	if up != all {
		s.t.Errorf("of the first sessions %d are up at the peer, want %d", up, all)
	}
	for line := range strings.SplitSeq(s.Output(), "\n") {
		if strings.Contains(line, "tunnel stopped") {
			s.t.Errorf("the peer says: %s", line)
		}
	}
}

// churn has sessions of the tunnel churn come and go: those of the last time, and
// some new ones.
func (s *site) churn(round int) {
	s.t.Helper()
	for i := range 3 {
		if round > 0 {
			s.DeleteSession("churn", fmt.Sprintf("churn%d-%d", round-1, i))
		}
		s.CreateSession(&api.Session{TunnelName: new("churn"), SessionName: new(fmt.Sprintf("churn%d-%d", round, i)),
			UserName: new("alice"), UserPassword: new("open sesame")})
	}
}

// interfaceCounters are those of all sessions' interfaces of a namespace.
func interfaceCounters(t testing.TB, ns *lab.NetNS) map[string]counters {
	t.Helper()
	var links []struct {
		IfName  string
		Stats64 struct {
			Rx, Tx struct{ Packets, Bytes uint64 }
		}
	}
	if err := json.Unmarshal([]byte(ns.Run("ip", "-j", "-s", "link")), &links); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]counters)
	for _, l := range links {
		if strings.HasPrefix(l.IfName, "l2tp") {
			rx, tx := l.Stats64.Rx, l.Stats64.Tx
			all[l.IfName] = counters{rx.Packets, rx.Bytes, tx.Packets, tx.Bytes}
		}
	}
	return all
}

// waitNoInterfaces waits for the kernel to have no session's interface any more.
func waitNoInterfaces(t testing.TB, sites ...*site) {
	t.Helper()
	for _, s := range sites {
		lab.Wait(t, 5*time.Minute, "the interfaces to go", func() error {
			if n := len(interfaceCounters(t, s.NS)); n > 0 {
				return fmt.Errorf("%d are left in %s", n, s.NS.Name)
			}
			return nil
		})
	}
}

func wantMonotonic(t testing.TB, before, after map[string]counters) {
	t.Helper()
	if len(before) == 0 {
		t.Error("no interface has counters")
	}
	for dev, b := range before {
		if a, ok := after[dev]; ok && (a.RxPackets < b.RxPackets || a.TxPackets < b.TxPackets) {
			t.Errorf("%s counts %+v, before %+v", dev, a, b)
		}
	}
}

// checkKeeper waits until the keeper holds no more than the daemon's listeners.
func (s *site) checkKeeper() {
	s.t.Helper()
	lab.Wait(s.t, goneLimit, "the keeper to close what is gone", func() error {
		sockets, ppp := lab.KernelFiles(s.t, s.Keeper().Cmd.Process.Pid)
		if most := s.sockets + 4; sockets > most || ppp > 0 {
			return fmt.Errorf("it holds %d sockets and %d of /dev/ppp", sockets, ppp)
		}
		return nil
	})
}

// xl2tpd with pppd calls an LNS that is killed, and one that it killed answers its calls.
func TestXL2TPDSurvival(t *testing.T) {
	lab.RequireKernel(t)
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig, authConfig(peers.CHAP)))
	lac := peers.StartXL2TPD(t, lacNS, peers.XL2TPDConfig{LNS: lnsAddr, Auth: peers.CHAP, User: alice})
	lac.Dial()
	link := lac.WaitUp(1)
	before := daemon.Indexed(lns.WaitUp(1, upLimit))
	session := lns.Sessions()[0]
	step("up")
	flow := lab.StartFlow(t, lacNS, link.Local, lnsNS, localAddr(t, session), 20*time.Millisecond)
	began := time.Now()
	for range 5 {
		lns.Kill()
		lns.Restart()
		lns.wantAll(before)
	}
	step("killed")
	// xl2tpd's Hello comes after a minute of silence, ours does at once.
	time.Sleep(controlLife - min(controlLife, time.Since(began)))
	lns.wantAll(before)
	t.Logf("%d packets, none lost", flow.Stop())
	lac.HangUp()
	lac.WaitDown()
	lns.checkGone()
	step("ended")
}

// The keeper may be restarted while the daemon runs: what is up outlives the daemon
// afterwards.
func TestSurvivalOfTheKeepersRestart(t *testing.T) {
	lab.RequireKernel(t)
	lnsNS, lacNS := newHosts(t)
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig))
	lac := newSite(t, lacNS, "kernel", join(survivalConfig, tunnelsConfig(lnsAddr, 1, 5)))
	before := daemon.Indexed(lns.WaitUp(5, upLimit))
	flow := startFlows(t, lns, lac, 1)[0]
	lns.RestartKeeper()
	lab.Wait(t, upLimit, "the daemon to give everything to the new keeper", func() error {
		if s := lns.System().GetSurvival(); s != "yes" {
			return fmt.Errorf("survival is %q", s)
		}
		return nil
	})
	lns.Kill()
	lns.Restart()
	lns.wantAll(before)
	flow.Stop()

	// Both die: everything begins anew, and nothing of the old is left.
	lns.Keeper().Kill()
	lns.Kill()
	lns.StartKeeper()
	lns.Restart()
	lac.WaitGone(goneLimit)
	lns.checkGone()
}

// limitFiles has every write of the daemon into a file fail, as if /run were full, or not.
func (s *site) limitFiles(limit string) {
	s.t.Helper()
	s.NS.Run("prlimit", "--pid", strconv.Itoa(s.PID()), "--fsize="+limit+":unlimited")
}

// waitSurvival waits for what the daemon says of survival.
func (s *site) waitSurvival(prefix string) {
	s.t.Helper()
	lab.Wait(s.t, upLimit, "survival to be "+prefix, func() error {
		if is := s.System().GetSurvival(); !strings.HasPrefix(is, prefix) {
			return fmt.Errorf("it is %q", is)
		}
		return nil
	})
}

// Where state cannot be written sessions go on, and outlive the daemon once it can be. If the daemon
// dies meanwhile everything begins anew, and nothing of the old is left.
func TestSurvivalWithoutRoom(t *testing.T) {
	lab.RequireKernel(t)
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig))
	lac := newSite(t, lacNS, "kernel", join(survivalConfig,
		"tunnel create tunnel_name=office persist=yes dest_ipaddr="+lnsAddr.String(),
		"session create tunnel_name=office session_name=s1"+clientOptions))
	lns.WaitUp(1, upLimit)
	flow := startFlows(t, lns, lac, 1)[0]
	lns.limitFiles("0")
	lac.CreateSession(&api.Session{TunnelName: new("office"), SessionName: new("s2"),
		UserName: new("alice"), UserPassword: new("open sesame")})
	before := daemon.Indexed(lns.WaitUp(2, upLimit))
	lns.waitSurvival("no: ")
	lns.limitFiles("unlimited")
	lns.waitSurvival("yes")
	lns.Kill()
	lns.Restart()
	lns.wantAll(before)
	flow.Stop()
	step("there is room again")

	lns.limitFiles("0")
	lac.DeleteSession("office", "s2")
	lns.waitSurvival("no: ")
	old := daemon.Indexed(lns.Sessions())
	lns.Kill()
	lns.Restart()
	for key := range daemon.Indexed(lns.Sessions()) {
		if s := old[key]; s != nil && s.Status.State == api.SessionState_SESSION_STATE_UP {
			t.Errorf("session %s is taken over though what is known of it is out of date", key)
		}
	}
	lns.WaitUp(1, goneLimit+upLimit) // once the peer has found out
	step("begun anew")
	lac.deleteTunnels()
	waitNoInterfaces(t, lns, lac)
	lns.checkGone()
	lns.checkKeeper()
}
