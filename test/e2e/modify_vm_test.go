package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"culvert/test/lab"
)

// testModify: what is changed of a running tunnel and session, by either end, is
// what the kernel has, and the session goes on.
func (p plane) testModify(t *testing.T) {
	c := p.newPair(t, lnsConfig(), join("tunnel create tunnel_name=office dest_ipaddr=192.0.2.1",
		"session create tunnel_name=office session_name=s1 interface_name=wan%s"+clientOptions))
	session := c.lac.WaitUp(1, upLimit)[0]
	if name := session.GetStatus().GetInterface(); !strings.HasPrefix(name, "wan") {
		t.Errorf("the interface is called %s", name)
	}
	far := c.lns.WaitUp(1, upLimit)[0]
	c.lac.Config("session", "modify", "tunnel_name=office", "session_name=s1",
		"sequencing_required=yes", "reorder_timeout=80")
	wantKernel(t, c.lac.NS, "session", "sequence numbering: send recv", "reorder timeout: 80")
	c.lns.Config("session", "modify", fmt.Sprintf("tunnel_id=%d", far.GetTunnelId()),
		fmt.Sprintf("session_id=%d", far.GetSessionId()), "use_sequence_numbers=yes")
	wantKernel(t, c.lns.NS, "session", "sequence numbering: send")
	p.carrySession(t, c, session, 1<<16)

	capture := c.lac.NS.Capture(t, "eth0", "udp port 1701 and src 192.0.2.2")
	c.lac.Config("tunnel", "modify", "tunnel_name=office", "use_udp_checksums=no", "mtu=1300")
	wantKernel(t, c.lac.NS, "tunnel", "UDP checksum: disabled")
	p.checkInterfaceMTU(t, c.lac.NS, session, 1300)
	c.lac.NS.Ping(t, peerAddr(t, session), 2)
	file := capture.Stop()
	const data = "l2tp.type == 0"
	if with := lab.Tshark(t, file, data+" and udp.checksum != 0"); with != "" {
		t.Errorf("data with checksums:\n%s", with)
	}
	if without := lab.Tshark(t, file, data+" and udp.checksum == 0"); without == "" {
		t.Error("no data without checksums")
	}
	c.lac.Config("tunnel", "modify", "tunnel_name=office", "use_udp_checksums=yes")
	wantKernel(t, c.lac.NS, "tunnel", "UDP checksum: enabled")
	c.end()
}

// wantKernel waits until the kernel says words of its tunnel or session.
func wantKernel(t *testing.T, ns *lab.NetNS, what string, words ...string) {
	t.Helper()
	lab.Wait(t, upLimit, "the kernel to say "+strings.Join(words, ", "), func() error {
		said := ns.Run("ip", "l2tp", "show", what)
		for _, w := range words {
			if !strings.Contains(said, w) {
				return errors.New("it says " + said)
			}
		}
		return nil
	})
}
