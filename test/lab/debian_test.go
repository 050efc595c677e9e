package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Two of Debian's xl2tpd with pppd, one as LAC and one as LNS: what the rest of
// the tests measures Culvert by works here without Culvert.
func TestDebianPeers(t *testing.T) {
	RequireKernel(t)
	RequireProgram(t, "xl2tpd")
	lns, lac := NewNetNS(t, "lns"), NewNetNS(t, "lac")
	Veth(t, lns, "eth0", []string{"192.0.2.1/24"}, lac, "eth0", []string{"192.0.2.2/24"})
	lnsBefore, lacBefore := lns.State(), lac.State()
	c := lns.Capture(t, "eth0", "udp port 1701")

	lns.EtcFile("ppp/chap-secrets", "alice lns secret *\n", 0o600)
	server := startXL2TPD(t, lns, "[global]\nlisten-addr = 192.0.2.1\n"+
		"[lns default]\nip range = 10.9.0.10-10.9.0.20\nlocal ip = 10.9.0.1\n"+
		"require chap = yes\nrefuse pap = yes\nname = lns\n", "noccp\n")
	server.WaitOutput(20*time.Second, `Listening on IP address`)
	client := startXL2TPD(t, lac, "[global]\nlisten-addr = 192.0.2.2\n"+
		"[lac test]\nlns = 192.0.2.1\nautodial = yes\n",
		"noauth\nnoccp\nname alice\npassword secret\n")

	client.WaitOutput(60*time.Second, `Call established`)
	far := netip.MustParseAddr("10.9.0.1")
	Wait(t, 30*time.Second, "a ping through the session", func() error {
		return lac.TryPing(t.Context(), far, 1)
	})
	lac.Ping(t, far, 5)
	Transfer(t, lac, lns, far, 1<<20)
	Transfer(t, lns, lac, netip.MustParseAddr("10.9.0.10"), 1<<20)

	for _, d := range []*Daemon{client, server} {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	}
	lac.CheckLeaks(t, lacBefore)
	lns.CheckLeaks(t, lnsBefore)
	CheckCapture(t, c.Stop())
}

// startXL2TPD starts xl2tpd with its files in a directory of its own. The
// options are pppd's.
func startXL2TPD(t *testing.T, n *NetNS, conf, options string) *Daemon {
	t.Helper()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf += fmt.Sprintf("pppoptfile = %s\nppp debug = yes\n", file("options", options))
	return n.StartDaemon(t, "xl2tpd", "-D", "-c", file("xl2tpd.conf", conf),
		"-s", file("secrets", ""), "-p", dir+"/pid", "-C", dir+"/control")
}
