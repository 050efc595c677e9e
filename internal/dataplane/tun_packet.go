package dataplane

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Lengths of IP headers without options.
const (
	headerIPv4 = 20
	headerIPv6 = 40
)

// read takes packets that the host sends, from one queue, until the device is gone.
func (n *tunNetwork) read(queue int) error {
	// Room before the packet lets a header be put there, so that nothing is copied.
	b := make([]byte, maxDataHeader+1<<16)
	for {
		size, err := n.device.Read(queue, b[maxDataHeader:])
		if err != nil {
			return err
		}
		n.send(queue, b[:maxDataHeader+size])
	}
}

// send sends a packet, which has room for headers before it, into its session.
func (n *tunNetwork) send(queue int, b []byte) {
	packet := b[maxDataHeader:]
	protocol, src, dst, ok := addresses(packet)
	if !ok {
		n.unrouted.Add(1)
		return
	}
	s := n.find(src, dst)
	if s == nil {
		n.unrouted.Add(1)
		return
	}
	link := s.link.Load()
	switch {
	case !link.isOpen(protocol):
		s.count.txDropped.Add(1)
	case len(packet) > link.MTU:
		n.tooLarge(queue, s, link, protocol, packet)
	default:
		s.forward(protocol, b)
	}
}

// forward sends a packet with room for headers before it. It allocates nothing.
func (s *userSession) forward(protocol uint16, b []byte) {
	var room [maxDataHeader]byte
	header := append(s.appendHeader(room[:0]), 0xff, 0x03, byte(protocol>>8), byte(protocol))
	b = b[maxDataHeader-len(header):]
	copy(b, header)
	if err := s.socket.Socket.Forward(b); err != nil {
		s.count.txDropped.Add(1)
		return
	}
	s.count.sent(len(b) - len(header))
}

// find returns the session that a packet of the host goes into, nil if there is none.
//
// The destination decides, as it does where each session has an interface: the
// longest prefix of all peers' addresses and routes. Where several sessions have it,
// as with link-local addresses or two providers that both are 10.0.0.1, it is the
// one whose own address is the source. A destination that no session has
// (a route that somebody else put on the device) goes by the source, if it is the
// address of one session only, and at last to the default route.
func (n *tunNetwork) find(src, dst netip.Addr) *userSession {
	if c, ok := n.lookup.peers.Load().Lookup(dst); ok {
		return pick(c, src)
	}
	if c, ok := n.lookup.locals.Load().Lookup(src); ok && len(c) == 1 {
		return c[0]
	}
	c, _ := n.lookup.defaults.Load().Lookup(dst)
	return pick(c, src)
}

// pick returns the session whose own address is src, else the first.
func pick(c []*userSession, src netip.Addr) *userSession {
	for _, s := range c {
		if l := s.link.Load(); l != nil && (l.IPv4.Local == src || l.IPv6.Local == src) {
			return s
		}
	}
	if len(c) == 0 {
		return nil
	}
	return c[0]
}

// receive has the host receive a packet from the peer.
func (n *tunNetwork) receive(s *userSession, protocol uint16, packet []byte) {
	p, src, _, ok := addresses(packet)
	switch {
	case !ok || p != protocol:
		s.count.rxErrors.Add(1)
	case !n.allowed(s, src):
		s.count.rxDropped.Add(1)
	case n.device.Write(int(s.key.Session)%n.device.Queues(), packet) != nil:
		s.count.rxErrors.Add(1)
	default:
		s.count.received(len(packet))
	}
}

// allowed tells whether packets from src may come from the session: whether
// packets to src would go there.
func (n *tunNetwork) allowed(s *userSession, src netip.Addr) bool {
	if c, ok := n.lookup.peers.Load().Lookup(src); ok {
		return slices.Contains(c, s)
	}
	c, _ := n.lookup.defaults.Load().Lookup(src)
	return slices.Contains(c, s)
}

// addresses returns the protocol and addresses of an IP packet, false if it is
// none or shorter than it says.
func addresses(b []byte) (protocol uint16, src, dst netip.Addr, ok bool) {
	switch {
	case len(b) >= headerIPv4 && b[0]>>4 == 4:
		if size := int(binary.BigEndian.Uint16(b[2:])); size < headerIPv4 || size > len(b) {
			return 0, src, dst, false
		}
		src, dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		return protocolIPv4, src, dst, true
	case len(b) >= headerIPv6 && b[0]>>4 == 6:
		if int(binary.BigEndian.Uint16(b[4:]))+headerIPv6 > len(b) {
			return 0, src, dst, false
		}
		src, dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		return protocolIPv6, src, dst, true
	}
	return 0, src, dst, false
}
