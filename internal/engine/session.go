package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/ppp"
)

// A session is one call, its PPP link and its interface. The shard of its
// tunnel owns it.
//
// There may be 100,000 of them: what only set-up needs is dropped after it.
type session struct {
	tunnel   *tunnel
	id       l2tp.SessionID
	peerID   l2tp.SessionID
	kind     l2tp.CallKind
	phase    phase
	counted  bool // in count.settingUp: until it is up or out of the data plane
	wasUp    bool // it is in count.sessionsUp
	told     told
	kept     kept
	place    slot
	plane    change // of path, but for its interface
	jobs     jobs
	settings *sessionSettings
	wanted   *call // who wants it; nil if the peer asked for it
	call     *l2tp.Call

	path  dataplane.Session // nil until added
	link  *ppp.Link         // nil until the call is up
	early [][]byte          // frames that came before the link was there

	network network

	created       time.Time
	establishedAt time.Time
	endBy         time.Time // when a session without a network is given up, or one with it ended
	idleBy        time.Time // when to ask how long it has been idle
	linkBy        time.Time // when PPP begins, if the peer does not begin before
	end           *l2tp.End
	cause         string // why PPP ended, if it did
}

// A phase is where a session stands for the engine.
type phase uint8

const (
	calling phase = iota // the call is being established
	linking              // the call is up, PPP negotiates
	up                   // a network protocol is up
	closing              // PPP or the call is being ended
	gone                 // the call has ended; the kernel is still busy with it
)

// What is kept for a link that is not there yet: some frames, as long as a peer may send
// before another MRU is negotiated (RFC 1661, 6.1), with all fields of PPP's header.
const (
	maxEarly       = 8
	maxEarlyLength = 4 + 1500
)

// newSession makes a session for a call that is wanted, or that the peer asks for if that
// is nil.
func (t *tunnel) newSession(
	now time.Time, id l2tp.SessionID, kind l2tp.CallKind, wanted *call,
) *session {
	s := &session{tunnel: t, id: id, kind: kind, wanted: wanted, created: now}
	if limit := t.shard.engine.store.Snapshot().System().SessionEstablishTimeout; limit > 0 {
		s.endBy = now.Add(limit)
	}
	t.sessions[id] = s
	t.idleSince = time.Time{}
	count := &t.shard.engine.count
	count.sessions.Add(1)
	count.sessionsCreated.Add(1)
	s.setUpBegins()
	t.traceCounts()
	t.shard.deadlines.update(s)
	s.touch()
	return s
}

func (s *session) slot() *slot { return &s.place }

func (s *session) deadline() time.Time {
	if s.link == nil {
		return earliest(s.endBy, s.linkBy)
	}
	return earliest(s.link.Deadline(), earliest(s.endBy, s.idleBy))
}

func (s *session) tick(now time.Time) {
	if due(s.endBy, now) {
		s.timeUp(now)
	}
	if due(s.idleBy, now) {
		s.askIdle()
	}
	switch {
	case s.link != nil:
		s.shard().stepLink(s, ppp.Tick{})
	case due(s.linkBy, now):
		s.beginLink()
	}
}

func (s *session) shard() *shard { return s.tunnel.shard }

func (s *session) engine() *Engine { return s.tunnel.shard.engine }

// log logs with the session's names, and the user's once the peer has proved who it is.
func (s *session) log() *slog.Logger {
	attrs := []slog.Attr{slog.Any("session", s)}
	if s.network.user != "" {
		attrs = append(attrs, slog.String("user", s.network.user))
	}
	return slog.New(subjectHandler{s.engine().log.Handler(), attrs})
}

// String names the session in logs: tunnel and session identifier.
func (s *session) String() string { return fmt.Sprintf("%d/%d", s.tunnel.core.ID(), s.id) }

// add makes the data plane's session, once the tunnel is there. It is called before ICRP, ICCN
// or OCRP is sent, so that the peer's first frame finds it.
func (s *session) add(then func(err error)) {
	s.tunnel.whenAttached(func() {
		if s.phase == gone {
			return
		}
		spec := s.spec()
		var path dataplane.Session
		s.do("data session, "+textOfSession(spec), job{
			urgency: s.urgencyOfCall(),
			run: func(ctx context.Context) (err error) {
				path, err = s.tunnel.path.AddSession(ctx, spec)
				return err
			},
			done: func(err error) {
				s.path = path
				if s.phase == gone {
					return
				}
				then(err)
			},
		})
	})
}

func (s *session) spec() dataplane.SessionSpec {
	set := &s.settings.Parameters
	return dataplane.SessionSpec{
		Session:     s.id,
		PeerSession: s.peerID,
		LNS:         s.isLNS(),
		// A LAC that requires sequencing says so in its ICCN, and both ends
		// number (RFC 2661, 5.4).
		SendSequence: set.UseSequenceNumbers || set.SequencingRequired ||
			s.peerRequiresSequence(),
		RequireSequence: set.SequencingRequired,
		ReorderTimeout:  set.ReorderTimeout,
		Raw:             set.NoPPP,
	}
}

func (s *session) isLNS() bool { return s.kind == l2tp.LNSIncoming || s.kind == l2tp.LNSOutgoing }

func (s *session) peerRequiresSequence() bool { return s.call != nil && s.call.SequencingRequired }

// refuse refuses the call for what the data plane said.
func (s *session) refuse(err error) {
	s.cause = err.Error()
	if errors.Is(err, errTooLate) {
		s.tunnel.tooMany(&s.engine().total.callsTooLate, s.cause)
	} else if s.engine().mayLog(s.tunnel.peer.Addr()) {
		s.log().Error("creating data session", "err", err)
	}
	s.shard().step(s.tunnel, l2tp.CallRefused{Session: s.id, Result: l2tp.Result{
		Code: l2tp.CDNNoFacilitiesForNow, Message: "no data session"}})
}

// callAnswered prepares a call that the peer took.
func (t *tunnel) callAnswered(now time.Time, a l2tp.CallAnswered) {
	s := t.sessions[a.Session]
	if s == nil {
		return
	}
	s.peerID = a.PeerSession
	s.add(func(err error) {
		if err != nil {
			s.refuse(err)
			return
		}
		if s.kind == l2tp.LACIncoming {
			t.shard.step(t, l2tp.CallConnected{Session: s.id, Call: s.settings.asCall()})
		} else if s.phase == linking {
			// OCCN came while the data plane was busy.
			s.modifySequencing(s.peerRequiresSequence())
			s.begin(now, false)
		}
	})
}

// callUp begins PPP: the call is established.
func (s *session) callUp(now time.Time, a l2tp.SessionUp) {
	s.phase = linking
	s.establishedAt = now
	s.touchCall()
	s.call = new(a.Call)
	s.engine().count.sessionsEstablished.Add(1)
	s.engine().total.sessionsEstablished.Add(1)
	s.log().Info("session established", "peer_session", a.PeerSession, "peer", s.tunnel.peer)
	s.tellUp()
	if s.path == nil {
		return
	}
	s.modifySequencing(a.Call.SequencingRequired)
	s.begin(now, s.kind == l2tp.LNSIncoming && a.Call.Proxy == nil)
}

// begin makes PPP begin, if we run it; the peer may speak first where that helps it.
func (s *session) begin(now time.Time, wait bool) {
	switch {
	case s.settings.Parameters.NoPPP:
		s.early = nil
		s.reachUp()
	case wait && len(s.early) == 0:
		s.linkBy = now.Add(firstFrameWait)
		s.shard().deadlines.update(s)
	default:
		s.beginLink()
	}
}

// firstFrameWait is how long we let a caller speak first. xl2tpd starts its pppd only after it
// has sent ICCN, and drops what we send before that: our first Configure-Request, which
// would be repeated three seconds later.
const firstFrameWait = 100 * time.Millisecond

// modifySequencing turns numbering on if the LAC's ICCN or OCCN asked for it.
func (s *session) modifySequencing(required bool) {
	set := &s.settings.Parameters
	if !required || set.UseSequenceNumbers || set.SequencingRequired {
		return
	}
	s.modifyPath("turning sequence numbers on")
}

// warn returns what logs a job's error that ends nothing.
func (s *session) warn(doing string) func(error) {
	return func(err error) {
		if err != nil {
			s.log().Warn(doing, "err", err)
		}
	}
}

// hangUp ends the session politely: PPP first, then the call.
func (s *session) hangUp(now time.Time, reason string) {
	switch {
	case s.phase == closing || s.phase == gone:
	case s.link != nil:
		s.phase = closing
		s.touch()
		s.cause = reason
		s.shard().stepLink(s, ppp.CloseRequested{Reason: reason})
	default:
		s.cause = reason
		s.hangUpCall(l2tp.Result{Code: l2tp.CDNAdministrative, Message: reason})
	}
}

// hangUpCall ends the call with a CDN.
func (s *session) hangUpCall(result l2tp.Result) {
	s.endCall(l2tp.HangUp{Session: s.id, Result: result})
}

// endCall ends the call with a CDN as ev has it.
func (s *session) endCall(ev l2tp.HangUp) {
	if s.phase == gone {
		return
	}
	s.phase = closing
	s.touch()
	s.linkBy = time.Time{}
	s.shard().step(s.tunnel, ev)
}

// lost ends a session that the kernel no longer has.
func (s *session) lost(cause error) {
	s.cause = cause.Error()
	s.log().Warn("data session lost", "err", cause)
	s.hangUpCall(l2tp.Result{Code: l2tp.CDNLossOfCarrier, Message: "data session lost"})
}

// callDown is called when the call has ended: what hangs on it goes.
func (s *session) callDown(now time.Time, end l2tp.End) {
	if s.phase == gone {
		return
	}
	s.phase = gone
	s.end = &end
	s.touch()
	s.tunnel.core.Withhold(s.id) // the data plane still has it
	s.endBy, s.idleBy, s.linkBy = time.Time{}, time.Time{}, time.Time{}
	if !s.establishedAt.IsZero() {
		s.engine().count.sessionsEstablished.Add(-1)
	}
	if s.wasUp {
		s.engine().count.sessionsUp.Add(-1)
	}
	if s.link != nil {
		s.shard().stepLink(s, ppp.LowerDown{})
	}
	s.log().Info("session ended", "ended_by", whose(end), "cause", s.endText())
	s.traceEnd()
	s.countEnd(end)
	s.tellDown()
	s.dropNameServers()
	s.remove()
	if s.wanted != nil {
		s.wanted.sessionEnded(now)
	}
}

// endText is one line on why the session ended: what PPP said goes before the CDN.
func (s *session) endText() string {
	if s.cause != "" {
		return s.cause
	}
	return s.end.Result.CDNString()
}

// remove takes the session out of the data plane, and then out of the tunnel.
func (s *session) remove() {
	s.do("deleting data session", job{
		urgency: forTeardown,
		run: func(ctx context.Context) error {
			if s.path == nil {
				return nil
			}
			return s.path.Close(ctx)
		},
		done: func(err error) {
			s.warn("deleting data session")(err)
			s.release()
			s.setUpDone()
			s.shard().deadlines.remove(s)
			s.engine().count.sessions.Add(-1)
			s.tellDeleted()
			s.tunnel.sessionGone(time.Now(), s)
		},
	})
}

// receive gives a frame to the link, or keeps it for the link that will be.
func (s *session) receive(frame []byte) {
	switch {
	case s.phase == gone, s.settings.Parameters.NoPPP:
	case s.link != nil:
		s.shard().stepLink(s, ppp.FrameReceived{Frame: frame})
	case len(s.early) < maxEarly && len(frame) <= maxEarlyLength:
		s.early = append(s.early, frame)
		if !s.linkBy.IsZero() {
			s.beginLink()
		}
	}
}

// user looks a local user up. Windows puts its domain before the name.
func (e *Engine) user(name string) (config.User, bool) {
	snapshot := e.store.Snapshot()
	if user, ok := snapshot.User(name); ok {
		return user, true
	}
	_, bare, ok := strings.Cut(name, `\`)
	if !ok {
		return config.User{}, false
	}
	return snapshot.User(bare)
}
