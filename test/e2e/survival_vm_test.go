package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// survivalConfig keeps the control channel busy: a tunnel that was forgotten in a restart
// is lost within seconds.
const survivalConfig = "tunnel profile modify profile_name=default hello_timeout=3 retry_timeout=1 max_retries=3\n" +
	"ppp profile modify profile_name=default lcp_echo_interval=4 lcp_echo_failure_count=3"

// controlLife is longer than HELLO and its retries take to find a dead control channel, by
// survivalConfig: 3 s, then 1, 2, 4 and 8 s. Echoes take 16 s.
const controlLife = 20 * time.Second

// TestSurvival kills an LNS again and again, at random moments, while sessions come and go
// and traffic flows: what was established stays and is not negotiated anew, and no packet is lost.
func TestSurvival(t *testing.T) {
	lab.RequireKernel(t)
	const tunnels, sessions, benched, kills, carrying = 4, 95, 120, 20, 8
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	clean, lacClean := lnsNS.State(), lacNS.State()
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig))
	load := startLoad(t, lacNS, alice.Password, "--tunnels", "4", "--sessions", fmt.Sprint(benched), "--duration", "1h",
		"--hello", "3s", "--echo", "3s", "--echo-failures", "5")
	lac := newSite(t, lacNS, "kernel", join(survivalConfig, tunnelsConfig(lnsAddr, tunnels, sessions),
		"tunnel create tunnel_name=churn persist=yes our_udp_port=ephemeral dest_ipaddr="+lnsAddr.String()))
	lac.before, lac.sockets, lac.ppp = lacClean, lns.sockets, lns.ppp // it may have called already
	called := tunnels * sessions
	before := daemon.Indexed(lns.WaitUp(called+benched, 5*time.Minute))
	callers := lac.WaitUp(called, upLimit)
	step(fmt.Sprintf("%d sessions up", len(before)))

	running := startFlows(t, lns, lac, carrying)
	busy := lns.ends(callers[:carrying])
	links, counted := interfaceCounters(t, lnsNS), lns.sessionCounters(busy)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range kills {
		lac.churn(i)
		time.Sleep(time.Duration(random.Int64N(int64(400 * time.Millisecond)))) // any moment will do
		lns.Kill()
		killed := time.Now()
		lns.Restart()
		t.Logf("kill %d: serving again after %v", i, time.Since(killed).Round(time.Millisecond))
		lns.wantAll(before)
		now := lns.sessionCounters(busy)
		wantMonotonic(t, counted, now)
		counted = now
	}
	step(fmt.Sprintf("%d kills", kills))

	time.Sleep(controlLife) // for the control channel to be found dead, if it is
	lns.wantAll(before)
	lac.wantTold(called)
	lns.wantFewAuthenticated(churned)
	sent := running.stop()
	wantMonotonic(t, links, interfaceCounters(t, lnsNS))
	now := lns.sessionCounters(busy)
	wantMonotonic(t, counted, now)
	wantCounted(t, now, sent)
	step("control channel alive, packets counted")
	daemon.WantStayed(t, load.End(time.Minute), benched)
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

// flows are flows through sessions of a LAC.
type flows struct {
	t       *testing.T
	running []*lab.Flow
	forget  []func()
}

// startFlows starts flows through some of the sessions, either way in turn.
func startFlows(t *testing.T, lns, lac *site, n int) *flows {
	t.Helper()
	f := &flows{t: t}
	for _, s := range lac.Up(true)[:n] {
		f.add(end{lac.NS, localAddr(t, s)}, s.GetStatus().GetInterface(), end{lns.NS, peerAddr(t, s)})
	}
	return f
}

// add starts a flow from the LAC's end of a session, or every other time to it.
func (f *flows) add(near end, dev string, far end) {
	f.t.Helper()
	n := len(f.running)
	if n%2 == 1 {
		near, far = far, near
	} else {
		f.forget = append(f.forget, steer(near, dev, firstTable+n))
	}
	f.running = append(f.running, lab.StartFlow(f.t, near.ns, near.addr, far.ns, far.addr, 20*time.Millisecond))
}

// stop ends flows, none of whose packets may be lost, and returns how many there were.
func (f *flows) stop() (sent uint64) {
	f.t.Helper()
	for _, flow := range f.running {
		n := flow.Stop()
		f.t.Logf("%d packets, none lost", n)
		sent += n
	}
	for _, forget := range f.forget {
		forget()
	}
	return sent
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

// wantFewAuthenticated checks that in the life of the LNS that is now nobody but those who came in
// it was asked who he is: who negotiates LCP anew is asked anew.
func (s *site) wantFewAuthenticated(came int) {
	s.t.Helper()
	// A call whose set-up a kill has cut short is placed again.
	if n := s.System().GetStatistics().GetPppAuthSuccesses(); n > uint64(2*came) {
		s.t.Errorf("%d peers have proved who they are since the last kill, %d calls were placed", n, came)
	}
}

// churned is how many sessions churn has come.
const churned = 3

// churn has sessions of the tunnel churn come and go: those of the last time, and
// some new ones.
func (s *site) churn(round int) {
	s.t.Helper()
	for i := range churned {
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

// ends are the LNS's ends of sessions of a LAC.
func (s *site) ends(of []*api.Session) map[string]*api.Session {
	s.t.Helper()
	far := make(map[string]bool)
	for _, session := range of {
		far[session.GetStatus().GetPpp().GetLocalIpv4()] = true
	}
	ends := daemon.Indexed(s.Sessions())
	maps.DeleteFunc(ends, func(_ string, session *api.Session) bool {
		return !far[session.GetStatus().GetPpp().GetPeerIpv4()]
	})
	if len(ends) != len(of) {
		s.t.Fatalf("the LNS has %d of %d sessions", len(ends), len(of))
	}
	return ends
}

// sessionCounters are those that the daemon tells of sessions.
func (s *site) sessionCounters(of map[string]*api.Session) map[string]counters {
	s.t.Helper()
	all := make(map[string]counters)
	for key, session := range of {
		c := s.Session(session).GetStatus().GetCounters()
		all[key] = counters{c.GetRxPackets(), c.GetRxBytes(), c.GetTxPackets(), c.GetTxBytes()}
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

// wantMonotonic checks that whatever had counters has them still, and that none went back.
func wantMonotonic(t testing.TB, before, after map[string]counters) {
	t.Helper()
	if len(before) == 0 {
		t.Error("nothing has counters")
	}
	for name, b := range before {
		a, ok := after[name]
		if !ok {
			t.Errorf("%s is gone, it counted %+v", name, b)
		} else if a.RxPackets < b.RxPackets || a.RxBytes < b.RxBytes || a.TxPackets < b.TxPackets || a.TxBytes < b.TxBytes {
			t.Errorf("%s counts %+v, before %+v", name, a, b)
		}
	}
}

// wantCounted checks that so many packets, of either direction, are in what was counted.
func wantCounted(t testing.TB, all map[string]counters, sent uint64) {
	t.Helper()
	var packets uint64
	for _, c := range all {
		packets += c.RxPackets + c.TxPackets
	}
	if packets < sent {
		t.Errorf("%d packets are counted, %d were sent", packets, sent)
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

// The keeper may be restarted while the daemon runs: what is up outlives the daemon
// afterwards.
func TestSurvivalOfTheKeepersRestart(t *testing.T) {
	lab.RequireKernel(t)
	lnsNS, lacNS := newHosts(t)
	lns := newMortal(t, lnsNS, lnsConfig(survivalConfig))
	lac := newSite(t, lacNS, "kernel", join(survivalConfig, tunnelsConfig(lnsAddr, 1, 5)))
	before := daemon.Indexed(lns.WaitUp(5, upLimit))
	flow := startFlows(t, lns, lac, 1)
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
	flow.stop()

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
	flow := startFlows(t, lns, lac, 1)
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
	flow.stop()
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
