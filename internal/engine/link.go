package engine

import (
	"time"

	"culvert/internal/config"
	"culvert/l2tp"
	"culvert/ppp"
)

// beginLink makes the session's PPP link and gives it the frames that came early.
func (s *session) beginLink() {
	s.linkBy = time.Time{}
	s.link = ppp.NewLink(s.settings.linkConfig(s.call))
	s.shard().stepLink(s, ppp.LowerUp{Proxy: s.proxy()})
	for _, frame := range s.early {
		s.shard().stepLink(s, ppp.FrameReceived{Frame: frame})
	}
	s.early = nil
}

// proxy is what the LAC did for us, if we are to use it (RFC 2661, 4.4.5).
func (s *session) proxy() *ppp.Proxy {
	if s.call == nil || s.call.Proxy == nil {
		return nil
	}
	p := s.call.Proxy
	s.call.Proxy = nil
	if !s.settings.Parameters.UsePPPProxy || s.kind != l2tp.LNSIncoming {
		return nil
	}
	return &ppp.Proxy{
		InitialReceivedConfReq: p.InitialReceivedConfReq,
		LastSentConfReq:        p.LastSentConfReq,
		LastReceivedConfReq:    p.LastReceivedConfReq,
		Credentials:            proxyCredentials(p),
	}
}

func proxyCredentials(p *l2tp.Proxy) *ppp.Credentials {
	methods := map[l2tp.ProxyAuthType]ppp.AuthMethod{
		l2tp.ProxyAuthPAP:    ppp.PAP,
		l2tp.ProxyAuthCHAP:   ppp.CHAPMD5,
		l2tp.ProxyAuthMSCHAP: ppp.MSCHAPv1,
	}
	method, ok := methods[p.AuthType]
	if !ok {
		return nil
	}
	return &ppp.Credentials{
		Method:    method,
		Name:      p.AuthName,
		ID:        p.AuthID,
		Challenge: p.AuthChallenge,
		Response:  []byte(p.AuthResponse),
	}
}

// stepLink gives an event to the link and carries out what it says.
func (s *session) stepLink(now time.Time, ev ppp.Event) {
	if s.link == nil {
		return
	}
	had := s.network.addresses
	before := s.watch(ev)
	actions := s.link.Step(now, ev)
	s.traceStep(before, ev)
	for _, a := range actions {
		s.traceAction(a)
		s.perform(a)
	}
	s.tellNetwork(had)
	s.touchLink(ev, actions)
	s.shard().deadlines.update(s)
}

func (s *session) perform(a ppp.Action) {
	switch a := a.(type) {
	case ppp.SendFrame:
		s.send(a.Frame)
	case ppp.LinkUp:
		s.linkUp(a.Terms)
	case ppp.Authenticate:
		s.authenticate(a)
	case ppp.LocalAuthenticated:
		s.log().Debug("authenticated to peer", "method", a.Method)
	case ppp.GrantAddresses:
		s.grant(a)
	case ppp.NetworkUp:
		s.networkUp(a)
	case ppp.NetworkDown:
		s.networkDown(a.Network)
	case ppp.LinkDown:
		s.forgetNegotiated()
	case ppp.Finished:
		s.linkFinished(a.End)
	}
}

func (s *session) send(frame []byte) {
	if s.phase == gone {
		return
	}
	s.shard().leaves(outgoing{session: s, data: frame})
}

func (s *session) linkUp(terms ppp.Terms) {
	s.network.peerMRU = terms.PeerMRU
	if s.isLNS() && s.call != nil && s.call.FramingType == l2tp.FramingAsync {
		// The LAC's modem must know which characters are escaped (RFC 2661, 6.14).
		s.shard().step(s.tunnel, l2tp.SetLinkInfo{
			Session: s.id, SendACCM: terms.PeerACCM, RecvACCM: terms.ACCM})
	}
}

// authenticate answers who a peer is. The interface is made before the peer
// hears of its success: its first IPCP packet finds it.
func (s *session) authenticate(a ppp.Authenticate) {
	c := a.Credentials
	verdict := s.verify(c)
	s.traceVerdict(c, verdict)
	s.countVerdict(verdict)
	answer := func() {
		s.shard().stepLink(s, ppp.Authenticated{Verdict: verdict, Serial: a.Serial})
	}
	switch {
	case !verdict.OK:
		if !verdict.Continue {
			s.log().Warn("authentication failed", "peer", s.tunnel.peer, "user", c.Name,
				"method", c.Method)
		}
		answer()
	case s.network.ready && s.network.user == c.Name:
		answer()
	default:
		s.network.user = c.Name
		s.prepareNetwork(answer)
	}
}

// verify checks credentials against the local users. For an unknown user, and
// for one who may not have this session, it takes as long, and says the same, as
// for a wrong password.
func (s *session) verify(c ppp.Credentials) ppp.Verdict {
	password := ppp.Secret(s.engine().decoy)
	if user, ok := s.engine().user(c.Name); ok && s.maySignIn(c.Name, user) {
		password = ppp.Secret(user.Password)
	}
	return ppp.Verify(c, password)
}

// maySignIn tells whether the profile lets a user who gave a name have the session.
func (s *session) maySignIn(name string, user config.User) bool {
	only := s.settings.PPP.RemoteName
	return only == "" || only == name || only == user.Name
}

// linkFinished ends the call when PPP has ended.
func (s *session) linkFinished(end ppp.End) {
	if s.phase == gone {
		return
	}
	if s.cause == "" {
		s.cause = end.Detail
	}
	if end.Reason == ppp.NoAddress {
		s.engine().total.noAddress.Add(1)
	}
	s.endCall(l2tp.HangUp{
		Session:    s.id,
		Result:     callResult(end),
		Disconnect: disconnectCause(end, s.network.chosen),
	})
}

// callResult says to the peer's L2TP why PPP ended (RFC 2661, 4.4.2).
func callResult(end ppp.End) l2tp.Result {
	switch end.Reason {
	case ppp.LocalTerminated, ppp.AuthFailed, ppp.LocalAuthFailed:
		return l2tp.Result{Code: l2tp.CDNAdministrative, Message: end.Detail}
	case ppp.NoAddress:
		return l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "no address"}
	case ppp.NegotiationFailed, ppp.LoopDetected:
		return l2tp.Result{Code: l2tp.CDNError, Error: l2tp.ErrorVendorSpecific, Message: end.Detail}
	}
	return l2tp.Result{Code: l2tp.CDNLossOfCarrier, Message: end.Detail}
}
