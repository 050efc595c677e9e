package ppp

import "encoding/binary"

const optInterfaceID = 1 // RFC 5072, 4.1

// An IPv6CPState is what IPV6CP asks for and what it granted: plain data.
type IPv6CPState struct {
	GrantedLocal, GrantedPeer uint64 // as the engine granted it; 0: any

	Local     uint64 // ours, as asked for
	WithoutID bool   // rejected by the peer
	Peer      uint64
	PeerSaid  bool
	Suggested uint64 // to the peer, in Configure-Naks
	Appended  bool   // to a Configure-Nak: it is done once
}

func (s *IPv6CPState) grant(a Addresses) {
	*s = IPv6CPState{GrantedLocal: a.LocalInterfaceID, GrantedPeer: a.PeerInterfaceID}
}

// ipv6cp negotiates IPv6.
type ipv6cp struct{ l *Link }

func (n ipv6cp) s() *IPv6CPState { return &n.l.state.IPv6CP }

func (n ipv6cp) reset() {
	s := n.s()
	*s = IPv6CPState{GrantedLocal: s.GrantedLocal, GrantedPeer: s.GrantedPeer}
	if s.Local = s.GrantedLocal; s.Local == 0 {
		s.Local = n.randomID()
	}
}

// randomID is a non-zero identifier that says of itself that it is not globally
// unique: "the "u" bit [...] MUST be set to zero" then.
// https://www.rfc-editor.org/rfc/rfc5072#section-4.1
func (n ipv6cp) randomID() uint64 {
	const uBit = 1 << 57
	hi, lo := uint64(n.l.nonZero32()), uint64(n.l.nonZero32())
	return (hi<<32 | lo) &^ uBit
}

func (n ipv6cp) request(b []byte) []byte {
	if s := n.s(); !s.WithoutID {
		return binary.BigEndian.AppendUint64(append(b, optInterfaceID, optionHeader+8), s.Local)
	}
	return b
}

func (n ipv6cp) begin() { n.s().Peer, n.s().PeerSaid = 0, false }

func (n ipv6cp) judge(o option) (judgement, []byte) {
	if o.kind != optInterfaceID {
		return rejected, nil
	}
	s := n.s()
	s.PeerSaid = true
	if len(o.value) != 8 {
		return naked, n.suggestion()
	}
	// Zero asks for one. "If the two interface identifiers are equal and are not zero,
	// Configure-Nak MUST be sent specifying a different non-zero interface-identifier
	// value". Any other "MUST be acknowledged" unless the operator says which it has to be.
	// https://www.rfc-editor.org/rfc/rfc5072#section-4.1
	id := binary.BigEndian.Uint64(o.value)
	if id == 0 || id == s.Local || s.GrantedPeer != 0 && id != s.GrantedPeer {
		return naked, n.suggestion()
	}
	s.Peer = id
	return acked, nil
}

func (n ipv6cp) suggestion() []byte {
	s := n.s()
	for s.Suggested == 0 || s.Suggested == s.Local {
		if s.Suggested = n.randomID(); s.GrantedPeer != 0 && s.GrantedPeer != s.Local {
			s.Suggested = s.GrantedPeer
		}
	}
	return binary.BigEndian.AppendUint64(nil, s.Suggested)
}

// missing suggests an identifier to a peer that did not ask for one, and once only: "If
// the next Configure-Request does not include this option, the peer MUST NOT send another
// Configure-Nak with this option included."
// https://www.rfc-editor.org/rfc/rfc5072#section-4.1
func (n ipv6cp) missing(b []byte) []byte {
	if n.s().PeerSaid || n.s().Appended {
		return b
	}
	n.s().Appended = true
	return appendOption(b, optInterfaceID, n.suggestion())
}

// refused takes what the peer suggests, unless ours is fixed. A rejected identifier is
// not negotiated, and kept.
func (n ipv6cp) refused(o option, isRejected bool) {
	s := n.s()
	if o.kind != optInterfaceID {
		return
	}
	if isRejected || len(o.value) != 8 {
		s.WithoutID = true
		return
	}
	if s.GrantedLocal != 0 {
		return
	}
	if id := binary.BigEndian.Uint64(o.value); id != 0 && id != s.Suggested {
		s.Local = id
		return
	}
	s.Local = n.randomID() // both ends suggest the same: try another
}

func (l *Link) ipv6cpUp() {
	s := &l.state.IPv6CP
	if s.Peer == 0 {
		if s.Peer = s.GrantedPeer; s.Peer == 0 {
			l.giveUp(ipv6cpIndex, NegotiationFailed, "the peer has no interface identifier")
			return
		}
	}
	a := Addresses{LocalInterfaceID: s.Local, PeerInterfaceID: s.Peer}
	l.networkUp(ipv6cpIndex, NetworkUp{Network: IPv6, Addresses: a})
}
