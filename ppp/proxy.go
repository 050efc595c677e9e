package ppp

import "slices"

// adopt takes over what a LAC negotiated, if it is what we would have agreed to
// ourselves, and begins where the LAC stopped. If not, LCP starts anew.
//
// "The Last Sent LCP CONFREQ" is what the peer acknowledged, as if we had sent it;
// "the Last Received LCP CONFREQ" is what the LAC acknowledged on our behalf.
// https://www.rfc-editor.org/rfc/rfc2661#section-4.4.5
func (l *Link) adopt(p *Proxy) bool {
	if len(p.LastSentConfReq) == 0 || len(p.LastReceivedConfReq) == 0 {
		return false
	}
	n := lcp{l}
	n.reset()
	if !n.adoptSent(p.LastSentConfReq) || !n.adoptReceived(p.LastReceivedConfReq) {
		return false
	}
	if p.Credentials != nil {
		c := cloneCredentials(*p.Credentials)
		l.proxied = &c
	}
	l.state.Controls[lcpIndex] = ControlState{State: Opened, Heard: true}
	l.linkUp()
	return true
}

func cloneCredentials(c Credentials) Credentials {
	c.Challenge = slices.Clone(c.Challenge)
	c.Response = slices.Clone(c.Response)
	c.State = slices.Clone(c.State)
	return c
}

// adoptSent takes the options that the LAC sent as ours. What it did not send is the
// default. Compressed fields we understand, whoever asked for them.
func (n lcp) adoptSent(b []byte) bool {
	s := n.s()
	s.MRU, s.WithoutMRU, s.WithoutACCM, s.WithoutMagic = defaultMRU, true, true, true
	s.MagicNumber, s.Auth = 0, 0
	for o, err := range options(b) {
		if err != nil || !n.adoptOption(o) {
			return false
		}
	}
	if s.Auth == 0 {
		return len(n.l.cfg.AuthPeer) == 0
	}
	return slices.Contains(n.l.cfg.AuthPeer, s.Auth)
}

// adoptOption takes one option of those: it tells whether we could have asked for it.
func (n lcp) adoptOption(o option) bool {
	s := n.s()
	switch {
	case o.kind == optMRU && len(o.value) == 2:
		s.MRU, s.WithoutMRU = uint16(o.value[0])<<8|uint16(o.value[1]), false
		return s.MRU >= minMRU && s.MRU <= max(n.l.cfg.mru(), defaultMRU)
	case o.kind == optACCM && len(o.value) == 4:
		s.ACCM, s.WithoutACCM = be32(o.value), false
	case o.kind == optMagic && len(o.value) == 4:
		s.MagicNumber, s.WithoutMagic = be32(o.value), false
	case o.kind == optAuth:
		s.Auth = methodOf(o.value)
		return s.Auth != 0
	case o.kind == optPFC, o.kind == optACFC:
	default:
		return false
	}
	return true
}

// adoptReceived judges what the LAC acknowledged.
func (n lcp) adoptReceived(b []byte) bool {
	n.begin()
	for o, err := range options(b) {
		if err != nil {
			return false
		}
		if j, _ := n.judge(o); j != acked {
			return false
		}
	}
	return true
}
