package bench

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A packet is an IPv4 packet with a probe in it.
type packet struct {
	kind           TrafficKind
	source, target netip.AddrPort
	probe          probe
}

// A probe is what tells a packet of ours from others, and which it is.
type probe struct {
	tag      uint32 // of the run
	session  uint32
	sequence uint32
	sent     time.Duration
}

const (
	protocolICMP = 1
	protocolUDP  = 17

	icmpEchoReply   = 0
	icmpEchoRequest = 8

	headerIPv4      = 20
	headerEcho      = 8 // of ICMP's echo, and of UDP
	probeSize       = 24
	minPacket       = headerIPv4 + headerEcho + probeSize
	flowPort        = 49152
	timeToLive      = 64
	probeMark       = 0x43764265 // CvBe
	pppIPv4    byte = 0x21
)

// append appends a PPP frame with the packet, which has size bytes.
func (p packet) append(b []byte, size int) []byte {
	b = append(b, 0, pppIPv4)
	begin := len(b)
	b = append(b, make([]byte, size)...)
	ip := b[begin:]
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(size))
	ip[8] = timeToLive
	source, target := p.source.Addr().As4(), p.target.Addr().As4()
	copy(ip[12:], source[:])
	copy(ip[16:], target[:])
	p.probe.put(ip[headerIPv4+headerEcho:])
	p.fill(ip)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip[:headerIPv4]))
	return b
}

// fill writes the header behind IP's. UDP goes without a checksum, which IPv4 allows.
func (p packet) fill(ip []byte) {
	h := ip[headerIPv4:]
	if p.kind == UDPEcho {
		ip[9] = protocolUDP
		binary.BigEndian.PutUint16(h, p.source.Port())
		binary.BigEndian.PutUint16(h[2:], p.target.Port())
		binary.BigEndian.PutUint16(h[4:], uint16(len(h)))
		return
	}
	ip[9] = protocolICMP
	h[0] = icmpEchoRequest
	binary.BigEndian.PutUint16(h[4:], uint16(p.probe.session))
	binary.BigEndian.PutUint16(h[6:], uint16(p.probe.sequence))
	binary.BigEndian.PutUint16(h[2:], checksum(h))
}

func (p probe) put(b []byte) {
	binary.BigEndian.PutUint32(b, probeMark)
	binary.BigEndian.PutUint32(b[4:], p.tag)
	binary.BigEndian.PutUint32(b[8:], p.session)
	binary.BigEndian.PutUint32(b[12:], p.sequence)
	binary.BigEndian.PutUint64(b[16:], uint64(p.sent))
}

// parseProbe finds the probe in an IPv4 packet that came back.
func parseProbe(ip []byte) (probe, bool) {
	if len(ip) < minPacket || ip[0]>>4 != 4 {
		return probe{}, false
	}
	header := int(ip[0]&0xf) * 4
	if header < headerIPv4 || len(ip) < header+headerEcho+probeSize {
		return probe{}, false
	}
	h := ip[header:]
	switch ip[9] {
	case protocolICMP:
		if h[0] != icmpEchoReply {
			return probe{}, false
		}
	case protocolUDP:
	default:
		return probe{}, false
	}
	b := h[headerEcho:]
	if binary.BigEndian.Uint32(b) != probeMark {
		return probe{}, false
	}
	return probe{
		tag:      binary.BigEndian.Uint32(b[4:]),
		session:  binary.BigEndian.Uint32(b[8:]),
		sequence: binary.BigEndian.Uint32(b[12:]),
		sent:     time.Duration(binary.BigEndian.Uint64(b[16:])),
	}, true
}

// checksum is the Internet's (RFC 1071).
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
