package ppp

import "bytes"

// A PeerAuthState is how far the peer has come in proving itself: plain data.
type PeerAuthState struct {
	Method   AuthMethod
	Done     bool   // it has, in this run of the link
	Pending  bool   // the engine is being asked
	Waiting  bool   // a challenge or request of ours is unanswered
	ID       uint8  // of our last challenge or request
	AskID    uint8  // of the peer's packet that the engine is being asked about
	Attempts uint8  // repetitions left
	Serial   uint32 // of the question to the engine
	Name     string // as claimed; as proven when Done

	Challenge []byte // CHAP: the value; EAP: the whole request
	State     []byte // EAP: the engine's

	// What is said again to what is asked again, since a Success may be lost.
	Answered bool
	AnswerID uint8
	Message  string
}

// A LocalAuthState is how far we have come in proving ourselves: plain data.
type LocalAuthState struct {
	Method   AuthMethod
	Done     bool
	Sent     bool // a proof, that the peer must answer
	Told     bool // who we are (EAP)
	ID       uint8
	Attempts uint8
	Response []byte // CHAP: the packet, to be repeated until it is answered
	Expect   string // MS-CHAPv2: how the peer must prove itself
}

// authOptions are the values of the Authentication-Protocol option.
var authOptions = [...][]byte{
	PAP:      {0xc0, 0x23},
	CHAPMD5:  {0xc2, 0x23, 0x05},
	MSCHAPv1: {0xc2, 0x23, 0x80},
	MSCHAPv2: {0xc2, 0x23, 0x81},
	EAP:      {0xc2, 0x27},
}

func (m AuthMethod) known() bool { return m >= PAP && int(m) < len(authOptions) }

func (m AuthMethod) option() []byte {
	if !m.known() {
		return nil
	}
	return authOptions[m]
}

// methodOf returns the method that an option means, or 0.
func methodOf(value []byte) AuthMethod {
	for m, v := range authOptions {
		if v != nil && bytes.Equal(v, value) {
			return AuthMethod(m)
		}
	}
	return 0
}

func (m AuthMethod) chap() bool { return m == CHAPMD5 || m == MSCHAPv1 || m == MSCHAPv2 }

// startAuthentication begins both directions; neither may be asked for.
//
// "Advancement from the Authentication phase to the Network-Layer Protocol phase MUST
// NOT occur until authentication has completed."
// https://www.rfc-editor.org/rfc/rfc1661#section-3.5
func (l *Link) startAuthentication() {
	s := &l.state
	s.Phase = PhaseAuthenticate
	s.PeerAuth = PeerAuthState{Method: s.LCP.Auth, ID: s.PeerAuth.ID}
	s.LocalAuth = LocalAuthState{Method: s.LCP.PeerAuth, ID: s.LocalAuth.ID}
	l.start(timerPhase, l.cfg.authTimeout())
	if s.PeerAuth.Method == PAP {
		l.start(timerPhase, l.cfg.papTimeout()) // there is nothing that we could repeat
	}
	l.startPeerAuth()
	if s.LocalAuth.Method == PAP {
		s.LocalAuth.Attempts = clampCount(l.cfg.papAttempts())
		l.sendPAPRequest()
	}
	l.checkAuthentication()
}

func (l *Link) startPeerAuth() {
	a := &l.state.PeerAuth
	a.Attempts = clampCount(l.cfg.authAttempts())
	c := l.proxied
	l.proxied = nil
	switch {
	case c != nil && c.Method == a.Method:
		l.askProxied(*c)
	case a.Method.chap():
		l.newChallenge()
	case a.Method == EAP:
		l.sendEAPIdentityRequest()
	}
}

// askProxied has the engine judge what a LAC got from the peer.
func (l *Link) askProxied(c Credentials) {
	a := &l.state.PeerAuth
	a.ID, a.AskID, a.Challenge = c.ID, c.ID, c.Challenge
	l.ask(c)
}

// stopAuthentication forgets everything but the identifiers: the link is down.
func (l *Link) stopAuthentication() {
	s := &l.state
	s.PeerAuth = PeerAuthState{ID: s.PeerAuth.ID}
	s.LocalAuth = LocalAuthState{ID: s.LocalAuth.ID}
	l.stop(timerPeerAuth)
	l.stop(timerLocalAuth)
	l.stop(timerPhase)
}

// ask puts a question to the engine. Until the answer comes, the peer's repetitions are
// passed over.
func (l *Link) ask(c Credentials) {
	a := &l.state.PeerAuth
	a.Pending, a.Waiting, a.Answered, a.Name = true, false, false, c.Name
	l.stop(timerPeerAuth)
	if a.Method == PAP && l.state.Phase == PhaseAuthenticate {
		l.start(timerPhase, l.cfg.authTimeout()) // what was waited for has come
	}
	l.state.Serial++
	a.Serial = l.state.Serial
	l.act(Authenticate{Credentials: c, Serial: a.Serial})
}

// authenticated takes the engine's answer.
func (l *Link) authenticated(ev Authenticated) {
	a := &l.state.PeerAuth
	if !a.Pending || ev.Serial != 0 && ev.Serial != a.Serial {
		return
	}
	a.Pending = false
	v := ev.Verdict
	if a.Method == EAP && v.Continue {
		a.State = bytes.Clone(v.State)
		l.sendEAPRequest(v.EAP)
		return
	}
	if v.OK {
		a.Answered, a.AnswerID, a.Message = true, a.AskID, clip(v.Message, 255)
	}
	l.sendVerdict(v)
	if !v.OK {
		l.peerRefused()
		return
	}
	l.peerProven()
}

func (l *Link) peerRefused() {
	a := &l.state.PeerAuth
	l.setEnd(AuthFailed, "authenticating "+quotedName(a.Name)+" by "+a.Method.String()+": refused")
	l.state.Ending.CloseReason = "Authentication failed"
	l.terminate()
}

func (l *Link) sendVerdict(v Verdict) {
	a := &l.state.PeerAuth
	switch {
	case a.Method == PAP:
		l.sendPAPVerdict(a.AskID, v.OK, clip(v.Message, 255))
	case a.Method.chap():
		l.sendCHAPVerdict(a.AskID, v.OK, clip(v.Message, 255))
	case a.Method == EAP:
		l.sendEAPVerdict(v)
	}
}

// peerProven: what is not needed to repeat the answer goes.
func (l *Link) peerProven() {
	a := &l.state.PeerAuth
	a.Done, a.Challenge, a.State = true, nil, nil
	if a.Method.chap() && l.cfg.Rechallenge > 0 {
		l.start(timerPeerAuth, l.cfg.Rechallenge)
	}
	l.checkAuthentication()
}

func (l *Link) localProven(message []byte) {
	a := &l.state.LocalAuth
	first := !a.Done
	*a = LocalAuthState{Method: a.Method, Done: true, ID: a.ID}
	l.stop(timerLocalAuth)
	if first {
		l.act(LocalAuthenticated{Method: a.Method, Message: printable(message)})
		l.checkAuthentication()
	}
}

func (l *Link) localRefused(message []byte) {
	l.setEnd(LocalAuthFailed, "the peer refused us"+quoted(message))
	l.state.Ending.CloseReason = "Failed to authenticate ourselves to peer"
	l.terminate()
}

// checkAuthentication goes on to the network protocols when both ends are content.
func (l *Link) checkAuthentication() {
	s := &l.state
	peer := s.PeerAuth.Method == 0 || s.PeerAuth.Done
	local := s.LocalAuth.Method == 0 || s.LocalAuth.Done
	if s.Phase != PhaseAuthenticate || !peer || !local {
		return
	}
	s.Phase = PhaseNetwork
	l.stop(timerPhase)
	s.Serial++
	s.GrantSerial = s.Serial
	l.act(GrantAddresses{PeerName: l.PeerName(), Serial: s.GrantSerial})
}

func (l *Link) authTimedOut() {
	s := &l.state
	if s.PeerAuth.Pending {
		l.setEnd(AuthFailed, "authenticating "+quotedName(s.PeerAuth.Name)+
			": no verdict in time")
	} else if s.PeerAuth.Method != 0 && !s.PeerAuth.Done {
		l.setEnd(AuthFailed, "waiting for the peer to authenticate by "+
			s.PeerAuth.Method.String()+": timed out")
	} else {
		l.setEnd(LocalAuthFailed, "authenticating by "+s.LocalAuth.Method.String()+
			": the peer said nothing in time")
	}
	s.Ending.CloseReason = "Authentication timed out"
	l.terminate()
}

// peerAuthExpired repeats what is unanswered, or challenges anew.
func (l *Link) peerAuthExpired() {
	a := &l.state.PeerAuth
	switch {
	case a.Waiting && a.Attempts == 0:
		l.setEnd(AuthFailed, "the peer does not answer "+a.Method.String()+" requests")
		l.state.Ending.CloseReason = "Authentication timed out"
		l.terminate()
	case a.Waiting && a.Method == EAP:
		l.repeatEAPRequest()
	case a.Waiting:
		l.sendChallenge()
	case a.Method.chap():
		a.Attempts = clampCount(l.cfg.authAttempts())
		l.newChallenge()
	}
}

// localAuthExpired repeats what the peer has not answered.
func (l *Link) localAuthExpired() {
	a := &l.state.LocalAuth
	if a.Attempts == 0 {
		l.setEnd(PeerSilent, "authenticating by "+a.Method.String()+": no answer")
		l.state.Ending.CloseReason = "Authentication timed out"
		l.terminate()
		return
	}
	switch {
	case a.Method == PAP:
		l.sendPAPRequest()
	case a.Method.chap():
		l.repeatCHAPResponse()
	}
}

// receiveAuth handles the packets of the authentication protocols that were agreed on;
// those of others are passed over.
func (l *Link) receiveAuth(proto Protocol, info []byte) {
	p, err := parsePacket(info)
	if err != nil {
		return
	}
	peer, local := l.state.PeerAuth.Method, l.state.LocalAuth.Method
	switch proto {
	case ProtocolPAP:
		l.receivePAP(p, peer == PAP, local == PAP)
	case ProtocolCHAP:
		l.receiveCHAP(p, peer.chap(), local.chap())
	case ProtocolEAP:
		l.receiveEAP(p, peer == EAP, local == EAP)
	}
}

// rejectAuth: the peer agreed to a protocol and does not have it.
func (l *Link) rejectAuth(p Protocol) {
	s := &l.state
	switch {
	case s.PeerAuth.Method != 0 && s.PeerAuth.Method.protocol() == p:
		l.setEnd(AuthFailed, "the peer rejected "+p.String())
	case s.LocalAuth.Method != 0 && s.LocalAuth.Method.protocol() == p:
		l.setEnd(LocalAuthFailed, "the peer rejected "+p.String())
	default:
		return
	}
	l.terminate()
}

func (m AuthMethod) protocol() Protocol {
	switch {
	case m == PAP:
		return ProtocolPAP
	case m == EAP:
		return ProtocolEAP
	}
	return ProtocolCHAP
}
