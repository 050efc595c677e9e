package l2tp

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Snapshot is all that a tunnel knows, as plain data. Times are kept as time
// remaining or time passed, so that they mean the same after a restart; zero
// is no deadline. Identifiers that [Tunnel.NewSessionID] gave out for calls not
// yet placed are not in it.
//
// It holds messages as they go over the wire: whoever stores it must keep it
// as safe as the secrets that a message may hold.
type Snapshot struct {
	ID            TunnelID
	Peer          Peer
	State         TunnelState
	Initiator     bool
	Refuse        *Result
	TieBreaker    *[8]byte
	Challenge     []byte
	PeerChallenge []byte

	Delivery DeliverySnapshot

	Heard       bool
	Silence     time.Duration // since something was heard
	EstablishIn time.Duration
	LingerIn    time.Duration
	Serial      uint32
	Sessions    []SessionSnapshot
	Setups      []SetupSnapshot
	Notified    []NotifiedSnapshot

	Stats Stats
}

// A DeliverySnapshot is the state of reliable delivery.
type DeliverySnapshot struct {
	Ns, Nr                       uint16
	Sent, Queue, Requests        []OutgoingSnapshot
	Early                        []EarlySnapshot
	Window, CWND, SSThresh, Acks uint16
	Interval                     time.Duration
	Retries, Silence             int
	Acked                        bool          // something was acknowledged,
	AckedAgo                     time.Duration // so long ago
	AckIn                        time.Duration
	Owed                         uint16 // messages that wait for an acknowledgement
}

// An OutgoingSnapshot is a message that is outstanding or waits.
type OutgoingSnapshot struct {
	AVPs        []byte
	Type        MessageType
	PeerSession SessionID
	Session     SessionID // zero if the message does not end with its session
	About       SessionID // whom it is about, zero if none
	SentAgo     time.Duration
	Lost        bool
}

// An EarlySnapshot is a message that came before its turn.
type EarlySnapshot struct {
	Ns      uint16
	Session SessionID
	AVPs    []byte
}

// A SessionSnapshot is one session.
type SessionSnapshot struct {
	Session, PeerSession SessionID
	Kind                 CallKind
	State                CallState
	Answered             bool
	Told                 bool
	Call                 *Call // nil once the session is up
	// ProxyResponse is Call.Proxy.AuthResponse, which hides itself from encoders.
	ProxyResponse []byte
}

// A SetupSnapshot is a call being set up.
type SetupSnapshot struct {
	Session SessionID
	In      time.Duration // until it is given up
}

// A NotifiedSnapshot is when a call's last WEN was sent.
type NotifiedSnapshot struct {
	Session SessionID
	Ago     time.Duration
}

// remaining is the time until at, negative if that is past; never zero unless
// there is no deadline.
func remaining(now, at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	if in := at.Sub(now); in != 0 {
		return in
	}
	return -1
}

func deadline(now time.Time, in time.Duration) time.Time {
	if in == 0 {
		return time.Time{}
	}
	return now.Add(in)
}

// Snapshot returns all that the tunnel knows at now.
func (t *Tunnel) Snapshot(now time.Time) Snapshot {
	s := t.SnapshotControl(now)
	s.Delivery.Queue = snapshotQueue(now, t.d.queue)
	s.Delivery.Requests = snapshotQueue(now, t.d.requests)
	for _, ns := range slices.Sorted(maps.Keys(t.d.early)) {
		m := t.d.early[ns]
		s.Delivery.Early = append(s.Delivery.Early, EarlySnapshot{ns, m.session, bytes.Clone(m.avps)})
	}
	for _, w := range t.setups {
		if w.s.settingUp() {
			s.Setups = append(s.Setups, SetupSnapshot{w.s.id, remaining(now, w.by)})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.sessions)) {
		if x, ok := t.SnapshotSession(id); ok {
			s.Sessions = append(s.Sessions, x)
		}
	}
	return s
}

// SnapshotControl returns what changes with each message, however many sessions and messages
// there are. What waits in the queue is to be had from [Tunnel.SnapshotQueued], and sessions
// from [Tunnel.SnapshotSession]. Messages that came before their turn are not in it, for
// the peer sends them again, nor are calls that are being placed.
func (t *Tunnel) SnapshotControl(now time.Time) Snapshot {
	s := Snapshot{
		ID: t.id, Peer: t.peer, State: t.state, Initiator: t.initiator,
		Refuse: t.refuse, TieBreaker: t.tieBreaker,
		Challenge: bytes.Clone(t.challenge), PeerChallenge: bytes.Clone(t.peerChallenge),
		Delivery: t.d.snapshot(now),
		Heard:    t.heard, Silence: now.Sub(t.heardAt),
		EstablishIn: remaining(now, t.establishBy), LingerIn: remaining(now, t.lingerUntil),
		Serial: t.serial, Stats: t.stats,
	}
	for _, id := range slices.Sorted(maps.Keys(t.notified)) {
		s.Notified = append(s.Notified, NotifiedSnapshot{id, now.Sub(t.notified[id])})
	}
	return s
}

// Queued says which messages wait to be sent. They are numbered in the order in which they
// came to wait: from first on, and next is the number of the next one to come. What has
// left has a number below first. Requests for calls are not among them.
func (t *Tunnel) Queued() (first, next uint64) {
	return t.d.queued - uint64(len(t.d.queue)), t.d.queued
}

// SnapshotQueued returns one of the messages that [Tunnel.Queued] tells of, and false if it
// will never leave, for its session has ended.
func (t *Tunnel) SnapshotQueued(number uint64) (OutgoingSnapshot, bool) {
	first, _ := t.Queued()
	o := t.d.queue[number-first]
	o.sentAt = time.Time{} // it was not
	return o.snapshot(time.Time{})
}

// SnapshotSession returns what the tunnel knows of one session, and whether there is one.
func (t *Tunnel) SnapshotSession(id SessionID) (SessionSnapshot, bool) {
	if x := t.sessions[id]; x != nil {
		return x.snapshot(), true
	}
	return SessionSnapshot{}, false
}

func (s *session) snapshot() SessionSnapshot {
	x := SessionSnapshot{Session: s.id, PeerSession: s.peer, Kind: s.kind, State: s.state,
		Answered: s.answered, Told: s.told}
	if s.call != nil {
		x.Call = new(*s.call)
		if s.call.Proxy != nil {
			x.ProxyResponse = []byte(string(s.call.Proxy.AuthResponse))
		}
	}
	return x
}

// snapshot leaves out what waits, and what came early.
func (d *delivery) snapshot(now time.Time) DeliverySnapshot {
	s := DeliverySnapshot{
		Ns: d.ns, Nr: d.nr, Sent: snapshotQueue(now, d.sent),
		Window: d.window, CWND: d.cwnd, SSThresh: d.ssthresh, Acks: d.acks,
		Interval: d.interval, Retries: d.retries, Silence: d.silence,
		Acked: !d.ackedAt.IsZero(), AckIn: remaining(now, d.ackDue), Owed: d.owed,
	}
	if s.Acked {
		s.AckedAgo = now.Sub(d.ackedAt)
	}
	return s
}

func snapshotQueue(now time.Time, q []outgoing) (s []OutgoingSnapshot) {
	for i := range q {
		if x, ok := q[i].snapshot(now); ok {
			s = append(s, x)
		}
	}
	return s
}

// snapshot returns the message, and false if it would never leave.
func (o *outgoing) snapshot(now time.Time) (OutgoingSnapshot, bool) {
	x := OutgoingSnapshot{AVPs: bytes.Clone(o.avps), Type: o.mt, PeerSession: o.peer,
		About: o.id, Lost: o.lost}
	if o.session != nil {
		x.Session = o.session.id
	}
	if !o.sentAt.IsZero() {
		x.SentAgo = now.Sub(o.sentAt)
	}
	return x, o.session == nil || !o.session.gone
}

// Restore makes the tunnel that s was taken of. It is silent: nothing is sent
// and nothing reported until the next Step.
func Restore(cfg *Config, now time.Time, s Snapshot) (*Tunnel, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("restoring tunnel %d: %w", s.ID, err)
	}
	t := newTunnel(cfg, s.ID)
	t.peer, t.state, t.initiator, t.refuse = s.Peer, s.State, s.Initiator, s.Refuse
	t.tieBreaker = s.TieBreaker
	t.challenge, t.peerChallenge = bytes.Clone(s.Challenge), bytes.Clone(s.PeerChallenge)
	t.heard, t.heardAt = s.Heard, now.Add(-s.Silence)
	t.establishBy, t.lingerUntil = deadline(now, s.EstablishIn), deadline(now, s.LingerIn)
	t.serial, t.stats = s.Serial, s.Stats
	for i := range s.Sessions {
		x := s.Sessions[i].restore()
		t.sessions[x.id] = x
	}
	for _, w := range s.Setups {
		t.setups = append(t.setups, setup{t.sessions[w.Session], deadline(now, w.In)})
	}
	for _, n := range s.Notified {
		if t.notified == nil {
			t.notified = make(map[SessionID]time.Time)
		}
		t.notified[n.Session] = now.Add(-n.Ago)
	}
	t.d.restore(now, &s.Delivery, t.sessions)
	return t, nil
}

// Resume has a tunnel go on at now that was restored as it was some time before. What
// was due in between is due at once, but not a HELLO: of many tunnels that are restored
// together theirs leave one by one, within an interval.
func (t *Tunnel) Resume(now time.Time) {
	if !due(t.helloAt(), now) {
		return
	}
	interval := t.cfg.HelloInterval
	least := min(t.cfg.HelloSpread, interval/2) + 1
	// Each identifier has a place of its own in the interval, far from the next one's.
	place := time.Duration(uint16(uint32(t.id) * 40503)) // 2^16 / golden ratio
	t.heardAt = now.Add(least + (interval-least)*place>>16 - interval)
}

// check says what of a snapshot would break a tunnel.
func (s *Snapshot) check() error {
	if s.ID == 0 || s.State > TunnelFinished {
		return fmt.Errorf("no such tunnel or state: %d, %d", s.ID, s.State)
	}
	d := &s.Delivery
	if d.Window == 0 || d.CWND == 0 || d.Interval <= 0 || len(d.Sent) > 0xffff {
		return fmt.Errorf("reliable delivery: window %d, cwnd %d, interval %v, %d outstanding",
			d.Window, d.CWND, d.Interval, len(d.Sent))
	}
	known := map[SessionID]bool{}
	for _, x := range s.Sessions {
		switch {
		case x.Session == 0 || known[x.Session]:
			return fmt.Errorf("session %d: zero or there twice", x.Session)
		case x.Kind < LACIncoming || x.Kind > LNSOutgoing || x.State >= numCallStates:
			return fmt.Errorf("session %d: no such kind or state: %d, %d", x.Session, x.Kind, x.State)
		case x.Call == nil && x.State != CallEstablished:
			return fmt.Errorf("session %d: in state %v without its call", x.Session, x.State)
		}
		known[x.Session] = true
	}
	for _, w := range s.Setups {
		if !known[w.Session] {
			return fmt.Errorf("session %d: set up, but not there", w.Session)
		}
	}
	return nil
}

func (s *SessionSnapshot) restore() *session {
	x := &session{id: s.Session, peer: s.PeerSession, kind: s.Kind, state: s.State,
		answered: s.Answered, told: s.Told}
	if s.Call != nil {
		x.call = new(*s.Call)
		if s.Call.Proxy != nil {
			x.call.Proxy = new(*s.Call.Proxy)
			x.call.Proxy.AuthResponse = Secret(s.ProxyResponse)
		}
	}
	return x
}

func (d *delivery) restore(now time.Time, s *DeliverySnapshot, of map[SessionID]*session) {
	d.ns, d.nr = s.Ns, s.Nr
	d.sent = restoreQueue(now, s.Sent, of)
	d.queue = restoreQueue(now, s.Queue, of)
	d.queued = uint64(len(d.queue))
	d.requests = restoreQueue(now, s.Requests, of)
	d.window, d.cwnd, d.ssthresh, d.acks = s.Window, s.CWND, s.SSThresh, s.Acks
	d.interval, d.retries, d.silence = s.Interval, s.Retries, s.Silence
	if s.Acked {
		d.ackedAt = now.Add(-s.AckedAgo)
	}
	d.ackDue, d.owed = deadline(now, s.AckIn), s.Owed
	for _, m := range s.Early {
		d.keep(m.Ns, earlyMessage{m.Session, bytes.Clone(m.AVPs)})
	}
}

// restoreQueue leaves out what would never leave: the message's session has ended since, and
// another one may have its identifier. A request was made before the peer's was known.
func restoreQueue(now time.Time, s []OutgoingSnapshot, of map[SessionID]*session) (q []outgoing) {
	for _, x := range s {
		about := of[x.Session]
		if x.Session != 0 && (about == nil || x.PeerSession != 0 && about.peer != x.PeerSession) {
			continue
		}
		q = append(q, outgoing{avps: bytes.Clone(x.AVPs), mt: x.Type, id: x.About,
			peer: x.PeerSession, session: about, sentAt: now.Add(-x.SentAgo), lost: x.Lost})
	}
	return q
}
