package e2e

import (
	"testing"

	"culvert/test/lab"
)

// A control message, or a data message with a PPP control protocol or a ping
// in it: the rest is bulk. The offsets are those of the UDP payload: the L2TP
// header of data is 6 bytes, FF 03 and the PPP protocol follow.
const (
	captureFilter = "udp and (udp[8] & 0x80 != 0 or udp[16] & 0x80 != 0 or " +
		"(udp[16:2] = 0x0021 and udp[27] = 1))"
	captureFilter6 = "ip6[6] = 17 and (ip6[48] & 0x80 != 0 or ip6[56] & 0x80 != 0 or " +
		"(ip6[56:2] = 0x0021 and ip6[67] = 1))"
)

// captureControl captures what is not bulk on the host's eth0.
func captureControl(t testing.TB, ns *lab.NetNS) (check func()) {
	t.Helper()
	lab.RequireProgram(t, "tcpdump")
	c := ns.Capture(t, "eth0", "("+captureFilter+") or ("+captureFilter6+")")
	return func() {
		t.Helper()
		lab.CheckCapture(t, c.Stop())
	}
}
