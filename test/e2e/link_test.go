package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"culvert/test/lab"
)

// testLink has the kernel of each host show what a PPP profile says: MTU and MRU, the
// default route, ARP answered for the client on a network of the server, and the end
// of a session that carries nothing.
func (p plane) testLink(t *testing.T) {
	lnsNS, lacNS := newHosts(t)
	third := lab.NewNetNS(t, "lan")
	lab.Veth(t, lnsNS, "lan0", []string{"10.77.0.1/24"}, third, "eth0", []string{"10.77.0.3/24"})
	lnsNS.Run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; "+
		"echo 0 > /proc/sys/net/ipv4/neigh/lan0/proxy_delay")
	lnsClean, lacClean := lnsNS.State(), lacNS.State()
	lns := newSite(t, lnsNS, p.name, join(
		"pool create pool_name=lan addresses=10.77.0.100-10.77.0.110",
		`user create user_name=alice user_password="open sesame"`,
		"ppp profile modify profile_name=default local_ipaddr=10.77.0.1 ip_pool_name=lan"+
			" proxy_arp=yes idle_timeout=15 ipv6=no mtu=1300"))
	lac := newSite(t, lacNS, p.name, join(
		"ppp profile modify profile_name=default default_route=yes ipv6=no mru=1250 mtu=1400",
		"tunnel create tunnel_name=office dest_ipaddr=192.0.2.1"))
	lac.before = lacClean
	// Only now, when a slow machine has done all that takes long: the session is idle
	// until the first ping.
	lac.Config("session", "create", "tunnel_name=office", "session_name=s1", "user_name=alice",
		"user_password=open sesame")
	near, far := lac.WaitUp(1, upLimit)[0], lns.WaitUp(1, upLimit)[0]

	wantMTU(t, lnsNS, far.GetStatus().GetInterface(), 1250) // the client's MRU
	wantMTU(t, lacNS, near.GetStatus().GetInterface(), 1400)
	addr := localAddr(t, near)
	if route := lacNS.Run("ip", "route", "get", "198.51.100.1"); !strings.Contains(route,
		"dev "+near.GetStatus().GetInterface()+" src "+addr.String()) {
		t.Errorf("the client's default route is %s", route)
	}
	for begin := time.Now(); time.Since(begin) < 18*time.Second; {
		third.Ping(t, addr, 3)
	}
	if up := lns.Up(false); len(up) != 1 {
		t.Errorf("%d sessions are up while one carries pings, want 1", len(up))
	}
	lns.WaitOutput(upLimit, `idle for 15s`)
	lac.waitDown(t, near)
	lac.deleteTunnels()
	lac.checkGone()
	lns.checkGone()
	lac.stop(lacClean)
	lns.stop(lnsClean)
}

func wantMTU(t testing.TB, ns *lab.NetNS, dev string, mtu int) {
	t.Helper()
	if out := ns.Run("ip", "link", "show", "dev", dev); !strings.Contains(out, fmt.Sprintf("mtu %d ", mtu)) {
		t.Errorf("%s is %s, want mtu %d", dev, out, mtu)
	}
}
