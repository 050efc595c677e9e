package peers

import (
	"net/netip"
	"strings"
	"testing"

	"culvert/test/lab"
)

var (
	lnsAddr = netip.MustParseAddr("192.0.2.1")
	alice   = User{Name: "alice", Password: "open sesame"}
)

// hosts returns two joined namespaces.
func hosts(t *testing.T) (lns, lac *lab.NetNS) {
	t.Helper()
	lab.RequireKernel(t)
	lns, lac = lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "lac")
	lab.Veth(t, lns, "eth0", []string{"192.0.2.1/24"}, lac, "eth0", []string{"192.0.2.2/24"})
	return lns, lac
}

// The peers work with each other: what fails with them later is ours.
func TestXL2TPDWithXL2TPD(t *testing.T) {
	for _, auth := range []Auth{CHAP, MSCHAPv2} {
		t.Run(string(auth), func(t *testing.T) {
			lnsNS, lacNS := hosts(t)
			before := lnsNS.State()
			capture := lnsNS.Capture(t, "eth0", "udp port 1701")
			lns := StartXL2TPD(t, lnsNS, XL2TPDConfig{
				Secret: "tunnel secret", Auth: auth, User: alice,
				Local: netip.MustParseAddr("10.9.0.1"), Pool: "10.9.0.10-10.9.0.20",
			})
			lac := StartXL2TPD(t, lacNS, XL2TPDConfig{
				LNS: lnsAddr, Secret: "tunnel secret", Auth: auth, User: alice,
			})
			lac.Dial()
			link := lac.WaitUp(1)
			lns.WaitUp(1)
			lacNS.Ping(t, link.Peer, 2)
			lac.HangUp()
			lac.WaitDown()
			lns.WaitDown()
			lnsNS.CheckLeaks(t, before)
			lab.CheckCapture(t, capture.Stop())
		})
	}
}

func TestXL2TPDWithL2TPNS(t *testing.T) {
	lnsNS, lacNS := hosts(t)
	want := netip.MustParseAddr("10.9.0.77")
	lnsNS.Run("ip", "addr", "add", "10.20.0.1/32", "dev", "lo")
	capture := lnsNS.Capture(t, "eth0", "udp port 1701")
	StartFreeRADIUS(t, lnsNS, RADIUSUser{User: alice, Addr: want})
	StartL2TPNS(t, lnsNS, L2TPNSConfig{
		Bind: lnsAddr, Local: netip.MustParseAddr("10.8.0.1"),
		Pool: netip.MustParsePrefix("10.9.0.0/24"), Secret: "tunnel secret", Auth: CHAP,
	})
	lac := StartXL2TPD(t, lacNS, XL2TPDConfig{
		LNS: lnsAddr, Secret: "tunnel secret", Auth: CHAP, User: alice,
	})
	lac.Dial()
	link := lac.WaitUp(1)
	if link.Local != want {
		t.Errorf("address from RADIUS = %v, want %v", link.Local, want)
	}
	lacNS.Run("ip", "route", "add", "10.20.0.1/32", "dev", link.Interface, "src", link.Local.String())
	lacNS.Ping(t, netip.MustParseAddr("10.20.0.1"), 2)
	lac.HangUp()
	lac.WaitDown()
	lab.CheckCapture(t, capture.Stop())
}

func TestXL2TPDWrongPassword(t *testing.T) {
	lnsNS, lacNS := hosts(t)
	StartXL2TPD(t, lnsNS, XL2TPDConfig{
		Auth: CHAP, User: alice,
		Local: netip.MustParseAddr("10.9.0.1"), Pool: "10.9.0.10-10.9.0.20",
	})
	wrong := User{Name: alice.Name, Password: "wrong"}
	lac := StartXL2TPD(t, lacNS, XL2TPDConfig{LNS: lnsAddr, Auth: CHAP, User: wrong})
	lac.Dial()
	lac.WaitPPP(`CHAP authentication failed`)
	lac.WaitDown()
	if strings.Contains(lac.pppLog(), "remote IP address") {
		t.Error("a link came up with the wrong password")
	}
}
