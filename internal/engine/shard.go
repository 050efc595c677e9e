package engine

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/ppp"
)

// A shard is one loop. Except where otherwise noted, all state of a tunnel, of
// its sessions and of their links is owned by the loop's goroutine: it is
// touched there only and needs no lock. Others post to the mailbox.
//
// A turn takes a message, steps a core, and carries out the actions. An action
// never steps a core on the spot: what it causes is queued, and the queue is
// drained before the next message. There is no recursion.
type shard struct {
	engine *Engine
	index  int
	mail   *mailbox

	tunnels   map[l2tp.TunnelID]*tunnel
	firsts    map[first]*tunnel    // tunnels that peers began, by their SCCRQ
	halfOpen  halfOpens            // those of them that are not established yet
	refused   int                  // how many of them were refused and linger
	askedFor  map[netip.Addr]int64 // sessions in set-up that peers asked for, by their addresses
	dialers   map[*dialer]struct{}
	wanted    map[l2tp.TunnelID]*dialer // by the identifier of their tunnel, or the next one
	deadlines deadlines
	turns     []turn
	keeping   keeping
	settings  settingsCache

	past messageTotals // of the tunnels that are gone

	stopped bool
	ended   chan struct{} // closed at the end of the loop
	// gone, when set, is told once the last tunnel has ended.
	gone chan<- struct{}
}

// A turn is one event for one core: a tunnel's or a link's.
type turn struct {
	tunnel *tunnel
	event  l2tp.Event

	session   *session
	linkEvent ppp.Event
}

func newShard(e *Engine, index int) *shard {
	return &shard{
		engine:   e,
		index:    index,
		mail:     newMailbox(),
		tunnels:  make(map[l2tp.TunnelID]*tunnel),
		firsts:   make(map[first]*tunnel),
		dialers:  make(map[*dialer]struct{}),
		wanted:   make(map[l2tp.TunnelID]*dialer),
		askedFor: make(map[netip.Addr]int64),
		ended:    make(chan struct{}),

		deadlines: newDeadlines(time.Now()),
	}
}

// loop runs the shard until it is stopped.
func (s *shard) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer close(s.ended)
	var messages []message
	for !s.stopped {
		if next, ok := s.deadlines.next(); ok {
			timer.Reset(time.Until(next))
		}
		select {
		case <-s.mail.wake:
		case <-timer.C:
		}
		messages = s.mail.take(messages)
		for i := range messages {
			s.handle(messages[i])
			if i%batch == batch-1 {
				s.commit()
			}
		}
		s.expire()
		s.commit()
	}
}

func (s *shard) handle(m message) {
	s.open(m)
	s.drain()
}

// open carries out a message. A fault in it ends nothing.
func (s *shard) open(m message) {
	defer s.contain(turn{})
	if m.run != nil {
		m.run()
	} else {
		s.receive(m.pack)
	}
}

// expire ticks every machine whose deadline has come.
func (s *shard) expire() {
	now := time.Now()
	for m := s.deadlines.due(now); m != nil; m = s.deadlines.due(now) {
		s.tick(m, now)
		s.drain()
		s.deadlines.ticked(m, now)
	}
}

// tick ticks a machine. A fault in it ends the machine, whose deadline would be due
// for ever.
func (s *shard) tick(m machine, now time.Time) {
	defer s.contain(turnOf(m))
	m.tick(now)
}

// turnOf names the tunnel or session that a machine is. The others forget their
// deadline before they do anything else.
func turnOf(m machine) turn {
	switch m := m.(type) {
	case *tunnel:
		return turn{tunnel: m}
	case *session:
		return turn{session: m}
	}
	return turn{}
}

// step queues an event for a tunnel.
func (s *shard) step(t *tunnel, ev l2tp.Event) {
	s.turns = append(s.turns, turn{tunnel: t, event: ev})
}

// stepLink queues an event for a session's link.
func (s *shard) stepLink(sess *session, ev ppp.Event) {
	s.turns = append(s.turns, turn{session: sess, linkEvent: ev})
}

// drain takes the queued turns, and those that they cause, until none is left.
func (s *shard) drain() {
	for i := 0; i < len(s.turns); i++ {
		s.take(s.turns[i])
	}
	clear(s.turns)
	s.turns = s.turns[:0]
}

// take takes one turn. A fault of ours ends what it struck, and nothing else.
func (s *shard) take(next turn) {
	defer s.contain(next)
	if next.tunnel != nil {
		next.tunnel.step(time.Now(), next.event)
	} else {
		next.session.stepLink(time.Now(), next.linkEvent)
	}
}

// session finds a session by its identifiers, or returns nil.
func (s *shard) session(id dataplane.SessionKey) *session {
	if t := s.tunnels[id.Tunnel]; t != nil {
		return t.sessions[id.Session]
	}
	return nil
}

// newTunnelID returns a free identifier whose shard this is, at random so that
// a stranger cannot guess it, or 0 if none is free.
func (s *shard) newTunnelID() l2tp.TunnelID {
	n := len(s.engine.shards)
	var b [2]byte
	rand.Read(b[:])
	begin := int(binary.BigEndian.Uint16(b[:]))
	for i := range 1 << 16 {
		id := l2tp.TunnelID(begin + i)
		if id != 0 && int(id)%n == s.index && s.tunnels[id] == nil && s.wanted[id] == nil {
			return id
		}
	}
	return 0
}

// closeAll ends every tunnel politely; done is told when the last is gone.
func (s *shard) closeAll(done chan<- struct{}) {
	s.gone = done
	for d := range s.dialers {
		if d.tunnel == nil {
			d.forget()
		}
		d.deleted = true
	}
	for _, t := range s.tunnels {
		t.close(time.Now(), l2tp.Result{Code: l2tp.StopShutdown})
	}
	s.tellIfGone()
}

// tellIfGone tells Shutdown when nothing of any tunnel is left in the kernel.
func (s *shard) tellIfGone() {
	if s.gone == nil {
		return
	}
	for _, t := range s.tunnels {
		if !t.isGone() && !t.refused {
			return
		}
	}
	s.gone <- struct{}{}
	s.gone = nil
}
