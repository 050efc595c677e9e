package l2tp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// start is the virtual time at which tests begin.
var start = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// seeded is a Config.Rand that gives the same octets each run.
type seeded struct{ *rand.ChaCha8 }

func newSeeded(seed uint64) seeded {
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	return seeded{rand.NewChaCha8(s)}
}

// A wire carries datagrams between two tunnels in virtual time, with seeded
// loss, delay (hence reordering) and duplication.
type wire struct {
	rnd        *rand.Rand
	loss, dup  float64
	minDelay   time.Duration
	maxDelay   time.Duration
	flights    flights
	seq        int // of the last flight
	sent       int
	onDatagram func(from int, data []byte)
}

// A flight is an event on its way to one end: a datagram, or what happens there later.
type flight struct {
	at  time.Time
	seq int
	to  int
	ev  Event
}

type flights []flight

func (f flights) Len() int { return len(f) }
func (f flights) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].seq < f[j].seq
}
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	x := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return x
}

func (w *wire) send(now time.Time, from int, data []byte) {
	if w.onDatagram != nil {
		w.onDatagram(from, data)
	}
	copies := 1
	if w.rnd.Float64() < w.dup {
		copies = 2
	}
	for range copies {
		if w.rnd.Float64() < w.loss {
			continue
		}
		d := w.minDelay
		if w.maxDelay > w.minDelay {
			d += time.Duration(w.rnd.Int64N(int64(w.maxDelay - w.minDelay)))
		}
		w.sent++
		w.push(now.Add(d), 1-from, MessageReceived{data})
	}
}

func (w *wire) push(at time.Time, to int, ev Event) {
	w.seq++
	heap.Push(&w.flights, flight{at, w.seq, to, ev})
}

// A pair is two tunnels and the wire between them. A program answers for each end.
type pair struct {
	tb   testing.TB
	now  time.Time
	ends [2]*Tunnel
	wire *wire
	// react is called with each action of an end that is not a Send.
	react func(p *pair, end int, a Action)
	log   [2][]Action
	sent  [2][]Send
	snap  bool // snapshot and restore each end before each step
	cfgs  [2]*Config
}

func newPair(tb testing.TB, a, b *Config, w *wire) *pair {
	return &pair{
		tb: tb, now: start, wire: w, cfgs: [2]*Config{a, b},
		ends:  [2]*Tunnel{Initiate(a, 100), Respond(b, 200)},
		react: obliging,
	}
}

// obliging takes every call.
func obliging(p *pair, end int, a Action) {
	switch a := a.(type) {
	case IncomingCall:
		p.step(end, CallAccepted{a.Session})
		if a.Kind == LACOutgoing {
			p.step(end, CallConnected{a.Session, Call{TxConnectSpeed: 64000, FramingType: FramingSync}})
		}
	case CallAnswered:
		if a.Kind == LACIncoming {
			p.step(end, CallConnected{a.Session, Call{TxConnectSpeed: 64000, FramingType: FramingSync}})
		}
	}
}

func (p *pair) step(end int, ev Event) {
	p.tb.Helper()
	if p.snap {
		p.restore(end)
	}
	acts := p.ends[end].Step(p.now, ev)
	if at := p.ends[end].Deadline(); !at.IsZero() && !at.After(p.now) {
		p.tb.Fatalf("deadline %v is not after now %v", at, p.now)
	}
	for _, a := range acts {
		if s, ok := a.(Send); ok {
			p.sent[end] = append(p.sent[end], s)
			p.wire.send(p.now, end, s.Data)
			continue
		}
		p.log[end] = append(p.log[end], a)
		p.react(p, end, a)
	}
}

// run lets virtual time pass until nothing is left to do, or until the limit.
func (p *pair) run(limit time.Duration) {
	p.tb.Helper()
	until := p.now.Add(limit)
	for {
		at, end, ev := until, -1, Event(Tick{})
		for i, t := range p.ends {
			if d := t.Deadline(); !d.IsZero() && d.Before(at) {
				at, end = d, i
			}
		}
		if len(p.wire.flights) > 0 && p.wire.flights[0].at.Before(at) {
			f := heap.Pop(&p.wire.flights).(flight)
			at, end, ev = f.at, f.to, f.ev
		}
		p.now = at
		if end < 0 {
			return
		}
		p.step(end, ev)
	}
}

func count[A Action](acts []Action) (n int) {
	for _, a := range acts {
		if _, ok := a.(A); ok {
			n++
		}
	}
	return n
}

func badWire(seed uint64) *wire {
	return &wire{
		rnd: rand.New(rand.NewPCG(seed, 1)), loss: 0.2, dup: 0.1,
		minDelay: 5 * time.Millisecond, maxDelay: 80 * time.Millisecond,
	}
}

func goodWire() *wire {
	return &wire{rnd: rand.New(rand.NewPCG(1, 1)), minDelay: 10 * time.Millisecond,
		maxDelay: 10 * time.Millisecond}
}

// testConfigs gives up after eight retransmissions. With a fifth of the
// datagrams lost in each direction an exchange fails with 36 percent, and the
// usual five would end one run in a hundred.
func testConfigs(seed uint64) (*Config, *Config) {
	a := &Config{HostName: "lac", Secret: "sesame", ChallengePeer: true, HideAVPs: seed%2 == 0,
		BearerCapabilities: BearerDigital, Rand: newSeeded(seed), HelloInterval: time.Minute,
		MaxRetransmits: 8}
	b := &Config{HostName: "lns", Secret: "sesame", ChallengePeer: true, HideAVPs: seed%3 == 0,
		BearerCapabilities: BearerDigital, Rand: newSeeded(seed + 1000), ReceiveWindow: 4,
		MaxRetransmits: 8}
	return a, b
}

// placeCalls has each end ask for half of n calls.
func (p *pair) placeCalls(n int) {
	p.tb.Helper()
	kinds := [2]CallKind{LACIncoming, LNSOutgoing}
	for i := range n {
		end := i % 2
		id, ok := p.ends[end].NewSessionID()
		if !ok {
			p.tb.Fatal("NewSessionID says that the tunnel is full")
		}
		p.step(end, PlaceCall{id, kinds[i/2%2], Call{Serial: uint32(i + 1), CalledNumber: "123"}})
	}
}

func TestPairsOverBadWire(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			a, b := testConfigs(seed)
			p := newPair(t, a, b, badWire(seed))
			p.step(0, Open{})
			for p.ends[1].State() != TunnelEstablished && p.now.Before(start.Add(time.Minute)) {
				p.run(100 * time.Millisecond)
			}
			p.placeCalls(50)
			p.run(100 * time.Second)
			for end := range 2 {
				if n := count[SessionUp](p.log[end]); n != 50 {
					t.Errorf("end %d: %d sessions up, want 50", end, n)
				}
				if n := count[SessionDown](p.log[end]); n != 0 {
					t.Errorf("end %d: %d sessions down, want 0", end, n)
				}
			}
			p.sameSessions()
			p.step(int(seed%2), Stop{Result{Code: StopGeneral}})
			p.run(5 * time.Minute)
			p.checkGone(50)
		})
	}
}

// sameSessions checks that both ends have the same sessions.
func (p *pair) sameSessions() {
	p.tb.Helper()
	if a, b := p.ends[0].SessionCount(), p.ends[1].SessionCount(); a != b {
		p.tb.Errorf("%d sessions at one end, %d at the other", a, b)
	}
	for s := range p.ends[0].Sessions() {
		o, ok := p.ends[1].Session(s.PeerSession)
		if !ok || o.PeerSession != s.Session || o.Kind.ofLAC() == s.Kind.ofLAC() {
			p.tb.Errorf("session %+v has %+v, %v at the other end", s, o, ok)
		}
	}
}

func (p *pair) checkGone(sessions int) {
	p.tb.Helper()
	for end := range 2 {
		if s := p.ends[end].State(); s != TunnelFinished {
			p.tb.Errorf("end %d is %v, want finished", end, s)
		}
		if n := count[SessionDown](p.log[end]); n != sessions {
			p.tb.Errorf("end %d: %d sessions down, want %d", end, n, sessions)
		}
		if n := count[Stopped](p.log[end]); n != 1 {
			p.tb.Errorf("end %d: Stopped came %d times, want once", end, n)
		}
	}
}

func TestPairWithSilentPeer(t *testing.T) {
	a, b := testConfigs(1)
	b.HelloInterval = 30 * time.Second
	p := newPair(t, a, b, goodWire())
	p.step(0, Open{})
	p.run(time.Second)
	p.placeCalls(50)
	p.run(20 * time.Second)
	if n := p.ends[1].SessionCount(); n != 50 {
		t.Fatalf("%d sessions, want 50", n)
	}
	p.wire.loss = 1
	p.run(3 * time.Minute)
	p.checkGone(50)
	for end := range 2 {
		for _, a := range p.log[end] {
			if s, ok := a.(Stopped); ok && !s.End.Lost {
				t.Errorf("end %d: %+v, want Lost", end, s)
			}
		}
	}
}

// TestHeardIsNotSilent: a peer that is heard is not given up after five
// retransmissions, but one that never acknowledges is in the end.
func TestHeardIsNotSilent(t *testing.T) {
	tunnel := Initiate(&Config{}, 10)
	now, sent := start, 0
	tunnel.Step(now, Open{})
	for tunnel.State() != TunnelFinished && sent < 100 {
		now = tunnel.Deadline()
		sent += count[Send](tunnel.Step(now, Tick{}))
		tunnel.Step(now, MessageReceived{appendControl(nil, 10, 0, 0, 0, nil)})
		if tunnel.State() == TunnelClosing {
			break // the time to establish it is over
		}
	}
	if sent <= 5 || sent > 5*maxPatience+1 {
		t.Errorf("retransmitted %d times, want more than 5 and at most %d", sent, 5*maxPatience)
	}
}

// TestCallsThatHaveBegunGoFirst: of more calls than there is time for, those
// come up that fit.
func TestCallsThatHaveBegunGoFirst(t *testing.T) {
	a, b := &Config{HostName: "a"}, &Config{HostName: "b"}
	p := newPair(t, a, b, goodWire())
	p.step(0, Open{})
	p.run(time.Second)
	for range 50_000 {
		id, _ := p.ends[0].NewSessionID()
		p.step(0, PlaceCall{id, LACIncoming, Call{CalledNumber: "1"}})
	}
	p.run(10 * time.Second)
	// Each call is two messages, and sixteen messages a round trip of 20 ms.
	if n := count[SessionUp](p.log[1]); n < 3500 {
		t.Errorf("%d sessions up in 10 s, want 4000 or nearly", n)
	}
}
