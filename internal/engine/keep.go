package engine

import (
	"bytes"
	"context"
	"time"

	"culvert/internal/journal"
	"culvert/l2tp"
	"culvert/ppp"
)

// A keeping is what a shard keeps for the process that comes after this one, and
// what may leave only once that is kept: a peer never hears of what the next process
// would not know.
type keeping struct {
	journal  *journal.Writer // nil: nothing is kept
	tunnels  []*tunnel       // those that have changed since the last commit
	sessions []*session
	outgoing []outgoing
	// teardowns take from the data plane what is not recorded any more.
	teardowns []func()
	draft     draft
	record    bytes.Buffer // the one that is being written
}

// put records something in the journal.
func (k *keeping) put(key journal.Key, record any) {
	k.record.Reset()
	encodeInto(&k.record, record)
	k.journal.Put(key, k.record.Bytes())
}

// A kept says of a tunnel or session what the journal has.
type kept struct {
	touched bool // it is on the list of those that have changed
	there   bool // the journal has a record
}

// A keptQueue is which messages that wait to be sent the journal has: from first on, up to next
// and without it, as [l2tp.Tunnel.Queued] numbers them.
type keptQueue struct{ first, next uint64 }

// An outgoing is a control message of a tunnel, or a frame of a session.
type outgoing struct {
	tunnel  *tunnel
	session *session
	data    []byte
}

// batch is how many messages a shard handles before what they cause leaves.
const batch = 64

// JournalKind is the word for what shards keep in a directory of journals.
const JournalKind = "sessions"

// keepIn has each shard keep what it holds in a journal, from now on: what the last process
// has left is not true any more. What is wrong with that the directory tells.
func (e *Engine) keepIn(dir *journal.Dir) {
	if dir == nil {
		return
	}
	for _, s := range e.shards {
		s.keeping.journal = dir.Writer(JournalKind, func() { s.mail.post(s.keepAgain) })
		_ = s.keeping.journal.Rewrite(s.keepAll)
	}
	dir.Begin()
}

// keepAgain writes the journal after that has failed, if it was not written since.
func (s *shard) keepAgain() { _ = s.keeping.journal.Flush(s.keepAll) }

// packJournals gives back what sessions that came or went have left in the journals. They
// are in memory, on a tmpfs.
func (e *Engine) packJournals(ctx context.Context) {
	for _, s := range e.shards {
		_, _ = ask(ctx, s, func() (struct{}, error) {
			if w := s.keeping.journal; w != nil {
				s.keep(time.Now())    // what has changed is in the old file too, if that goes on
				_ = w.Pack(s.keepAll) // what is wrong the directory tells
			}
			return struct{}{}, nil
		})
	}
}

// touch notes that the tunnel has changed.
func (t *tunnel) touch() {
	if k := &t.shard.keeping; k.journal != nil && !t.kept.touched {
		t.kept.touched = true
		k.tunnels = append(k.tunnels, t)
	}
}

// touch notes that the session has changed.
func (s *session) touch() {
	if k := &s.shard().keeping; k.journal != nil && !s.kept.touched {
		s.kept.touched = true
		k.sessions = append(k.sessions, s)
	}
}

// touchIfUp notes a change of what is recorded only of a session that is up.
func (s *session) touchIfUp() {
	if s.phase == up {
		s.touch()
	}
}

// touchCall notes that the session's call went a step on. Of one that is being answered all was
// recorded when it came.
func (s *session) touchCall() {
	if !s.isBeingAnswered() {
		s.touch()
	}
}

// isBeingAnswered reports whether a LAC places the call, and its session is not up yet.
func (s *session) isBeingAnswered() bool { return s.kind == l2tp.LNSIncoming && s.phase < up }

// touchCall notes which session's call went a step on by an event or an action of the core.
func (t *tunnel) touchCall(id l2tp.SessionID) {
	if s := t.sessions[id]; s != nil {
		s.touchCall()
	}
}

// touchEvent notes which session an event of ours is about.
func (t *tunnel) touchEvent(ev l2tp.Event) {
	switch ev := ev.(type) {
	case l2tp.PlaceCall:
		t.touchCall(ev.Session)
	case l2tp.CallAccepted:
		t.touchCall(ev.Session)
	case l2tp.CallConnected:
		t.touchCall(ev.Session)
	}
}

// touchLink notes a change of the session's link. Echoes change nothing that
// the next process needs.
func (s *session) touchLink(ev ppp.Event, actions []ppp.Action) {
	if s.phase == up && !isEcho(ev, actions) {
		s.touch()
	}
}

// isEcho reports whether a step of a link was about echoes alone.
func isEcho(ev ppp.Event, actions []ppp.Action) bool {
	if f, ok := ev.(ppp.FrameReceived); ok && !ppp.IsEcho(f.Frame) {
		return false
	}
	for _, a := range actions {
		if f, ok := a.(ppp.SendFrame); !ok || !ppp.IsEcho(f.Frame) {
			return false
		}
	}
	switch ev.(type) {
	case ppp.FrameReceived, ppp.Tick:
		return true
	}
	return false
}

// leaves queues what is to leave once what caused it is kept.
func (s *shard) leaves(o outgoing) { s.keeping.outgoing = append(s.keeping.outgoing, o) }

// commit keeps what has changed, and then lets leave what that has caused, until
// neither is left.
func (s *shard) commit() {
	for k := &s.keeping; k.isDue(); s.drain() {
		if len(k.tunnels)+len(k.sessions) > 0 {
			s.keep(time.Now())
		}
		for i := 0; i < len(k.outgoing); i++ { // a fault may add more
			s.release(&k.outgoing[i])
		}
		clear(k.outgoing)
		k.outgoing = k.outgoing[:0]
		for _, begin := range k.teardowns {
			begin()
		}
		clear(k.teardowns)
		k.teardowns = k.teardowns[:0]
	}
}

func (k *keeping) isDue() bool {
	return len(k.tunnels)+len(k.sessions)+len(k.outgoing)+len(k.teardowns) > 0
}

// release lets a message or frame leave. A fault of ours in that ends what it struck.
func (s *shard) release(o *outgoing) {
	defer s.contain(turn{tunnel: o.tunnel, session: o.session})
	o.leave()
}

// keep writes what has changed into the journal.
func (s *shard) keep(now time.Time) {
	k := &s.keeping
	for _, t := range k.tunnels {
		t.kept.touched = false
		if !t.kept.there && t.isKept() { // calls may have come before
			for _, sess := range t.sessions {
				sess.touch()
			}
		}
		t.keep(now, k)
	}
	for _, sess := range k.sessions {
		sess.kept.touched = false
		sess.keep(now, k)
	}
	clear(k.tunnels)
	clear(k.sessions)
	k.tunnels, k.sessions = k.tunnels[:0], k.sessions[:0]
	_ = k.journal.Flush(s.keepAll)
}

// keepAll records all that the shard holds, for a journal that is written anew.
func (s *shard) keepAll() {
	now, k := time.Now(), &s.keeping
	for _, t := range s.tunnels {
		t.queue = keptQueue{}
		t.keep(now, k)
		for _, sess := range t.sessions {
			sess.keep(now, k)
		}
	}
}

// keep records the tunnel while it is established.
func (t *tunnel) keep(now time.Time, k *keeping) {
	switch {
	case t.isKept():
		t.kept.there = true
		k.put(t.key(), t.record(now, &k.draft))
		t.keepQueue(k)
	case t.kept.there:
		t.kept.there = false
		k.journal.Delete(t.key())
		t.forgetQueued(k.journal, t.queue.next)
	}
}

// keepQueue records each message that waits once, and takes it back once it has left.
func (t *tunnel) keepQueue(k *keeping) {
	first, next := t.core.Queued()
	t.forgetQueued(k.journal, first)
	for ; t.queue.next < next; t.queue.next++ {
		n := t.queue.next
		if m, ok := t.core.SnapshotQueued(n); ok {
			k.put(t.keyOfQueued(n), queuedRecord{n, m})
		}
	}
}

// forgetQueued takes back the records of messages below a number.
func (t *tunnel) forgetQueued(w *journal.Writer, number uint64) {
	k := &t.queue
	for ; k.first < min(number, k.next); k.first++ {
		w.Delete(t.keyOfQueued(k.first))
	}
	k.first, k.next = number, max(number, k.next)
}

// isKept reports whether the tunnel is to outlive the process. One that is not
// established is not: its peer tries again.
func (t *tunnel) isKept() bool {
	return !t.establishedAt.IsZero() && t.end == nil && t.path != nil
}

// keep records the session until its call has ended.
func (s *session) keep(now time.Time, k *keeping) {
	switch {
	case s.phase != gone && s.tunnel.isKept():
		s.kept.there = true
		k.put(s.key(), s.record(now, &k.draft))
	case s.kept.there:
		s.kept.there = false
		k.journal.Delete(s.key())
	}
}

// leave sends a message or frame. One that cannot leave at once is lost.
func (o *outgoing) leave() {
	if o.session != nil {
		if err := o.session.path.Send(o.data); err != nil {
			o.session.log().Debug("sending frame", "err", err)
		}
		return
	}
	if err := o.tunnel.path.Send(o.data); err != nil {
		o.tunnel.shard.engine.total.sendFailures.Add(1)
		o.tunnel.log().Debug("sending control message", "err", err)
	}
}

// HandOver gives everything to a keeper that has begun anew.
func (e *Engine) HandOver() { e.path.HandOver() }

// Leave ends the engine and leaves what is up as it is, for the next process. What is
// being set up or taken down is left half done if it is not over when ctx is done: the
// next process ends it.
func (e *Engine) Leave(ctx context.Context) error {
	e.stopping.Store(true)
	for _, s := range e.shards {
		s.mail.post(func() { s.stopped = true })
	}
	e.loops.Wait()
	e.cancelJobs()
	idle := make(chan struct{})
	go func() {
		e.workers.wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	return e.path.Abandon()
}
