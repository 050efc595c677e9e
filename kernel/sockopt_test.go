package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChecksums: what an IPv4 socket sends has checksums or not, as it was told last.
func TestChecksums(t *testing.T) {
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(raw)
	lo := netip.MustParseAddr("127.0.0.1")
	peer := listen(t, netip.AddrPortFrom(lo, 0))
	s := dial(t, netip.AddrPortFrom(lo, 0), peer.Local(), DialOptions{NoChecksum: true})
	for _, without := range []bool{true, false, true} {
		if err := s.SetNoChecksum(without); err != nil {
			t.Fatal(err)
		}
		if err := s.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if sum := receivedChecksum(t, raw, peer.Local().Port()); (sum == 0) != without {
			t.Errorf("without checksums: %v, checksum %#x", without, sum)
		}
	}
}

// receivedChecksum is that of the next datagram to a port.
func receivedChecksum(t *testing.T, raw int, port uint16) uint16 {
	t.Helper()
	b := make([]byte, MaxDatagram)
	for {
		n, _, err := unix.Recvfrom(raw, b, 0)
		if err != nil {
			t.Fatal(err)
		}
		const ip = 20
		if n >= ip+8 && binary.BigEndian.Uint16(b[ip+2:]) == port {
			return binary.BigEndian.Uint16(b[ip+6:])
		}
	}
}

// TestTooLarge: what may not be fragmented and does not fit does not leave, its
// sender is told, and the path's MTU is known.
func TestTooLarge(t *testing.T) {
	for _, at := range loopbacks {
		lo := netip.MustParseAddr(at)
		peer := listen(t, netip.AddrPortFrom(lo, 0))
		told := 0
		s := dial(t, netip.AddrPortFrom(lo, 0), peer.Local(),
			DialOptions{DontFragment: true, TooLarge: func() { told++ }})
		mtu, err := s.PathMTU()
		if err != nil {
			t.Fatal(err)
		}
		if mtu > 65000 {
			mtu = 65535 // the device takes more than IP has
		}
		err = s.Send(make([]byte, min(mtu, 65507)+1))
		if !errors.Is(err, unix.EMSGSIZE) || told != 1 {
			t.Errorf("%s: sending more than %d bytes: %v, told %d times", at, mtu, err, told)
		}
		if err := s.Send(make([]byte, 100)); err != nil || told != 1 {
			t.Errorf("%s: sending 100 bytes: %v, told %d times", at, err, told)
		}
	}
}
