package dataplane

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"culvert/kernel"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// lookupNetwork is a network without a device, whose sessions are steered by links.
func lookupNetwork(links ...*LinkSpec) (*tunNetwork, []*userSession) {
	n := &tunNetwork{setup: newTUNSetup()}
	n.lookup.peers.Store(new(sessionTable))
	n.lookup.locals.Store(new(sessionTable))
	n.lookup.defaults.Store(new(sessionTable))
	var all []*userSession
	for _, l := range links {
		s := &userSession{}
		s.link.Store(l)
		n.change4test(s, nil, l)
		all = append(all, s)
	}
	return n, all
}

// change4test does what change does, without the kernel.
func (n *tunNetwork) change4test(s *userSession, old, spec *LinkSpec) []kernel.Change {
	if spec == nil {
		delete(n.setup.links, s)
	} else {
		n.setup.links[s] = spec
	}
	return slices.Concat(n.resize(old, spec), n.changeOwn(s, old, spec), n.changeRoutes(s, old, spec))
}

func TestFind(t *testing.T) {
	link := func(local, peer, local6, peer6 string, routes ...string) *LinkSpec {
		l := &LinkSpec{
			MTU:  1400,
			IPv4: PointToPoint{addr(local), addr(peer)},
			IPv6: PointToPoint{addr(local6), addr(peer6)},
		}
		for _, r := range routes {
			l.Routes = append(l.Routes, netip.MustParsePrefix(r))
		}
		return l
	}
	one := link("10.0.0.1", "10.0.0.2", "fe80::1", "fe80::2", "192.168.0.0/16")
	two := link("10.0.0.1", "10.0.0.3", "fe80::11", "fe80::2", "192.168.7.0/24", "2001:db8::/32")
	three := link("10.0.0.9", "10.0.0.2", "fe80::1", "fe80::3")
	three.DefaultRoute = true
	n, all := lookupNetwork(one, two, three)
	for _, c := range []struct {
		src, dst string
		want     int // which session, 0 for none
	}{
		{"10.0.0.1", "10.0.0.2", 1},     // the first of two with that peer and ...
		{"10.0.0.9", "10.0.0.2", 3},     // ... the one that is the source
		{"172.16.0.1", "10.0.0.2", 1},   // forwarded: the first
		{"10.0.0.1", "10.0.0.3", 2},     // the peer
		{"10.0.0.1", "192.168.1.1", 1},  // its route
		{"10.0.0.1", "192.168.7.1", 2},  // the longer one
		{"10.0.0.9", "192.168.7.1", 2},  // the destination comes first
		{"10.0.0.9", "8.8.8.8", 3},      // by the source
		{"10.0.0.1", "8.8.8.8", 3},      // the default route: two have that source
		{"fe80::11", "ff02::1", 2},      // multicast goes by the source
		{"fe80::11", "fe80::2", 2},      // the peer's address is not unique
		{"fe80::1", "fe80::2", 1},       //
		{"fe80::1", "2001:db8::1", 2},   // IPv6 route
		{"fe80::77", "2001:db9::1", 3},  // IPv6 default route
		{"fe80::11", "2001:db9::99", 2}, // by the source
	} {
		want := (*userSession)(nil)
		if c.want > 0 {
			want = all[c.want-1]
		}
		if got := n.find(addr(c.src), addr(c.dst)); got != want {
			t.Errorf("from %s to %s: session %d, want %d",
				c.src, c.dst, slices.Index(all, got)+1, c.want)
		}
	}
	for _, c := range []struct {
		session int
		src     string
		want    bool
	}{
		{1, "10.0.0.2", true}, {1, "10.0.0.3", false}, {2, "10.0.0.2", false},
		{1, "192.168.1.1", true}, {1, "192.168.7.1", false}, {2, "192.168.7.1", true},
		{1, "8.8.8.8", false}, {3, "8.8.8.8", true}, {3, "10.0.0.3", false},
		{1, "fe80::2", true}, {1, "fe80::99", false}, {3, "2001:db9::1", true},
	} {
		if got := n.allowed(all[c.session-1], addr(c.src)); got != c.want {
			t.Errorf("from %s by session %d: allowed %v, want %v", c.src, c.session, got, c.want)
		}
	}
	for i, l := range []*LinkSpec{one, two, three} {
		n.change4test(all[i], l, nil)
	}
	if s := &n.setup; len(s.links)+len(s.users)+len(s.own)+len(s.mtus) > 0 ||
		n.lookup.peers.Load().Size()+n.lookup.locals.Load().Size()+n.lookup.defaults.Load().Size() > 0 {
		t.Errorf("left after all are closed: %v %v %v %v", s.links, s.users, s.own, s.mtus)
	}
}

func TestFragment(t *testing.T) {
	p := make([]byte, 24+1000)
	for i := range p {
		p[i] = byte(i)
	}
	p[0], p[9] = 0x46, 17
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	binary.BigEndian.PutUint16(p[6:], 0)
	copy(p[20:], "\x94\x04\x00\x00") // router alert, copied into each fragment
	var whole []byte
	fragments := 0
	ok := fragment(p, 500, func(b []byte) {
		b = b[maxDataHeader:]
		flags := binary.BigEndian.Uint16(b[6:])
		last := len(whole)+len(b)-24 == 1000
		if len(b) > 500 || int(flags&maskOffset)*8 != len(whole) || (flags&flagMF == 0) != last {
			t.Errorf("fragment %d: %d bytes, flags and offset %04x", fragments, len(b), flags)
		}
		if checksum(b[:24], 0) != 0 || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
			t.Errorf("fragment %d: header % x", fragments, b[:24])
		}
		whole = append(whole, b[24:]...)
		fragments++
	})
	if !ok || fragments != 3 || !bytes.Equal(whole, p[24:]) {
		t.Errorf("%v: %d fragments with %d bytes", ok, fragments, len(whole))
	}
}

func TestTooLargeAnswers(t *testing.T) {
	p := make([]byte, 1500)
	p[0], p[9] = 0x45, 17
	copy(p[12:], addr("10.0.0.1").AsSlice())
	b := fragmentationNeeded(addr("10.0.0.2"), p, 1400)
	if len(b) != 576 || checksum(b[:20], 0) != 0 || checksum(b[20:], 0) != 0 ||
		string(b[20:22]) != "\x03\x04" || binary.BigEndian.Uint16(b[26:]) != 1400 {
		t.Errorf("ICMP: %d bytes, % x", len(b), b[:min(len(b), 28)])
	}
	p[9], p[20] = protocolICMP, 3
	if b := fragmentationNeeded(addr("10.0.0.2"), p, 1400); b != nil {
		t.Error("an error is answered by an error")
	}
	p = make([]byte, 1500)
	p[0], p[6] = 0x60, 17
	copy(p[8:], addr("fe80::1").AsSlice())
	b = packetTooBig(addr("fe80::2"), p, 1400)
	if len(b) != 1280 || b[40] != 2 || binary.BigEndian.Uint32(b[44:]) != 1400 {
		t.Errorf("ICMPv6: %d bytes, % x", len(b), b[:min(len(b), 48)])
	}
	if checksum(b[40:], sum(b[8:40], uint32(len(b)-40+58))) != 0 {
		t.Error("ICMPv6: wrong checksum")
	}
}
