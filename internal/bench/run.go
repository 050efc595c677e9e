package bench

import (
	"context"
	crand "crypto/rand"
	"math/rand/v2"
	"net/netip"
	"time"

	"culvert/l2tp"
	"culvert/ppp"
)

// A Run is one run of the generator. Everything in it belongs to the goroutine that
// calls Do, the run's loop, but for the mailbox.
//
// A turn is one event for one core. What its actions cause is queued as another turn,
// and the queue is drained before the next datagram: there is no recursion.
type Run struct {
	cfg     *Config
	network Network
	base    time.Time
	began   time.Time // by the wall's clock
	mail    *mailbox
	rand    *rand.ChaCha8

	tunnels  []tunnel
	sessions []session
	byID     map[l2tp.TunnelID]*tunnel
	lines    map[netip.Addr]*line

	unopened fifo[*tunnel] // that are to be opened
	ready    fifo[*tunnel] // that are up and have a session waiting
	opening  int           // tunnels
	busy     int           // tunnels with something not acknowledged
	pending  int           // sessions that wait to be placed

	pace      pace
	stage     stage
	tally     tally
	deadlines deadlines
	turns     []turn
	link      ppp.Config // of every session, but for the user
	scratch   []byte     // a data message that is sent
	packet    []byte     // a frame with a packet that is sent
	nextID    l2tp.TunnelID
	progress  time.Duration // when it is told next
	tag       uint32        // of the packets in sessions, unlike that of other runs
}

// A turn is one event for one core: a tunnel's or a link's.
type turn struct {
	tunnel *tunnel
	event  l2tp.Event

	session   *session
	linkEvent ppp.Event
}

// New prepares a run. The configuration must be complete, and belongs to the run.
func New(cfg *Config, network Network) *Run {
	r := &Run{
		cfg:      cfg,
		network:  network,
		mail:     newMailbox(),
		rand:     newRandom(),
		byID:     make(map[l2tp.TunnelID]*tunnel),
		lines:    make(map[netip.Addr]*line),
		tunnels:  make([]tunnel, cfg.Tunnels),
		sessions: make([]session, cfg.Sessions),
		pending:  cfg.Sessions,
		tally:    newTally(),
		link:     cfg.link(),
		stage:    newStage(),
	}
	r.link.Rand = r.rand
	r.nextID, r.tag = l2tp.TunnelID(r.rand.Uint64()), uint32(r.rand.Uint64())
	shared := cfg.tunnel(0)
	for i := range r.tunnels {
		settings := shared
		if cfg.HostName.HasNumber() {
			settings = cfg.tunnel(i)
		}
		settings.Rand = r.rand
		r.tunnels[i] = tunnel{
			run: r, number: i, settings: settings, again: never,
			sessions: make(map[l2tp.SessionID]*session),
		}
		r.unopened.push(&r.tunnels[i])
	}
	for i := range r.sessions {
		t := &r.tunnels[i%len(r.tunnels)]
		r.sessions[i] = session{tunnel: t, number: int32(i), until: never, next: never}
		r.sessions[i].flow = cfg.Traffic.flow(i, cfg.Sessions)
		t.waiting.push(&r.sessions[i])
	}
	return r
}

// newRandom returns what cannot be guessed without asking the system each time.
func newRandom() *rand.ChaCha8 {
	var seed [32]byte
	crand.Read(seed[:])
	return rand.NewChaCha8(seed)
}

// Do carries the run out and reports. When ctx is done the run ends politely.
func (r *Run) Do(ctx context.Context) *Report {
	r.begin(time.Now())
	interrupted := ctx.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var mail letters
	for r.stage.now != finished {
		select {
		case <-r.mail.wake:
		case <-timer.C:
		case <-interrupted:
			interrupted = nil
			r.stage.interrupted = true
			r.finish(r.since(time.Now()))
		}
		mail = r.mail.take(mail)
		r.tally.wait(r.mail.deliver(mail, r.receive), r.isEnding())
		r.expire()
		r.advance(r.since(time.Now()))
		timer.Reset(r.wait(time.Now()))
	}
	r.close()
	return r.report(time.Now())
}

func (r *Run) begin(now time.Time) {
	r.base, r.began = now, now
	r.progress = time.Second
}

// since tells time from the run's base. Zero is never.
func (r *Run) since(t time.Time) time.Duration {
	if t.IsZero() {
		return never
	}
	return t.Sub(r.base)
}

// wait is how long the loop may sleep.
func (r *Run) wait(now time.Time) time.Duration {
	at := min(r.deadlines.next(), r.progress, r.paceAt(), r.stageAt())
	return max(at-r.since(now), 0)
}

// receive takes a datagram.
func (r *Run) receive(from netip.AddrPort, b []byte) {
	h, payload, err := l2tp.ParseHeader(b)
	t := r.byID[h.TunnelID]
	if err != nil || t == nil {
		r.tally.unwanted++
		return
	}
	if h.Control {
		r.tally.controlReceived++
		t.hear(from)
		r.step(t, l2tp.MessageReceived{Data: b})
		r.drain()
		return
	}
	s := t.sessions[h.SessionID]
	if s == nil || s.link == nil {
		r.tally.unwanted++
		return
	}
	r.tally.dataReceived++
	s.receive(h, payload)
	r.drain()
}

// expire ticks everything whose deadline has come.
func (r *Run) expire() {
	now := time.Now()
	at := r.since(now)
	for m := r.deadlines.due(at); m != nil; m = r.deadlines.due(at) {
		m.tick(now)
		r.drain()
		r.deadlines.ticked(m, at)
	}
}

// step queues an event for a tunnel.
func (r *Run) step(t *tunnel, ev l2tp.Event) {
	r.turns = append(r.turns, turn{tunnel: t, event: ev})
}

// stepLink queues an event for a session's link.
func (r *Run) stepLink(s *session, ev ppp.Event) {
	r.turns = append(r.turns, turn{session: s, linkEvent: ev})
}

// drain takes the queued turns, and those that they cause, until none is left.
func (r *Run) drain() {
	for i := 0; i < len(r.turns); i++ {
		next := r.turns[i]
		if next.tunnel != nil {
			next.tunnel.step(time.Now(), next.event)
		} else {
			next.session.step(time.Now(), next.linkEvent)
		}
	}
	clear(r.turns)
	r.turns = r.turns[:0]
}

// newTunnelID returns an identifier that no tunnel of the run has.
func (r *Run) newTunnelID() l2tp.TunnelID {
	for {
		r.nextID++
		if _, taken := r.byID[r.nextID]; r.nextID != 0 && !taken {
			return r.nextID
		}
	}
}

// linkConfig is the configuration of a session's link.
func (r *Run) linkConfig(s *session) *ppp.Config {
	if r.link.User == "" || r.cfg.User.HasNumber() {
		cfg := r.link
		cfg.User = r.cfg.user(int(s.number))
		return &cfg
	}
	return &r.link
}

// close closes what is left.
func (r *Run) close() {
	for i := range r.tunnels {
		r.tunnels[i].discard()
	}
}

// A fifo is a queue that gives its room back.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(v T) {
	if f.head > 0 && len(f.items) == cap(f.items) {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, v)
}

func (f *fifo[T]) pop() (v T, ok bool) {
	if f.len() == 0 {
		return v, false
	}
	var none T
	v, f.items[f.head] = f.items[f.head], none
	if f.head++; f.head == len(f.items) {
		f.items, f.head = nil, 0
	}
	return v, true
}
