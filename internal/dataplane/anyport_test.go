package dataplane_test

import (
	"net/netip"
	"testing"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/l2tp"
)

// TestAnyPortShared has two tunnels wait for their peers on one unconnected socket,
// without a listener. One is connected; the other goes on.
func TestAnyPortShared(t *testing.T) {
	said := dataplanetest.NewRecorder()
	here, err := dataplane.NewNull(said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	there, err := dataplane.NewNull(dataplanetest.NewRecorder())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	far, err := there.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	local := freePort(t, here)
	var tunnels []dataplane.Tunnel
	for id := range l2tp.TunnelID(2) {
		tun, err := here.OpenTunnel(t.Context(), dataplane.TunnelSpec{
			ID: 1 + id, Local: local, Peer: far.Addr(), AnyPort: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		tunnels = append(tunnels, tun)
	}
	if err := tunnels[0].Reconnect(t.Context(), netip.MustParseAddrPort("127.0.0.1:9")); err != nil {
		t.Fatal(err)
	}
	answer := []byte{0xc8, 0x02, 'h', 'i'}
	if err := far.Send(far.Addr().Addr(), local, answer); err != nil {
		t.Fatal(err)
	}
	if d := said.Datagram(t); d.Tunnel != 2 || string(d.Data) != string(answer) {
		t.Errorf("tunnel %d received % x, want % x by tunnel 2", d.Tunnel, d.Data, answer)
	}
}

// freePort returns an address that a listener had until now.
func freePort(t *testing.T, d dataplane.Dataplane) netip.AddrPort {
	t.Helper()
	l, err := d.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr()
}
