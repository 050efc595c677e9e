package e2e

import (
	"net/netip"
	"testing"
	"time"

	"culvert/test/daemon"
	"culvert/test/lab"
	"culvert/test/peers"
)

// lacFlows are packets both ways through a session of ours.
func lacFlows(t *testing.T, near, far end) []*lab.Flow {
	t.Helper()
	ping(t, near, far)
	return []*lab.Flow{
		lab.StartFlow(t, near.ns, near.addr, far.ns, far.addr, 20*time.Millisecond),
		lab.StartFlow(t, far.ns, far.addr, near.ns, near.addr, 20*time.Millisecond),
	}
}

// killAgainAndAgain kills the LAC, whose only session goes on, for longer than its HELLOs and
// their retries take to find a dead control channel.
func (s *site) killAgainAndAgain(flows []*lab.Flow) {
	s.t.Helper()
	before := daemon.Indexed(s.Up(true))
	began := time.Now()
	for range 5 {
		s.Kill()
		s.Restart()
		s.wantAll(before)
	}
	time.Sleep(controlLife - min(controlLife, time.Since(began)))
	s.wantAll(before)
	for _, f := range flows {
		s.t.Logf("%d packets, none lost", f.Stop())
	}
}

// We call xl2tpd with pppd, and are killed again and again: neither notices.
func TestXL2TPDSurvivalOfTheLAC(t *testing.T) {
	lab.RequireKernel(t)
	step := newClock(t)
	lnsNS, lacNS := newHosts(t)
	clean := lacNS.State()
	lns := peers.StartXL2TPD(t, lnsNS, peers.XL2TPDConfig{Secret: plainSecret, Auth: peers.CHAP, User: alice,
		Local: netip.MustParseAddr("10.9.0.1"), Pool: "10.9.0.10-10.9.0.20"})
	lac := newMortal(t, lacNS, join(survivalConfig, secretConfig(plainSecret)))
	lac.dial("tunnel create tunnel_name=office dest_ipaddr=192.0.2.1",
		"session create tunnel_name=office session_name=s1"+clientOptions)
	session := lac.WaitUp(1, upLimit)[0]
	link := lns.WaitUp(1)
	step("up")
	lac.killAgainAndAgain(lacFlows(t, end{lacNS, localAddr(t, session)}, end{lnsNS, link.Local}))
	step("killed")
	lac.deleteTunnels()
	lns.WaitDown()
	lac.checkGone()
	lac.checkKeeper()
	lac.stop(clean)
	step("ended by culvertd")
}

// We call l2tpns, are killed again and again, and are hung up by it in the end.
func TestL2TPNSSurvivalOfTheLAC(t *testing.T) {
	lab.RequireKernel(t)
	step := newClock(t)
	framed := netip.MustParseAddr("10.9.0.77")
	lnsNS, lacNS := newHosts(t)
	clean := lacNS.State()
	lnsNS.Run("ip", "addr", "add", behindL2TPNS.String(), "dev", "lo")
	peers.StartFreeRADIUS(t, lnsNS, peers.RADIUSUser{User: alice, Addr: framed})
	lns := peers.StartL2TPNS(t, lnsNS, peers.L2TPNSConfig{
		Bind: lnsAddr, Local: netip.MustParseAddr("10.8.0.1"),
		Pool: netip.MustParsePrefix("10.9.0.0/24"), Secret: plainSecret, Auth: peers.CHAP,
	})
	lac := newMortal(t, lacNS, join(survivalConfig, secretConfig(plainSecret)))
	callL2TPNS(t, lac, lnsNS, framed, 1<<16)
	step("up")
	lac.killAgainAndAgain(lacFlows(t, end{lacNS, framed}, end{lnsNS, behindL2TPNS}))
	step("killed")
	lns.HangUp()
	lac.checkGone()
	lac.checkKeeper()
	lac.stop(clean)
	step("ended by l2tpns")
}
