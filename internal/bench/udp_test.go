package bench

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestZoneOfTarget: an address that is told with the name of its interface is heard, though
// the kernel tells it otherwise.
func TestZoneOfTarget(t *testing.T) {
	lns, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skip("this host has no IPv6: ", err)
	}
	defer lns.Close()
	network, err := OpenUDP()
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	to := netip.AddrPortFrom(netip.MustParseAddr("::1%lo"), lns.LocalAddr().(*net.UDPAddr).AddrPort().Port())
	heard := make(chan string, 1)
	c, err := network.Dial(netip.AddrPort{}, to, func(_ netip.AddrPort, b []byte) { heard <- string(b) })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Send(to, []byte("SCCRQ")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	n, lac, err := lns.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lns.WriteToUDPAddrPort(b[:n], lac); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-heard:
		same(t, "heard", got, "SCCRQ")
	case <-time.After(10 * time.Second):
		t.Error("the LNS is not heard")
	}
}
