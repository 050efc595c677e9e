package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"culvert/test/lab"

	"golang.org/x/sys/unix"
)

// TestSocketSurvivesICMP has each kind of "destination unreachable" arrive for a
// connected socket: anybody can send these, and none may end the socket's use.
func TestSocketSurvivesICMP(t *testing.T) {
	lab.RequireRoot(t)
	peer := listen(t, netip.MustParseAddrPort("127.0.0.1:0"))
	s := dial(t, netip.AddrPort{}, peer.Local(), DialOptions{})
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(raw)
	const unreachable, parameterProblem = 3, 12
	for code := range byte(16) {
		for _, typ := range []byte{unreachable, parameterProblem} {
			b := icmpError(typ, code, s.Local(), s.Peer())
			to := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
			if err := unix.Sendto(raw, b, 0, to); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("behind %d/%d", typ, code)
			if err := peer.SendTo(netip.Addr{}, s.Local(), []byte(text)); err != nil {
				t.Fatal(err)
			}
			wantQueued(t, s, fmt.Sprintf("%s from %v to %v", text, peer.Local(), s.Local()))
		}
	}
}

// icmpError returns an ICMP message about a datagram that went from local to peer.
func icmpError(typ, code byte, local, peer netip.AddrPort) []byte {
	b := []byte{typ, code, 0, 0, 0, 0, 0, 0}
	b = append(b, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0)
	b = append(b, local.Addr().AsSlice()...)
	b = append(b, peer.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, local.Port())
	b = binary.BigEndian.AppendUint16(b, peer.Port())
	b = append(b, 0, 20, 0, 0)
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	return b
}
