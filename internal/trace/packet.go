package trace

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const protocolUDP = 17

// appendIP appends the packet as it was on the wire, or could have been: the
// kernel kept its headers to itself, so they are made again from the addresses.
func (p *Packet) appendIP(b []byte) []byte {
	src, dst := plain(p.Peer), plain(p.Local)
	if p.Direction == Sent {
		src, dst = dst, src
	}
	udp := appendUDP(nil, src, dst, p.Data)
	if src.Addr().Is4() {
		return append(appendIPv4(b, src.Addr(), dst.Addr(), len(udp)), udp...)
	}
	return append(appendIPv6(b, src.Addr(), dst.Addr(), len(udp)), udp...)
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// settle makes both ends of one family. A socket that is not connected does not
// know its address: it is the one by which the peer is reached, if source knows.
func (p *Packet) settle(source func(peer netip.AddrPort) netip.Addr) {
	peer := p.Peer.Addr().Unmap()
	local := p.Local.Addr().Unmap()
	if !local.IsValid() || local.IsUnspecified() {
		local = source(p.Peer).Unmap()
	}
	if !local.IsValid() || local.Is4() != peer.Is4() {
		local = netip.IPv4Unspecified()
		if peer.Is6() {
			local = netip.IPv6Unspecified()
		}
	}
	p.Local = netip.AddrPortFrom(local, p.Local.Port())
}

// sourceFor asks the host by which address it reaches a peer. Nothing is sent.
func sourceFor(peer netip.AddrPort) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(peer))
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
}

// appendUDP appends a UDP datagram with its checksum, which covers the addresses.
func appendUDP(b []byte, src, dst netip.AddrPort, data []byte) []byte {
	n := 8 + len(data)
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, src.Port())
	b = binary.BigEndian.AppendUint16(b, dst.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	b = append(b, 0, 0)
	b = append(b, data...)
	pseudo := append(src.Addr().AsSlice(), dst.Addr().AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(n))
	pseudo = binary.BigEndian.AppendUint32(pseudo, protocolUDP)
	sum := checksum(pseudo, b[start:])
	if sum == 0 {
		sum = 0xffff // zero says that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(b[start+6:], sum)
	return b
}

func appendIPv4(b []byte, src, dst netip.Addr, payload int) []byte {
	start := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+payload))
	b = append(b, 0, 0, 0x40, 0, 64, protocolUDP, 0, 0) // no identification, DF, TTL 64
	b = append(b, src.AsSlice()...)
	b = append(b, dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[start+10:], checksum(b[start:]))
	return b
}

func appendIPv6(b []byte, src, dst netip.Addr, payload int) []byte {
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(payload))
	b = append(b, protocolUDP, 64)
	b = append(b, src.AsSlice()...)
	return append(b, dst.AsSlice()...)
}

// checksum is that of RFC 1071, over parts of which all but the last are of even length.
func checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, b := range parts {
		for len(b) > 1 {
			sum += uint32(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
