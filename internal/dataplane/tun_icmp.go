package dataplane

import (
	"encoding/binary"
	"net/netip"
)

// Fields of IP headers.
const (
	protocolICMP   = 1
	protocolICMPv6 = 58
	flagDF         = 0x4000
	flagMF         = 0x2000
	maskOffset     = 0x1fff
)

// tooLarge deals with a packet larger than the session's MTU, which the device's
// own MTU let pass because another session's is larger: it is fragmented if it
// is IPv4 and allows that, else its sender is told.
func (n *tunNetwork) tooLarge(queue int, s *userSession, link *LinkSpec, protocol uint16,
	packet []byte) {
	if protocol == protocolIPv4 && binary.BigEndian.Uint16(packet[6:])&flagDF == 0 {
		if fragment(packet, link.MTU, func(b []byte) { s.forward(protocolIPv4, b) }) {
			return
		}
	}
	s.count.txDropped.Add(1)
	var answer []byte
	// The peer's address stands for the router that says so: the host would
	// not believe its own on a packet from outside.
	if protocol == protocolIPv4 {
		answer = fragmentationNeeded(link.IPv4.Peer, packet, link.MTU)
	} else {
		answer = packetTooBig(link.IPv6.Peer, packet, link.MTU)
	}
	if answer != nil {
		_ = n.device.Write(queue, answer) // if not, the sender will try again
	}
}

// fragment calls send with the fragments of an IPv4 packet, each with room for
// headers before it. It returns false, and sends nothing, if the header is wrong.
func fragment(packet []byte, mtu int, send func(b []byte)) bool {
	header := int(packet[0]&0x0f) * 4
	size := int(binary.BigEndian.Uint16(packet[2:]))
	room := (mtu - header) &^ 7 // "fragment offset is measured in units of 8 octets"
	if header < headerIPv4 || header > size || room <= 0 {
		return false
	}
	first := binary.BigEndian.Uint16(packet[6:])
	for at := header; at < size; at += room {
		end := min(at+room, size)
		b := append(make([]byte, maxDataHeader, maxDataHeader+mtu), packet[:header]...)
		b = append(b, packet[at:end]...)
		p := b[maxDataHeader:]
		if at > header {
			dropOptions(p[headerIPv4:header])
		}
		flags := first + uint16((at-header)/8)
		if end < size {
			flags |= flagMF
		}
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
		binary.BigEndian.PutUint16(p[6:], flags)
		binary.BigEndian.PutUint16(p[10:], 0)
		binary.BigEndian.PutUint16(p[10:], checksum(p[:header], 0))
		send(b)
	}
	return true
}

// dropOptions makes no-operations of those options that are for the first fragment only.
func dropOptions(b []byte) {
	for i := 0; i < len(b) && b[i] != 0; {
		size := 1
		if b[i] != 1 {
			if i+1 >= len(b) || b[i+1] < 2 || i+int(b[i+1]) > len(b) {
				return
			}
			size = int(b[i+1])
		}
		if b[i]&0x80 == 0 { // the copied flag
			for j := i; j < i+size; j++ {
				b[j] = 1
			}
		}
		i += size
	}
}

// fragmentationNeeded returns ICMP's "fragmentation needed and DF set" about a
// packet, nil where none may be sent.
func fragmentationNeeded(from netip.Addr, packet []byte, mtu int) []byte {
	src := netip.AddrFrom4([4]byte(packet[12:]))
	fragmented := binary.BigEndian.Uint16(packet[6:])&maskOffset != 0
	header := int(packet[0]&0x0f) * 4
	if fragmented || src.IsUnspecified() || src.IsMulticast() || !from.Is4() ||
		isICMPError(packet[9] == protocolICMP, packet[min(header, len(packet)):]) {
		return nil
	}
	// "The internet header plus the first 64 bits of the original datagram's
	// data", and more where there is (RFC 1812, 4.3.2.3).
	quote := packet[:min(len(packet), 548)]
	b := make([]byte, headerIPv4+8, headerIPv4+8+len(quote))
	b = append(b, quote...)
	b[0], b[8], b[9] = 0x45, 64, protocolICMP
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], from.AsSlice())
	copy(b[16:], src.AsSlice())
	binary.BigEndian.PutUint16(b[10:], checksum(b[:headerIPv4], 0))
	icmp := b[headerIPv4:]
	icmp[0], icmp[1] = 3, 4 // destination unreachable, fragmentation needed
	binary.BigEndian.PutUint16(icmp[6:], uint16(mtu))
	binary.BigEndian.PutUint16(icmp[2:], checksum(icmp, 0))
	return b
}

// packetTooBig returns ICMPv6's message of that name, nil where none may be sent.
func packetTooBig(from netip.Addr, packet []byte, mtu int) []byte {
	src := netip.AddrFrom16([16]byte(packet[8:]))
	if src.IsUnspecified() || src.IsMulticast() || !from.Is6() ||
		isICMPv6Error(packet[6] == protocolICMPv6, packet[headerIPv6:]) {
		return nil
	}
	// "As much of invoking packet as possible without the ICMPv6 packet
	// exceeding the minimum IPv6 MTU" (RFC 4443, 3.2), which is 1280.
	quote := packet[:min(len(packet), 1280-headerIPv6-8)]
	b := make([]byte, headerIPv6+8, headerIPv6+8+len(quote))
	b = append(b, quote...)
	b[0], b[6], b[7] = 0x60, protocolICMPv6, 255
	icmp := b[headerIPv6:]
	binary.BigEndian.PutUint16(b[4:], uint16(len(icmp)))
	from16, src16 := from.As16(), src.As16()
	copy(b[8:], from16[:])
	copy(b[24:], src16[:])
	icmp[0] = 2
	binary.BigEndian.PutUint32(icmp[4:], uint32(mtu))
	// The checksum covers a pseudo-header: addresses, length, next header.
	pseudo := sum(b[8:headerIPv6], uint32(len(icmp))+protocolICMPv6)
	binary.BigEndian.PutUint16(icmp[2:], checksum(icmp, pseudo))
	return b
}

// isICMPError tells whether an ICMP message, if it is one, is an error, which must
// not be answered by an error: all but queries and their replies.
func isICMPError(icmp bool, b []byte) bool {
	return icmp && (len(b) == 0 || b[0] != 0 && b[0] != 8 && (b[0] < 13 || b[0] > 18))
}

func isICMPv6Error(icmp bool, b []byte) bool {
	return icmp && (len(b) == 0 || b[0] < 128)
}

// checksum is the Internet checksum of b, begun with a sum.
func checksum(b []byte, begin uint32) uint16 {
	s := sum(b, begin)
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

func sum(b []byte, s uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}
