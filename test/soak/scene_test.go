package soak

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"culvert/api"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// The outer addresses: of the LNS, and of those who call it.
const (
	lnsAddr   = "192.0.2.1"
	lacAddr   = "192.0.2.2"
	baseAddr  = "192.0.2.3"
	churnAddr = "192.0.2.4"
)

// Everybody is this user.
const (
	user     = "alice"
	password = "wonderland"
)

// lnsConfig is that of the LNS. Of what it logs at info there would be gigabytes.
func (f *form) lnsConfig() string {
	return fmt.Sprintf(`
system modify log_level=warn
user create user_name=%s user_password=%s
pool create pool_name=all addresses=10.64.0.0/12 reserved=10.64.0.1
ppp profile modify profile_name=default local_ipaddr=10.64.0.1 ip_pool_name=all ipv6=no %s
tunnel profile modify profile_name=default rx_window_size=64 tx_window_size=64 %s
`, user, password, f.echoes, f.hellos)
}

// lacTunnel has the sessions of the LAC that stay, callTunnel those that come and go.
const (
	lacTunnel   = "stay"
	lacSessions = 10
	callTunnel  = "calls"
	baseTunnels = 4
)

// lacConfig is that of the second culvertd, which calls.
func lacConfig() string {
	var b strings.Builder
	b.WriteString("system modify log_level=warn host_name=lac\n" +
		"ppp profile modify profile_name=default ipv6=no lcp_echo_interval=3 lcp_echo_failure_count=5\n" +
		"tunnel profile modify profile_name=default hello_timeout=5 max_retries=5 persist=yes " +
		"dest_ipaddr=" + lnsAddr + " src_ipaddr=" + lacAddr + " our_udp_port=ephemeral\n" +
		"tunnel create tunnel_name=" + callTunnel + "\ntunnel create tunnel_name=" + lacTunnel + "\n")
	for i := range lacSessions {
		fmt.Fprintf(&b, "session create tunnel_name=%s session_name=s%d user_name=%s user_password=%s\n",
			lacTunnel, i, user, password)
	}
	return b.String()
}

// wait is how long what must come may take: the machine may be emulated, and shared.
const wait = 3 * time.Minute

// resting is how many tunnels and sessions the LNS has when it is quiet.
func (s *soak) resting() (tunnels, sessions int) {
	return baseTunnels + 2, s.form.base + lacSessions
}

// setScene makes the namespaces and starts all that stays.
func (s *soak) setScene() {
	t := s.t
	t.Helper()
	s.lnsNS, s.lacNS = lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "lac")
	lab.Veth(t, s.lnsNS, "eth0", []string{lnsAddr + "/24"},
		s.lacNS, "eth0", []string{lacAddr + "/24", baseAddr + "/24", churnAddr + "/24"})
	s.clean = s.lnsNS.State()
	s.lns = daemon.Start(t, s.lnsNS, daemon.Options{Config: s.form.lnsConfig(), Dataplane: s.form.plane, Survives: true})
	s.lac = daemon.Start(t, s.lacNS, daemon.Options{Config: lacConfig(), Dataplane: s.form.plane, Survives: true,
		Listen: []string{lacAddr + ":1701"}})
	s.base = s.startBase()
	s.waitResting()
	s.members = daemon.Indexed(s.lns.Sessions())
	s.rest, s.objects = s.observe(), s.lnsNS.State()
	s.goroutines = s.settled()
}

// parkTime is longer than a goroutine that works for others waits for more to do.
const parkTime = 3 * time.Second

// settled is how many goroutines the LNS has at least: less were not found for parkTime. There are
// more now and then, that of a request that was just answered among them.
func (s *soak) settled() float64 {
	s.t.Helper()
	least, since := s.lns.Metrics()[metricGoroutines], time.Now()
	for time.Since(since) < parkTime {
		if n := s.lns.Metrics()[metricGoroutines]; n < least {
			least, since = n, time.Now()
		}
	}
	return least
}

// waitResting waits until there is nothing but what stays.
func (s *soak) waitResting() {
	s.t.Helper()
	tunnels, sessions := s.resting()
	lab.Wait(s.t, wait, "what came and went to be gone", func() error {
		st := s.lns.System()
		if int(st.Tunnels) != tunnels || int(st.Sessions) != sessions || int(st.SessionsUp) != sessions {
			return fmt.Errorf("there are %d tunnels and %d sessions, %d of them up; want %d and %d, all up",
				st.Tunnels, st.Sessions, st.SessionsUp, tunnels, sessions)
		}
		return nil
	})
}

// checkMembers checks that the sessions that stay are there, and came up when they did.
func (s *soak) checkMembers() {
	s.t.Helper()
	now := daemon.Indexed(s.lns.Sessions())
	for key, was := range s.members {
		is := now[key]
		if is == nil {
			s.t.Fatalf("session %s is lost: %v", key, was)
		}
		a, b := was.Status, is.Status
		if a.EstablishedAt.AsTime() != b.EstablishedAt.AsTime() || a.Interface != b.Interface ||
			a.Ppp.GetPeerIpv4() != b.Ppp.GetPeerIpv4() || b.State != api.SessionState_SESSION_STATE_UP {
			s.t.Fatalf("session %s is\n%v, was\n%v", key, is, was)
		}
	}
	if up := len(s.lac.Up(true)); up < lacSessions {
		s.t.Fatalf("of %d sessions of the LAC %d are up", lacSessions, up)
	}
}

// call has sessions of the LAC come, and then go.
func (s *soak) call() {
	s.t.Helper()
	for i := range s.form.calls {
		s.lac.CreateSession(&api.Session{TunnelName: new(callTunnel), SessionName: new(fmt.Sprint("call", i)),
			UserName: new(user), UserPassword: new(password)})
	}
	lab.Wait(s.t, wait, "the LAC's calls to be up", func() error {
		if up := len(s.lac.Up(true)); up != lacSessions+s.form.calls {
			return fmt.Errorf("%d sessions are", up)
		}
		return nil
	})
	for i := range s.form.calls {
		s.lac.DeleteSession(callTunnel, fmt.Sprint("call", i))
	}
}

// explain has the daemons say where their goroutines are, if the test has failed.
func (s *soak) explain() {
	if !s.t.Failed() {
		return
	}
	for _, d := range []*daemon.Daemon{s.lns, s.lac} {
		if d == nil || d.Ended() != nil {
			continue
		}
		d.Signal(syscall.SIGUSR1) // or else it says nothing at its log level
		d.WaitOutput(wait, "debugging by SIGUSR1")
		d.Signal(syscall.SIGUSR2)
		d.WaitOutput(wait, "msg=goroutines")
		d.Signal(syscall.SIGUSR1)
	}
}
