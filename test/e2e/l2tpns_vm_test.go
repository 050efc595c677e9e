package e2e

import (
	"net/netip"
	"testing"

	"culvert/test/lab"
	"culvert/test/peers"
)

// culvertd calls, l2tpns is the LNS and asks FreeRADIUS.
func TestL2TPNSAnswers(t *testing.T) {
	lab.RequireKernel(t)
	for _, auth := range []peers.Auth{peers.PAP, peers.CHAP} {
		t.Run(string(auth), func(t *testing.T) { testL2TPNSAnswers(t, auth) })
	}
}

// l2tpns does not answer pings to its own end of a link, so that traffic goes
// to an address behind it.
var behindL2TPNS = netip.MustParseAddr("10.20.0.1")

func testL2TPNSAnswers(t *testing.T, auth peers.Auth) {
	framed := netip.MustParseAddr("10.9.0.77")
	lnsNS, lacNS := newHosts(t)
	clean := lacNS.State()
	lnsNS.Run("ip", "addr", "add", behindL2TPNS.String(), "dev", "lo")
	peers.StartFreeRADIUS(t, lnsNS, peers.RADIUSUser{User: alice, Addr: framed})
	lns := peers.StartL2TPNS(t, lnsNS, peers.L2TPNSConfig{
		Bind: lnsAddr, Local: netip.MustParseAddr("10.8.0.1"),
		Pool: netip.MustParsePrefix("10.9.0.0/24"), Secret: plainSecret, Auth: auth,
	})
	checkCapture := captureControl(t, lacNS)
	lac := newSite(t, lacNS, "kernel", secretConfig(plainSecret))

	callL2TPNS(t, lac, lnsNS, framed, transferSize)
	lac.deleteTunnels()
	lac.checkGone()
	lns.WaitLog(`Received StopCCN`)

	callL2TPNS(t, lac, lnsNS, framed, 1<<20)
	lns.HangUp()
	lac.checkGone()

	lac.stop(clean)
	checkCapture()
}

// callL2TPNS brings a session up and has it carry traffic.
func callL2TPNS(t *testing.T, lac *site, lnsNS *lab.NetNS, framed netip.Addr, size int64) {
	t.Helper()
	lac.dial("tunnel create tunnel_name=isp dest_ipaddr=192.0.2.1",
		"session create tunnel_name=isp session_name=s1 user_name=alice "+
			"user_password=\"open sesame\"")
	session := lac.WaitUp(1, upLimit)[0]
	if got := localAddr(t, session); got != framed {
		t.Errorf("address = %v, want RADIUS's %v", got, framed)
	}
	dev := session.GetStatus().GetInterface()
	lac.NS.Run("ip", "route", "add", behindL2TPNS.String(), "dev", dev)
	// What comes from behind must not have the address of eth0, to which the
	// answers would go outside of the tunnel.
	lnsNS.Run("ip", "route", "replace", framed.String(), "dev", "tun0", "src", behindL2TPNS.String())
	carry(t, end{lac.NS, framed}, end{lnsNS, behindL2TPNS}, size)
	lac.checkCounters(session, uint64(size))
}
