package ppp

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"
)

// A Phase is a phase of a link (RFC 1661, 3.2).
type Phase uint8

// The phases.
const (
	PhaseDead Phase = iota
	PhaseEstablish
	PhaseAuthenticate
	PhaseNetwork
	PhaseTerminate
)

// A timer is one of a link's: an index of its times. The first three are the Restart
// timers of the control protocols.
type timer uint8

const (
	timerPeerAuth  = timer(iota + numControls) // repeat a challenge; or the next challenge
	timerLocalAuth                             // repeat a request or a response
	timerPhase                                 // the whole of authentication; a passive wait
	timerEcho
	numTimers
)

// A Link is one PPP link: LCP, authentication and network control protocols.
//
// A Link does no I/O, starts no goroutine and reads no clock.
// It is not safe for concurrent use.
type Link struct {
	cfg   *Config
	state LinkState

	// Times are counted from epoch, which the first Step sets: a third of the room of
	// time.Time, and there are as many links as sessions.
	epoch  time.Time
	timers [numTimers]time.Duration // 0: not running

	*turn // nil between one Step and the next
}

// A turn is what a link has for the time of one Step.
type turn struct {
	now     time.Duration
	out     []Action
	failing uint8        // set of control protocols that gave up
	proxied *Credentials // what a LAC got from the peer
}

// A LinkState is everything that a link knows besides the time: plain data, that a
// [Snapshot] is made of.
type LinkState struct {
	Phase    Phase
	Finished bool
	LinkUp   bool // told, and not LinkDown since

	Controls [numControls]ControlState
	LCP      LCPState
	IPCP     IPCPState
	IPv6CP   IPv6CPState

	PeerAuth  PeerAuthState
	LocalAuth LocalAuthState
	Nonce     []byte // what our challenges by MS-CHAPv2 are made of; secret

	Granted     bool   // AddressesGranted came
	Serial      uint32 // of the last question to the engine
	GrantSerial uint32 // of the last GrantAddresses
	Unanswered  uint8  // Echo-Requests
	EchoID      uint8

	Ending         *Ending // nil while the link goes on
	NetworkFailure string  // why the last network protocol ended
}

// An Ending is why the link ends.
type Ending struct {
	End
	CloseReason string // for the peer
}

// NewLink returns a link in the Dead phase. cfg is shared by many links and never changed.
func NewLink(cfg *Config) *Link {
	l := &Link{cfg: cfg, turn: &turn{}} // which the first Step ends
	l.fire(lcpIndex, evOpen, packet{})
	return l
}

// Step expires the timers due at now, handles ev, and returns what is to be
// done, in order. The result is the caller's to keep.
// Time does not go backwards from one call to the next.
func (l *Link) Step(now time.Time, ev Event) []Action {
	l.setNow(now)
	for t := range numTimers {
		if !l.state.Finished && l.timers[t] != 0 && l.timers[t] <= l.now {
			l.stop(t)
			l.expire(t)
		}
	}
	if !l.state.Finished {
		l.handle(ev)
	}
	out := l.out
	l.turn = nil
	return out
}

// Deadline returns the time at which Step must next be called, or zero.
func (l *Link) Deadline() time.Time {
	var first time.Duration
	for _, t := range l.timers {
		if t != 0 && (first == 0 || t < first) {
			first = t
		}
	}
	if first == 0 {
		return time.Time{}
	}
	return l.epoch.Add(first)
}

// setNow notes the time. It is never 0, which says of a timer that it does not run.
func (l *Link) setNow(now time.Time) {
	if l.turn == nil {
		l.turn = &turn{}
	}
	if l.epoch.IsZero() {
		l.epoch = now.Add(-1)
	}
	l.now = now.Sub(l.epoch)
}

// Phase returns the phase that the link is in.
func (l *Link) Phase() Phase { return l.state.Phase }

// End returns why the link is ending or has ended; the zero End while it is not.
func (l *Link) End() End {
	if l.state.Ending == nil {
		return End{}
	}
	return l.state.Ending.End
}

// PeerName returns the name that the peer proved to have, or "".
func (l *Link) PeerName() string {
	if !l.state.PeerAuth.Done {
		return ""
	}
	return l.state.PeerAuth.Name
}

// Terms returns what LCP agreed on, or what it would agree on now.
func (l *Link) Terms() Terms { return l.state.LCP.terms(l.cfg) }

// States returns the states of LCP, IPCP and IPV6CP.
func (l *Link) States() (lcp, ipcp, ipv6cp State) {
	c := &l.state.Controls
	return c[lcpIndex].State, c[ipcpIndex].State, c[ipv6cpIndex].State
}

func (l *Link) start(t timer, d time.Duration) { l.timers[t] = l.now + d }

func (l *Link) stop(t timer) { l.timers[t] = 0 }

func (l *Link) act(a Action) { l.out = append(l.out, a) }

// send sends a packet: two bytes of protocol, never compressed.
func (l *Link) send(p Protocol, pkt packet) {
	b := make([]byte, 0, 2+packetHeader+len(pkt.data))
	b = binary.BigEndian.AppendUint16(b, uint16(p))
	l.act(SendFrame{Frame: appendPacket(b, pkt)})
}

func (l *Link) expire(t timer) {
	switch t {
	case timerPeerAuth:
		l.peerAuthExpired()
	case timerLocalAuth:
		l.localAuthExpired()
	case timerPhase:
		l.phaseExpired()
	case timerEcho:
		l.echoExpired()
	default:
		l.expired(int(t))
	}
}

// phaseExpired: the passive wait or the authentication took too long.
func (l *Link) phaseExpired() {
	switch {
	case l.state.Controls[lcpIndex].State == Stopped:
		l.setEnd(PeerSilent, "waiting for the peer's first Configure-Request: none came")
		l.terminate()
	case l.state.Phase == PhaseAuthenticate:
		l.authTimedOut()
	}
}

func (l *Link) handle(ev Event) {
	switch ev := ev.(type) {
	case LowerUp:
		l.lowerUp(ev.Proxy)
	case LowerDown:
		l.lowerDown()
	case FrameReceived:
		l.receive(ev.Frame)
	case Authenticated:
		l.authenticated(ev)
	case AddressesGranted:
		l.addressesGranted(ev)
	case AddressesRefused:
		l.addressesRefused(ev)
	case CloseRequested:
		l.closeRequested(ev.Reason)
	}
}

func (l *Link) lowerUp(p *Proxy) {
	c := &l.state.Controls[lcpIndex]
	if c.State != Starting {
		return
	}
	l.state.Phase = PhaseEstablish
	switch {
	case p != nil && l.adopt(p):
	case l.cfg.Passive:
		lcp{l}.reset()
		c.State = Stopped
		l.start(timerPhase, l.passiveWait())
	default:
		l.fire(lcpIndex, evUp, packet{})
	}
}

// passiveWait is as long as an active link would go on asking.
func (l *Link) passiveWait() time.Duration {
	limits := l.cfg.limits(lcpIndex)
	return time.Duration(limits.MaxConfigure) * limits.RestartInterval
}

func (l *Link) lowerDown() {
	l.setEnd(LowerLayerDown, "the session under the link is gone")
	l.fire(lcpIndex, evDown, packet{})
	l.finish()
}

// closeRequested ends the link as RFC 1661, 3.7 has it.
func (l *Link) closeRequested(reason string) {
	l.setEnd(LocalTerminated, orElse(reason, "closed here"))
	l.state.Ending.CloseReason = clip(reason, 128)
	l.terminate()
}

// terminate closes LCP; the end has been set. What has nothing to close is finished
// at once.
func (l *Link) terminate() {
	l.fire(lcpIndex, evClose, packet{})
	l.updatePhase()
	if !l.state.Controls[lcpIndex].State.timed() {
		l.finish()
	}
}

// setEnd notes why the link ends. The first reason is the one that counts.
func (l *Link) setEnd(reason EndReason, detail string) {
	if l.state.Ending == nil {
		l.state.Ending = &Ending{End: End{Reason: reason, Detail: detail}}
	}
}

// finish is the last thing that a link does.
func (l *Link) finish() {
	if l.state.Finished {
		return
	}
	l.state.Finished, l.state.Phase = true, PhaseDead
	l.timers = [numTimers]time.Duration{}
	l.act(Finished{End: l.End()})
}

// updatePhase: LCP may have left what it was in.
func (l *Link) updatePhase() {
	if s := l.state.Controls[lcpIndex].State; s == Closing || s == Stopping {
		l.state.Phase = PhaseTerminate
	}
}

// layerUp is This-Layer-Up.
func (l *Link) layerUp(i int) {
	switch i {
	case lcpIndex:
		l.linkUp()
	case ipcpIndex:
		l.ipcpUp()
	case ipv6cpIndex:
		l.ipv6cpUp()
	}
}

// layerDown is This-Layer-Down.
func (l *Link) layerDown(i int) {
	switch i {
	case lcpIndex:
		l.linkDown()
	case ipcpIndex:
		l.networkDown(i, IPv4)
	case ipv6cpIndex:
		l.networkDown(i, IPv6)
	}
}

// layerFinished is This-Layer-Finished.
func (l *Link) layerFinished(i int) {
	if i != lcpIndex {
		l.networkFinished(i)
		return
	}
	l.setEnd(l.convergenceFailure())
	l.finish()
}

// convergenceFailure says why LCP ended by itself.
func (l *Link) convergenceFailure() (EndReason, string) {
	c := &l.state.Controls[lcpIndex]
	switch {
	case c.ByPeer:
		return PeerTerminated, "the peer terminated the link before it was up"
	case c.Refusals > 0 || c.PeerNaks > 0 || c.Heard:
		return NegotiationFailed, "LCP did not converge"
	}
	return PeerSilent, "LCP Configure-Requests went unanswered"
}

// linkUp: LCP is opened; authentication follows.
func (l *Link) linkUp() {
	s := &l.state
	s.LinkUp, s.LCP.Loops, s.Unanswered, s.NetworkFailure = true, 0, 0, ""
	s.Controls[lcpIndex].ByPeer = false
	l.stop(timerPhase)
	l.act(LinkUp{Terms: l.Terms()})
	l.startEcho()
	l.startAuthentication()
}

// linkDown: LCP left the Opened state, and everything above it goes.
func (l *Link) linkDown() {
	s := &l.state
	for _, i := range []int{ipcpIndex, ipv6cpIndex} {
		l.fire(i, evDown, packet{})
		s.Controls[i] = ControlState{State: s.Controls[i].State, ID: s.Controls[i].ID}
	}
	l.stop(timerEcho)
	l.stopAuthentication()
	s.Phase, s.Granted = PhaseEstablish, false
	if s.LinkUp {
		s.LinkUp = false
		l.act(LinkDown{})
	}
}

// receive sorts a frame by its protocol and the phase.
func (l *Link) receive(frame []byte) {
	p, info, err := ParseFrame(frame)
	if err != nil {
		return
	}
	// "The receipt of the LCP Configure-Request causes a return to the Link
	// Establishment phase": LCP is heard in every phase.
	// https://www.rfc-editor.org/rfc/rfc1661#section-3.4
	if p == ProtocolLCP {
		l.receiveControl(lcpIndex, info)
		l.updatePhase()
		return
	}
	// "Any non-LCP packets received during this phase MUST be silently discarded":
	// of Establish (3.4) and Terminate (3.7). "Only Link Control Protocol,
	// authentication protocol, and link quality monitoring packets are allowed
	// during this phase. All other packets received during this phase MUST be
	// silently discarded": of Authenticate (3.5).
	switch l.state.Phase {
	case PhaseAuthenticate:
		l.impliedSuccess(p)
		l.receiveAuth(p, info)
	case PhaseNetwork:
		l.receiveNetwork(p, info)
	}
}

// receiveNetwork handles what may come when authentication is over.
//
// "While LCP is in the Opened state, any protocol packet which is unsupported by the
// implementation MUST be returned in a Protocol-Reject (described later). Only
// protocols which are supported are silently discarded."
// https://www.rfc-editor.org/rfc/rfc1661#section-3.6
func (l *Link) receiveNetwork(p Protocol, info []byte) {
	switch {
	case p == ProtocolPAP, p == ProtocolCHAP, p == ProtocolEAP:
		l.receiveAuth(p, info)
	case p == ProtocolIPCP && !l.cfg.NoIPv4:
		l.receiveNCP(ipcpIndex, info)
	case p == ProtocolIPv6CP && l.cfg.IPv6:
		l.receiveNCP(ipv6cpIndex, info)
	case p == ProtocolIPv4 && !l.cfg.NoIPv4, p == ProtocolIPv6 && l.cfg.IPv6:
		// The data plane's, if it is up; or else it came too early.
	default:
		// "Frames received which don't comply with these rules MUST be treated as having
		// an unrecognized Protocol": even numbers end here like any other.
		// https://www.rfc-editor.org/rfc/rfc1661#section-2
		l.sendProtocolReject(p, info)
	}
}

// nonZero32 is a random number that is not zero.
func (l *Link) nonZero32() uint32 {
	for {
		var b [4]byte
		l.random(b[:])
		if v := binary.BigEndian.Uint32(b[:]); v != 0 {
			return v
		}
	}
}

// random fills b. Without randomness there is no authentication to speak of.
func (l *Link) random(b []byte) {
	r := l.cfg.Rand
	if r == nil {
		r = rand.Reader
	}
	if _, err := io.ReadFull(r, b); err != nil {
		panic("ppp: reading Config.Rand: " + err.Error())
	}
}
