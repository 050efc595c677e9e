package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"culvert/api"
	"culvert/test/lab"
)

// transferSize is what each session carries each way, 20 MB.
const transferSize = 20 << 20

// An end is one end of a session: an address in a namespace.
type end struct {
	ns   *lab.NetNS
	addr netip.Addr
}

// carry has a session carry pings and transfers both ways.
func carry(t testing.TB, a, b end, size int64) {
	t.Helper()
	ping(t, a, b)
	ping(t, b, a)
	lab.TransferFrom(t, a.ns, a.addr, b.ns, b.addr, size)
	lab.TransferFrom(t, b.ns, b.addr, a.ns, a.addr, size)
}

// ping pings, after having waited for the first answer: a pppd may configure
// its interface some time after its last Configure-Ack.
func ping(t testing.TB, from, to end) {
	t.Helper()
	lab.Wait(t, upLimit, fmt.Sprintf("a ping from %v to %v", from.addr, to.addr), func() error {
		return from.ns.TryPing(t.Context(), to.addr, 1, "-I", from.addr.String())
	})
	from.ns.Ping(t, to.addr, 5, "-I", from.addr.String(), "-i", "0.02")
}

// localAddr and peerAddr are the addresses that IPCP gave a session.
func localAddr(t testing.TB, s *api.Session) netip.Addr {
	t.Helper()
	return parseAddr(t, s.GetStatus().GetPpp().GetLocalIpv4())
}

func peerAddr(t testing.TB, s *api.Session) netip.Addr {
	t.Helper()
	return parseAddr(t, s.GetStatus().GetPpp().GetPeerIpv4())
}

func parseAddr(t testing.TB, text string) netip.Addr {
	t.Helper()
	addr, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatalf("reading an address of a session: %v", err)
	}
	return addr
}

// Counters as l2tpconfig shows them, or as the kernel does.
type counters struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
}

// ownCounters returns what l2tpconfig shows of a session.
func (s *site) ownCounters(session *api.Session) counters {
	s.t.Helper()
	var shown struct {
		Status struct {
			Interface string
			Counters  counters
		}
	}
	s.ConfigJSON(&shown, "session", "show", fmt.Sprintf("tunnel_id=%d", session.GetTunnelId()),
		fmt.Sprintf("session_id=%d", session.GetSessionId()))
	if want := session.GetStatus().GetInterface(); shown.Status.Interface != want {
		s.t.Errorf("interface = %q, want %q", shown.Status.Interface, want)
	}
	return shown.Status.Counters
}

// kernelCounters returns what the kernel counted on a session's interface.
func kernelCounters(t testing.TB, ns *lab.NetNS, dev string) counters {
	t.Helper()
	var links []struct {
		Stats64 struct {
			Rx, Tx struct{ Packets, Bytes uint64 }
		}
	}
	text := ns.Run("ip", "-j", "-s", "link", "show", "dev", dev)
	if err := json.Unmarshal([]byte(text), &links); err != nil || len(links) != 1 {
		t.Fatalf("reading the counters of %s: %v: %s", dev, err, text)
	}
	rx, tx := links[0].Stats64.Rx, links[0].Stats64.Tx
	return counters{rx.Packets, rx.Bytes, tx.Packets, tx.Bytes}
}

// checkCounters fails the test unless our counters are the kernel's, and cover
// what was transferred.
func (s *site) checkCounters(session *api.Session, size uint64) {
	s.t.Helper()
	dev := session.GetStatus().GetInterface()
	var own counters
	lab.Wait(s.t, 20*time.Second, "our counters to equal the kernel's", func() error {
		before := kernelCounters(s.t, s.NS, dev)
		own = s.ownCounters(session)
		// IPv6 may have sent something of its own between the two.
		if after := kernelCounters(s.t, s.NS, dev); own != before && own != after {
			return fmt.Errorf("ours %+v, the kernel's %+v, then %+v", own, before, after)
		}
		return nil
	})
	if own.RxBytes < size || own.TxBytes < size {
		s.t.Errorf("counters %+v after %d bytes each way", own, size)
	}
}
