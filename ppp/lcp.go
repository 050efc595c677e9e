package ppp

import "slices"

import "encoding/binary"

// The options of LCP (RFC 1661, 6; RFC 1662, 7.1; RFC 1990, 5.1).
const (
	optMRU      = 1
	optACCM     = 2
	optAuth     = 3
	optMagic    = 5
	optPFC      = 7
	optACFC     = 8
	optEndpoint = 19
)

const (
	defaultMRU  = 1500
	minMRU      = 128
	defaultACCM = 0xffffffff
)

// An LCPState is what LCP asks for and what it granted: plain data.
type LCPState struct {
	MRU         uint16
	ACCM        uint32
	MagicNumber uint32
	Auth        AuthMethod // by which the peer must prove itself; 0: it need not

	WithoutMRU, WithoutACCM, WithoutMagic bool // rejected by the peer

	AuthRefused uint8 // set of methods that the peer did not take
	AuthNaks    uint8 // methods that we suggested to the peer
	Loops       uint8 // Configure-Requests with our own Magic-Number

	PeerMRU      uint16
	PeerACCM     uint32
	PeerMagic    uint32
	PeerAuth     AuthMethod // by which the peer wants us to prove ourselves
	PFC, ACFC    bool
	PeerEndpoint []byte
}

// lcp negotiates the link itself.
type lcp struct{ l *Link }

func (n lcp) s() *LCPState { return &n.l.state.LCP }

func (n lcp) reset() {
	cfg, loops := n.l.cfg, n.s().Loops
	*n.s() = LCPState{
		MRU: cfg.mru(), ACCM: cfg.ACCM, Loops: loops,
		WithoutACCM: cfg.NoACCM, WithoutMagic: cfg.NoMagic,
	}
	if len(cfg.AuthPeer) > 0 {
		n.s().Auth = cfg.AuthPeer[0]
	}
	if !cfg.NoMagic {
		n.s().MagicNumber = n.l.nonZero32()
	}
	n.begin()
}

func (n lcp) begin() {
	s := n.s()
	s.PeerMRU, s.PeerACCM, s.PeerMagic = defaultMRU, defaultACCM, 0
	s.PeerAuth, s.PFC, s.ACFC, s.PeerEndpoint = 0, false, false, nil
}

// request leaves out what is the default anyway: "Configuration Options SHOULD
// NOT be included with default values." PFC and ACFC are never asked for: there is
// nothing to gain where frames travel in UDP.
// https://www.rfc-editor.org/rfc/rfc1661#section-5.1
func (n lcp) request(b []byte) []byte {
	s := n.s()
	if s.MRU != defaultMRU && !s.WithoutMRU {
		b = appendOption16(b, optMRU, s.MRU)
	}
	if !s.WithoutACCM {
		b = appendOption32(b, optACCM, s.ACCM)
	}
	// "An implementation MUST NOT include multiple Authentication-Protocol
	// Configuration Options in its Configure-Request packets."
	// https://www.rfc-editor.org/rfc/rfc1661#section-6.2
	if s.Auth != 0 {
		b = appendOption(b, optAuth, s.Auth.option())
	}
	if !s.WithoutMagic {
		b = appendOption32(b, optMagic, s.MagicNumber)
	}
	return b
}

func (n lcp) judge(o option) (judgement, []byte) {
	s := n.s()
	switch o.kind {
	case optMRU:
		return n.judgeMRU(o)
	case optACCM:
		if len(o.value) != 4 {
			return naked, make([]byte, 4)
		}
		s.PeerACCM = be32(o.value)
		return acked, nil
	case optAuth:
		return n.judgeAuth(o)
	case optMagic:
		return n.judgeMagic(o)
	case optPFC:
		s.PFC = true
		return boolean(o)
	case optACFC:
		s.ACFC = true
		return boolean(o)
	case optEndpoint:
		s.PeerEndpoint = append([]byte(nil), o.value...)
		return acked, nil
	}
	return rejected, nil
}

// boolean judges an option without a value: "Options which have no value fields
// (boolean options) MUST use the Configure-Reject reply instead."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.3
func boolean(o option) (judgement, []byte) {
	if len(o.value) != 0 {
		return rejected, nil
	}
	return acked, nil
}

// judgeMRU takes any size that a network layer can use, more than ours too:
// it is what the peer can receive. What we send is the engine's to limit.
func (n lcp) judgeMRU(o option) (judgement, []byte) {
	if len(o.value) != 2 {
		return naked, binary.BigEndian.AppendUint16(nil, defaultMRU)
	}
	mru := binary.BigEndian.Uint16(o.value)
	if mru < minMRU {
		return naked, binary.BigEndian.AppendUint16(nil, minMRU)
	}
	n.s().PeerMRU = mru
	return acked, nil
}

// judgeAuth takes any method that we know and are allowed; to others it says the
// next of those.
func (n lcp) judgeAuth(o option) (judgement, []byte) {
	s, allowed := n.s(), n.l.cfg.AuthLocal
	if len(allowed) == 0 {
		return rejected, nil
	}
	m := methodOf(o.value)
	if slices.Contains(allowed, m) {
		s.PeerAuth = m
		return acked, nil
	}
	next := allowed[int(s.AuthNaks)%len(allowed)]
	countUp(&s.AuthNaks)
	return naked, next.option()
}

// judgeMagic looks for our own number: "If the two Magic-Numbers are equal, then it
// is possible, but not certain, that the link is looped-back [...]. To determine
// this, a Configure-Nak MUST be sent specifying a different Magic-Number value."
// "A Magic-Number of zero is illegal and MUST always be Nak'd, if it is not
// Rejected outright."
// https://www.rfc-editor.org/rfc/rfc1661#section-6.4
func (n lcp) judgeMagic(o option) (judgement, []byte) {
	s := n.s()
	if len(o.value) != 4 {
		return naked, n.otherMagic()
	}
	magic := be32(o.value)
	switch {
	case magic == 0:
		return naked, n.otherMagic()
	case magic == s.MagicNumber:
		n.countLoop()
		return naked, n.otherMagic()
	}
	s.PeerMagic = magic
	return acked, nil
}

func (n lcp) countLoop() {
	countUp(&n.s().Loops)
	if int(n.s().Loops) > n.l.cfg.limits(lcpIndex).MaxFailure {
		n.l.giveUp(lcpIndex, LoopDetected, "our own Magic-Number keeps coming back")
	}
}

func (n lcp) otherMagic() []byte {
	for {
		if m := n.l.nonZero32(); m != n.s().MagicNumber {
			return binary.BigEndian.AppendUint32(nil, m)
		}
	}
}

// missing: there is nothing in LCP that a peer must ask for.
func (n lcp) missing(b []byte) []byte { return b }

func (n lcp) refused(o option, rejected bool) {
	s := n.s()
	switch o.kind {
	case optMRU:
		n.refusedMRU(o, rejected)
	case optACCM:
		if rejected || len(o.value) != 4 {
			s.WithoutACCM = true
			return
		}
		s.ACCM |= be32(o.value)
	case optAuth:
		n.refusedAuth(o, rejected)
	case optMagic:
		// Whatever was suggested, a number of our own choice is as good. To a Reject
		// "an implementation SHOULD act as if the negotiation had been successful".
		if rejected {
			s.WithoutMagic = true
			return
		}
		s.MagicNumber = n.l.nonZero32()
	}
}

// refusedMRU takes what the peer says unless it is more than what everyone must be
// able to receive: "If smaller packets are requested, an implementation MUST still
// be able to receive the full 1500 octet information field".
// https://www.rfc-editor.org/rfc/rfc1661#section-6.1
func (n lcp) refusedMRU(o option, rejected bool) {
	s := n.s()
	if rejected || len(o.value) != 2 {
		s.WithoutMRU, s.MRU = true, defaultMRU
		return
	}
	mru := binary.BigEndian.Uint16(o.value)
	if mru >= minMRU && (mru <= s.MRU || mru <= defaultMRU) {
		s.MRU = mru
	}
}

// refusedAuth goes on to what the peer suggests, if we may, or else to the next
// of ours. A peer that will not prove itself at all ends the link.
func (n lcp) refusedAuth(o option, rejected bool) {
	s := n.s()
	if s.Auth == 0 {
		return
	}
	if rejected {
		n.l.giveUp(lcpIndex, AuthFailed, "the peer refuses to authenticate")
		return
	}
	s.AuthRefused |= 1 << s.Auth
	if m := methodOf(o.value); m != 0 && n.mayAsk(m) {
		s.Auth = m
		return
	}
	for _, m := range n.l.cfg.AuthPeer {
		if n.mayAsk(m) {
			s.Auth = m
			return
		}
	}
	n.l.giveUp(lcpIndex, AuthFailed, "the peer takes none of our authentication methods")
}

func (n lcp) mayAsk(m AuthMethod) bool {
	if slices.Contains(n.l.cfg.AuthPeer, m) {
		return n.s().AuthRefused&(1<<m) == 0
	}
	return false
}

// terms are what was agreed on.
func (s *LCPState) terms(cfg *Config) Terms {
	return Terms{
		MRU: s.MRU, PeerMRU: s.PeerMRU, MTU: min(s.PeerMRU, cfg.mru()),
		ACCM: s.agreedACCM(), PeerACCM: s.PeerACCM,
		MagicNumber: s.magic(), PeerMagic: s.PeerMagic,
		PFC: s.PFC, ACFC: s.ACFC,
		AuthPeer: s.Auth, AuthLocal: s.PeerAuth,
		PeerEndpoint: append([]byte(nil), s.PeerEndpoint...),
	}
}

func (s *LCPState) agreedACCM() uint32 {
	if s.WithoutACCM {
		return defaultACCM
	}
	return s.ACCM
}

// magic: "Until the Magic-Number Configuration Option has been successfully
// negotiated, the Magic-Number MUST be transmitted as zero."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.8
//
// A rejected one counts as negotiated, but a peer without magic numbers has no use for it.
func (s *LCPState) magic() uint32 {
	if s.WithoutMagic {
		return 0
	}
	return s.MagicNumber
}

// receiveLCP handles the codes that only LCP has; it tells whether it knew it.
func (l *Link) receiveLCP(p packet) bool {
	switch p.code {
	case protocolReject:
		l.receiveProtocolReject(p)
	case echoRequest:
		l.receiveEchoRequest(p)
	case echoReply:
		l.receiveEchoReply(p)
	case discardRequest, identification, timeRemaining:
		// "The receiver MUST silently discard any Discard-Request that it receives."
		// https://www.rfc-editor.org/rfc/rfc1661#section-5.9
		// The others are for people to read (RFC 1570, 2).
	default:
		return false
	}
	return true
}

// receiveProtocolReject stops a protocol that the peer does not have. "Protocol-Reject
// packets received in any state other than the LCP Opened state SHOULD be
// silently discarded."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.7
func (l *Link) receiveProtocolReject(p packet) {
	if l.state.Controls[lcpIndex].State != Opened || len(p.data) < 2 {
		return
	}
	switch proto := Protocol(binary.BigEndian.Uint16(p.data)); proto {
	case ProtocolLCP:
		l.setEnd(NegotiationFailed, "the peer rejected LCP")
		l.fire(lcpIndex, evBroken, p)
		l.updatePhase()
	case ProtocolIPCP, ProtocolIPv4:
		l.rejectNetwork(ipcpIndex)
	case ProtocolIPv6CP, ProtocolIPv6:
		l.rejectNetwork(ipv6cpIndex)
	case ProtocolPAP, ProtocolCHAP, ProtocolEAP:
		l.rejectAuth(proto)
	}
}

// rejectNetwork takes a network protocol down without another word: "Upon reception of
// a Protocol-Reject, the implementation MUST stop sending packets of the indicated
// protocol at the earliest opportunity."
// https://www.rfc-editor.org/rfc/rfc1661#section-5.7
func (l *Link) rejectNetwork(i int) {
	c := &l.state.Controls[i]
	if c.State < Closed {
		return
	}
	c.Rejected = true
	l.state.NetworkFailure = "the peer rejected " + controlProtocols[i].String()
	l.fire(i, evDown, packet{})
	l.networkFinished(i)
}

// sendProtocolReject returns a frame of a protocol that we do not have.
func (l *Link) sendProtocolReject(p Protocol, info []byte) {
	c := &l.state.Controls[lcpIndex]
	if c.State != Opened {
		return
	}
	c.RejectID++ // "MUST be changed for each Protocol-Reject sent." (RFC 1661, 5.7)
	data := binary.BigEndian.AppendUint16(nil, uint16(p))
	data = append(data, l.fit(info, len(data))...)
	l.send(ProtocolLCP, packet{protocolReject, c.RejectID, data})
}

// fit truncates a rejected packet: it "MUST be truncated to comply with the peer's
// established MRU", with its own header and n bytes before it.
// https://www.rfc-editor.org/rfc/rfc1661#section-5.6
func (l *Link) fit(b []byte, n int) []byte {
	mru := defaultMRU
	if l.state.Controls[lcpIndex].State == Opened {
		mru = max(int(l.state.LCP.PeerMRU), minMRU)
	}
	return b[:min(len(b), mru-packetHeader-n)]
}
