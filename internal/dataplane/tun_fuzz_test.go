package dataplane

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// FuzzPacket: whatever comes out of the TUN device, fragments fit the MTU and hold
// together what was sent, and what is said of a packet that is too large is a packet.
func FuzzPacket(f *testing.F) {
	f.Add([]byte("\x45\x00\x00\x20\x00\x00\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"+
		"0123456789ab"), uint16(28))
	f.Add([]byte("\x46\x00\x00\x20\x00\x00\x40\x00\x40\x01\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"+
		"\x07\x03\x04\x00\x08\x00\x00\x00"), uint16(68))
	f.Add(append([]byte("\x60\x00\x00\x00\x00\x08\x3a\x40"), make([]byte, 40)...), uint16(1280))
	from4, from6 := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("fe80::1")
	f.Fuzz(func(t *testing.T, packet []byte, mtu uint16) {
		protocol, _, _, ok := addresses(packet)
		switch {
		case !ok:
		case protocol == protocolIPv4:
			checkFragments(t, packet, int(mtu))
			checkAnswer(t, fragmentationNeeded(from4, packet, int(mtu)), 576)
		default:
			checkAnswer(t, packetTooBig(from6, packet, int(mtu)), 1280)
		}
	})
}

// checkAnswer checks that an ICMP message, if there is one, is a whole packet.
func checkAnswer(t *testing.T, b []byte, longest int) {
	t.Helper()
	if b == nil {
		return
	}
	if _, _, _, ok := addresses(b); !ok || len(b) > longest {
		t.Errorf("the answer is no packet of at most %d bytes: %x", longest, b)
	}
}

// checkFragments checks the fragments of an IPv4 packet.
func checkFragments(t *testing.T, packet []byte, mtu int) {
	t.Helper()
	header := int(packet[0]&0x0f) * 4
	var payload []byte
	made := fragment(bytes.Clone(packet), mtu, func(b []byte) {
		p := b[maxDataHeader:]
		if _, _, _, ok := addresses(p); !ok || len(p) > mtu {
			t.Fatalf("the fragment is no packet of at most %d bytes: %x", mtu, p)
		}
		if checksum(p[:header], 0) != 0 {
			t.Errorf("the header's checksum is wrong: %x", p[:header])
		}
		payload = append(payload, p[header:]...)
	})
	size := int(binary.BigEndian.Uint16(packet[2:]))
	if made && !bytes.Equal(payload, packet[header:size]) {
		t.Errorf("the fragments hold %x, want %x", payload, packet[header:size])
	}
}
