package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"culvert/api"
	"culvert/test/lab"
)

// newPath returns two namespaces with a router between them, whose way to the LNS
// takes IP packets of up to mtu bytes, and the LNS's addresses.
func newPath(t testing.TB, mtu int) (lns, lac *lab.NetNS, dest4, dest6 netip.Addr) {
	t.Helper()
	lns, lac = lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "lac")
	router := lab.NewNetNS(t, "router")
	lab.Veth(t, lac, "eth0", []string{"192.0.2.2/24", "2001:db8:2::2/64"},
		router, "eth2", []string{"192.0.2.254/24", "2001:db8:2::fe/64"})
	lab.Veth(t, lns, "eth0", []string{"198.51.100.1/24", "2001:db8:1::1/64"},
		router, "eth1", []string{"198.51.100.254/24", "2001:db8:1::fe/64"})
	router.Run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	for ns, dev := range map[*lab.NetNS]string{router: "eth1", lns: "eth0"} {
		ns.Run("ip", "link", "set", dev, "mtu", fmt.Sprint(mtu))
	}
	for ns, via := range map[*lab.NetNS][]string{
		lac: {"192.0.2.254", "2001:db8:2::fe"}, lns: {"198.51.100.254", "2001:db8:1::fe"}} {
		ns.Run("ip", "route", "add", "default", "via", via[0])
		ns.Run("ip", "-6", "route", "add", "default", "via", via[1])
	}
	return lns, lac, netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:1::1")
}

// testPathMTU: with do_pmtu_discovery the interface's MTU becomes what a router's
// next link leaves of it, before anybody has sent anything large; what is as large
// as that passes, and what is larger does not.
func (p plane) testPathMTU(t *testing.T, v6 bool) {
	const path = 1340
	lnsNS, lacNS, dest, dest6 := newPath(t, path)
	want := path - 20 - 8 - 6 - 4
	if v6 {
		dest, want = dest6, path-40-8-6-4
	}
	newSite(t, lnsNS, p.name, lnsConfig())
	lac := newSite(t, lacNS, p.name, join(
		fmt.Sprintf("tunnel create tunnel_name=office dest_ipaddr=%v do_pmtu_discovery=yes", dest),
		"session create tunnel_name=office session_name=s1"+clientOptions))
	session := lac.WaitUp(1, upLimit)[0]
	lab.Wait(t, upLimit, "the MTU to become less", func() error {
		session = lac.Up(false)[0]
		if got := int(session.GetStatus().GetPpp().GetMtu()); got != want {
			return fmt.Errorf("MTU %d, want %d", got, want)
		}
		return nil
	})
	p.checkInterfaceMTU(t, lacNS, session, want)
	far := peerAddr(t, session)
	const headers = 28 // of IP and ICMP
	lacNS.Ping(t, far, 2, "-M", "do", "-s", fmt.Sprint(want-headers))
	err := lacNS.TryPing(t.Context(), far, 1, "-M", "do", "-W", "1", "-s", fmt.Sprint(want-headers+1))
	if err == nil {
		t.Errorf("a packet of %d bytes passed where the MTU is %d", want+1, want)
	}
}

// checkInterfaceMTU looks at the interface itself, where each session has its own.
func (p plane) checkInterfaceMTU(t *testing.T, ns *lab.NetNS, session *api.Session, want int) {
	t.Helper()
	if p.name != "kernel" {
		return
	}
	line := ns.Run("ip", "-o", "link", "show", "dev", session.GetStatus().GetInterface())
	if !strings.Contains(line, fmt.Sprintf("mtu %d ", want)) {
		t.Errorf("the interface's MTU is not %d: %s", want, line)
	}
}
