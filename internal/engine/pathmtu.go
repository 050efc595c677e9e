package engine

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A pathMTU is what a tunnel with do_pmtu_discovery knows of its path. It only
// ever becomes less: what a route takes again is not worth the packets lost
// in finding out that it does not.
type pathMTU struct {
	mtu   int       // the largest IP packet; 0: not known
	tried int       // the largest MTU of a session of which probes were sent
	left  int       // probes of this round that are still to be sent
	at    time.Time // when it is looked at next
}

// How the path is watched. The kernel takes what routers say of a probe, and we ask it
// a moment later; some probes make a round, since probes and answers are lost; and
// there is another round from time to time, for paths change (RFC 1191, 6.3).
const (
	probes        = 3
	probeAnswer   = time.Second
	probeInterval = 10 * time.Minute
)

// watchPath is called when a session has come up: something can be sent now.
func (t *tunnel) watchPath(now time.Time, s *session) {
	if !t.settings.DoPMTUDiscovery || t.pmtu != nil && (!s.canProbe() || s.mtu() <= t.pmtu.tried) {
		return
	}
	if t.pmtu == nil {
		t.pmtu = &pathMTU{}
	}
	t.pmtu.left = probes
	t.lookAtPath(now)
}

// lookAtPath asks what is known of the path, and sends the next probe.
func (t *tunnel) lookAtPath(now time.Time) {
	if t.learnPath() {
		t.pmtu.left = probes
	}
	s := t.widest()
	if s == nil || t.pmtu.left == 0 {
		t.pmtu.left, t.pmtu.at = probes, now.Add(probeInterval)
	} else {
		t.pmtu.left--
		t.pmtu.at = now.Add(probeAnswer)
		t.pmtu.tried = max(t.pmtu.tried, s.mtu())
		t.send(s.probe())
	}
	t.shard.deadlines.update(t)
}

// canProbe reports whether the session can send probes: one that numbers its data would
// be upset by what has no number.
func (s *session) canProbe() bool {
	return s.phase == up && s.link != nil && !s.spec().SendSequence
}

// widest returns the session with the largest MTU of those that can send probes, or nil.
func (t *tunnel) widest() *session {
	var widest *session
	for _, s := range t.sessions {
		if s.canProbe() && (widest == nil || s.mtu() > widest.mtu()) {
			widest = s
		}
	}
	return widest
}

// probe is a data message with an LCP Discard-Request that is as long as the
// largest packet.
//
// "LCP includes a Discard-Request Code in order to provide a Data Link Layer sink
// mechanism for use in exercising the local to remote direction of the link.
// This is useful as an aid in debugging, performance testing, and for numerous
// other functions."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.9
func (s *session) probe() []byte {
	const (
		lcp, discardRequest = 0xc021, 11
		header              = l2tpHeader + pppHeader
	)
	b := make([]byte, header+s.mtu())
	binary.BigEndian.PutUint16(b, 2) // version
	binary.BigEndian.PutUint16(b[2:], uint16(s.tunnel.core.PeerID()))
	binary.BigEndian.PutUint16(b[4:], uint16(s.peerID))
	b[6], b[7] = 0xff, 0x03
	binary.BigEndian.PutUint16(b[8:], lcp)
	b[10], b[11] = discardRequest, byte(s.tunnel.pmtu.left)
	binary.BigEndian.PutUint16(b[12:], uint16(s.mtu()))
	binary.BigEndian.PutUint32(b[14:], s.link.Terms().MagicNumber)
	return b
}

// tooLarge is called by the data plane when a packet was too large for the path.
func (t *tunnel) tooLarge() {
	t.shard.mail.post(func() {
		if t.pmtu != nil && t.end == nil && t.learnPath() {
			t.pmtu.left = probes
			t.lookAtPath(time.Now())
		}
	})
}

// learnPath asks the data plane what the path takes, and reports whether that is
// less than what the sessions send.
func (t *tunnel) learnPath() bool {
	mtu := t.path.PathMTU()
	if mtu == 0 || t.pmtu.mtu > 0 && mtu >= t.pmtu.mtu {
		return false
	}
	was := t.pmtu.mtu
	t.pmtu.mtu = mtu
	shrunk := false
	for _, s := range t.sessions {
		if s.phase == up && s.link != nil && s.mtuFor(was) != s.mtu() {
			s.configure(s.warn("making the MTU less for the path"))
			shrunk = true
		}
	}
	if shrunk {
		t.log().Info("path MTU", "mtu", mtu)
	}
	return shrunk
}

// Bytes before a packet that a session carries: of the header of a data message,
// without and with sequence numbers, and of PPP's with address and control.
const (
	l2tpHeader         = 6
	l2tpHeaderNumbered = 10
	pppHeader          = 4
)

// overhead is how much longer the IP packet of a data message is than what it carries.
func overhead(peer netip.Addr, numbered bool) int {
	const ipv4, ipv6, udp = 20, 40, 8
	n := ipv4 + udp + l2tpHeader + pppHeader
	if peer.Unmap().Is6() {
		n += ipv6 - ipv4
	}
	if numbered {
		n += l2tpHeaderNumbered - l2tpHeader
	}
	return n
}

// minMTU is the least MTU that an interface has.
const minMTU = 68

// mtu is the least of what the profile, the tunnel, the peer and the path allow.
func (s *session) mtu() int {
	if s.tunnel.pmtu == nil {
		return s.mtuFor(0)
	}
	return s.mtuFor(s.tunnel.pmtu.mtu)
}

// mtuFor is the MTU if the path takes IP packets of so many bytes, or if that is
// not known, for 0.
func (s *session) mtuFor(path int) int {
	mtu := min(s.settings.PPP.MTU, s.tunnel.settings.MTU)
	if peer := int(s.network.peerMRU); peer > 0 {
		mtu = min(mtu, peer)
	}
	if path > 0 {
		room := path - overhead(s.tunnel.peer.Addr(), s.spec().SendSequence)
		mtu = min(mtu, max(room, minMTU))
	}
	return mtu
}
