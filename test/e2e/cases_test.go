package e2e

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"culvert/api"
	"culvert/test/lab"
)

// A plane is a data plane that culvertd is tested with, at both ends.
type plane struct {
	name string
	size int64 // of transfers
}

// pair is culvertd as LNS and as LAC, in joined namespaces.
type pair struct {
	lns, lac           *site
	lnsClean, lacClean lab.State
	checkCapture       func()
}

// newPair starts both ends. The LAC is started last, with a configuration
// that may call the LNS at once.
func (p plane) newPair(t testing.TB, lnsConf, lacConf string) *pair {
	t.Helper()
	lnsNS, lacNS := newHosts(t)
	c := &pair{lnsClean: lnsNS.State(), lacClean: lacNS.State()}
	c.checkCapture = captureControl(t, lnsNS)
	c.lns = newSite(t, lnsNS, p.name, lnsConf)
	c.lac = newSite(t, lacNS, p.name, lacConf)
	// It may have called already.
	c.lac.before, c.lac.sockets, c.lac.ppp = c.lacClean, c.lns.sockets, c.lns.ppp
	return c
}

// end stops both daemons, the LAC with whatever is up, and looks for what is left.
func (c *pair) end() {
	c.lac.t.Helper()
	c.lac.stop(c.lacClean)
	c.lns.checkGone()
	c.lns.stop(c.lnsClean)
	c.checkCapture()
}

const clientOptions = ` user_name=alice user_password="open sesame"`

// tunnelsConfig is a client of several tunnels to dest, each with several
// sessions. The first two tunnels want the same two ports.
func tunnelsConfig(dest netip.Addr, tunnels, sessions int) string {
	var lines []string
	for i := range tunnels {
		line := fmt.Sprintf("tunnel create tunnel_name=t%d dest_ipaddr=%v", i, dest)
		if i > 1 {
			line += " our_udp_port=ephemeral"
		}
		lines = append(lines, line)
		for j := range sessions {
			lines = append(lines, fmt.Sprintf("session create tunnel_name=t%d session_name=s%d", i, j)+
				clientOptions)
		}
	}
	return join(lines...)
}

// testTunnels: several tunnels between the same hosts, several sessions in
// each; each session carries its own traffic; they are ended one by one, by
// either end. No descriptor is left when the last tunnel has lingered.
func (p plane) testTunnels(t *testing.T, dest netip.Addr) {
	const tunnels, sessions = 3, 2
	c := p.newPair(t, lnsConfig(secretConfig(tunnelSecret)),
		join(secretConfig(tunnelSecret), tunnelsConfig(dest, tunnels, sessions)))
	near := c.lac.WaitUp(tunnels*sessions, upLimit)
	c.lns.WaitUp(tunnels*sessions, upLimit)
	if got := len(c.lns.Tunnels()); got != tunnels {
		t.Errorf("LNS has %d tunnels, want %d", got, tunnels)
	}
	for i, session := range near {
		size := int64(1 << 20)
		if i == 0 {
			size = p.size
		}
		p.carrySession(t, c, session, size)
	}
	c.endOneByOne(t, near)
	c.lac.deleteTunnels()
	c.lac.checkGone()
	c.lac.checkFiles(0)
	c.lns.checkGone()
	c.lns.checkFiles(0)
	c.end()
}

// carrySession has one of several sessions of a pair carry traffic, and
// compares what both ends and the kernel counted.
func (p plane) carrySession(t *testing.T, c *pair, session *api.Session, size int64) {
	t.Helper()
	local, peer := localAddr(t, session), peerAddr(t, session)
	forget := p.steer(c.lac, session)
	defer forget()
	carry(t, end{c.lac.NS, local}, end{c.lns.NS, peer}, size)
	far := c.farSession(t, session)
	if p.name == "kernel" {
		c.lac.checkCounters(session, uint64(size))
		c.lns.checkCounters(far, uint64(size))
	}
	c.checkBothCounters(t, session, far, uint64(size))
	c.pingIPv6(t, session)
}

// steer has what comes from a session's address leave through that session:
// all sessions of a client have the same peer.
func (p plane) steer(s *site, session *api.Session) (forget func()) {
	s.t.Helper()
	if p.name != "kernel" {
		return func() {} // one device, which looks at the source
	}
	from := end{s.NS, localAddr(s.t, session)}
	return steer(from, session.GetStatus().GetInterface(), firstTable)
}

// firstTable is the first of the routing tables that steer is given.
const firstTable = 100

// steer has what comes from an address leave through an interface, by a routing table.
func steer(from end, dev string, table int) (forget func()) {
	number := strconv.Itoa(table)
	rule := []string{"from", from.addr.String(), "lookup", number}
	from.ns.Run("ip", "route", "replace", "default", "dev", dev, "table", number)
	from.ns.Run("ip", append([]string{"rule", "add"}, rule...)...)
	return func() {
		from.ns.Run("ip", append([]string{"rule", "del"}, rule...)...)
		from.ns.Run("ip", "route", "flush", "table", number)
	}
}

// farSession finds the LNS's end of a session of the LAC.
func (c *pair) farSession(t *testing.T, session *api.Session) *api.Session {
	t.Helper()
	for _, s := range c.lns.Sessions() {
		if s.GetStatus().GetPeerSessionId() == session.GetSessionId() &&
			s.GetStatus().GetPpp().GetPeerIpv4() == session.GetStatus().GetPpp().GetLocalIpv4() {
			return s
		}
	}
	t.Fatalf("the LNS has no session for %v", session)
	return nil
}

// checkBothCounters compares both ends' counters: nobody received more than
// the other sent.
func (c *pair) checkBothCounters(t *testing.T, near, far *api.Session, size uint64) {
	t.Helper()
	lac, lns := c.lac.ownCounters(near), c.lns.ownCounters(far)
	lacLater := c.lac.ownCounters(near) // IPv6 may have sent something in between
	if lac.RxPackets > lns.TxPackets || lac.RxBytes > lns.TxBytes ||
		lns.RxPackets > lacLater.TxPackets || lns.RxBytes > lacLater.TxBytes {
		t.Errorf("more received than sent: LAC %+v, LNS %+v", lac, lns)
	}
	for _, got := range []counters{lac, lns} {
		if got.RxBytes < size || got.TxBytes < size || got.RxPackets == 0 || got.TxPackets == 0 {
			t.Errorf("counters %+v after %d bytes each way", got, size)
		}
	}
}

// pingIPv6 pings the other end's link-local address through a session.
func (c *pair) pingIPv6(t *testing.T, session *api.Session) {
	t.Helper()
	st := session.GetStatus()
	if id := st.GetPpp().GetPeerInterfaceId(); id != "" {
		far := parseAddr(t, "fe80::"+id).WithZone(st.GetInterface())
		c.lac.NS.Ping(t, far, 2)
		return
	}
	t.Errorf("session has no IPv6: %v", st.GetPpp())
}

// endOneByOne ends a session and a tunnel from either end.
func (c *pair) endOneByOne(t *testing.T, near []*api.Session) {
	t.Helper()
	up := len(near)
	far := c.farSession(t, near[0])
	c.lac.deleteSession(near[0])
	up--
	c.lac.WaitUp(up, goneLimit)
	c.lns.WaitUp(up, goneLimit)
	if left := c.lns.Sessions(); containsSession(left, far) {
		t.Errorf("the LNS still has the session that the LAC ended: %v", far)
	}
	c.lns.deleteSession(c.farSession(t, near[1]))
	up--
	c.lac.WaitUp(up, goneLimit)
	c.lns.WaitUp(up, goneLimit)
	tunnel := c.farSession(t, near[len(near)-1]).GetTunnelId()
	c.lns.Config("tunnel", "delete", fmt.Sprintf("tunnel_id=%d", tunnel))
	up -= 2
	c.lac.WaitUp(up, goneLimit)
	c.lns.WaitUp(up, goneLimit)
}

func (s *site) deleteSession(session *api.Session) {
	s.t.Helper()
	s.Config("session", "delete", fmt.Sprintf("tunnel_id=%d", session.GetTunnelId()),
		fmt.Sprintf("session_id=%d", session.GetSessionId()))
}

func containsSession(all []*api.Session, s *api.Session) bool {
	for _, a := range all {
		if a.GetTunnelId() == s.GetTunnelId() && a.GetSessionId() == s.GetSessionId() {
			return true
		}
	}
	return false
}

// testPersist: the LNS is killed and started again; the client comes back.
func (p plane) testPersist(t *testing.T) {
	conf := join("tunnel profile modify profile_name=default hello_timeout=1 max_retries=2",
		"tunnel create tunnel_name=office dest_ipaddr=192.0.2.1 persist=yes persist_max_delay=4",
		"session create tunnel_name=office session_name=s1"+clientOptions)
	c := p.newPair(t, lnsConfig(), conf)
	before := c.lac.WaitUp(1, upLimit)[0]
	c.lns.Kill()
	c.lac.waitDown(t, before)
	sockets, ppp := c.lns.sockets, c.lns.ppp
	c.lns = newSite(t, c.lns.NS, p.name, lnsConfig())
	c.lns.before, c.lns.sockets, c.lns.ppp = c.lnsClean, sockets, ppp // the client may be back
	after := c.lac.WaitUp(1, upLimit)[0]
	c.lns.WaitUp(1, upLimit)
	ping(t, end{c.lac.NS, localAddr(t, after)}, end{c.lns.NS, peerAddr(t, after)})
	if attempts := c.lac.Tunnels()[0].GetStatus().GetAttempts(); attempts < 2 {
		t.Errorf("attempts = %d, want 2 at least", attempts)
	}
	c.end()
}

// waitDown waits until a session is not up any more.
func (s *site) waitDown(t *testing.T, session *api.Session) {
	t.Helper()
	lab.Wait(t, upLimit, "the session to go down", func() error {
		if containsSession(s.Up(false), session) {
			return fmt.Errorf("it is up")
		}
		return nil
	})
}

// testWrongPassword: no session comes up, and the client says why.
func (p plane) testWrongPassword(t *testing.T) {
	c := p.newPair(t, lnsConfig(), join("tunnel create tunnel_name=office dest_ipaddr=192.0.2.1"))
	c.lac.dial("session create tunnel_name=office session_name=s1 user_name=alice user_password=jabberwock")
	c.lac.WaitOutput(upLimit, `refused`)
	if up := c.lac.Up(false); len(up) > 0 {
		t.Errorf("up with the wrong password: %v", up)
	}
	for _, d := range []*site{c.lac, c.lns} {
		if out := d.Output(); strings.Contains(out, "jabberwock") || strings.Contains(out, "open sesame") {
			t.Errorf("a password is in the log:\n%s", out)
		}
	}
	c.end()
}

// testWrongSecret: the tunnel is refused for its secret.
func (p plane) testWrongSecret(t *testing.T) {
	c := p.newPair(t, lnsConfig(secretConfig(tunnelSecret)),
		join(secretConfig("another"), "tunnel create tunnel_name=office dest_ipaddr=192.0.2.1"))
	c.lac.WaitOutput(upLimit, `not authorized.*challenge response`)
	c.lac.WaitGone(goneLimit)
	for _, tunnel := range c.lns.Tunnels() {
		if tunnel.GetStatus().GetState() == api.TunnelState_TUNNEL_STATE_ESTABLISHED {
			t.Errorf("established with the wrong secret: %v", tunnel)
		}
	}
	c.end()
}
