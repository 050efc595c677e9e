package ppp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// randomBytes is a reproducible Config.Rand.
type randomBytes struct{ *rand.ChaCha8 }

func seeded(seed uint64) randomBytes {
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	return randomBytes{rand.NewChaCha8(key)}
}

// A wire says what happens to frames.
type wire struct {
	loss, duplication float64
	delay, jitter     time.Duration
}

// An end is one of two links, with an engine that answers at once or later.
type end struct {
	link     *Link
	grant    Addresses
	password Secret
	think    time.Duration
	log      []Action
	up       map[Network]Addresses
	linkUp   bool
	finished *End
}

type delivery struct {
	at    time.Time
	seq   int
	to    int
	event Event
}

type queue []delivery

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(delivery)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// A pair is two links over a wire, in virtual time.
type pair struct {
	t     testing.TB
	now   time.Time
	ends  [2]*end
	wire  wire
	rng   *rand.Rand
	queue queue
	seq   int
}

func newPair(t testing.TB, a, b *end, w wire, seed uint64) *pair {
	t.Helper()
	for _, e := range []*end{a, b} {
		e.up = map[Network]Addresses{}
	}
	return &pair{
		t: t, now: epoch, ends: [2]*end{a, b}, wire: w,
		rng: rand.New(rand.NewPCG(seed, 0)),
	}
}

func (p *pair) push(after time.Duration, to int, ev Event) {
	p.seq++
	heap.Push(&p.queue, delivery{p.now.Add(after), p.seq, to, ev})
}

func (p *pair) start() {
	p.step(0, LowerUp{})
	p.step(1, LowerUp{})
}

func (p *pair) step(i int, ev Event) {
	p.t.Helper()
	e := p.ends[i]
	if e.finished != nil {
		if out := e.link.Step(p.now, ev); out != nil {
			p.t.Fatalf("end %d: actions after Finished: %v", i, out)
		}
		return
	}
	out := e.link.Step(p.now, ev)
	if d := e.link.Deadline(); !d.IsZero() && !d.After(p.now) {
		p.t.Fatalf("end %d: deadline %v is not after now", i, d.Sub(p.now))
	}
	for _, a := range out {
		p.carryOut(i, e, a)
	}
}

func (p *pair) carryOut(i int, e *end, a Action) {
	p.t.Helper()
	e.log = append(e.log, a)
	if e.finished != nil {
		p.t.Fatalf("end %d: %v after Finished", i, a)
	}
	switch a := a.(type) {
	case SendFrame:
		p.transmit(1-i, a.Frame)
	case LinkUp:
		e.linkUp = true
	case LinkDown:
		if len(e.up) > 0 {
			p.t.Fatalf("end %d: LinkDown before NetworkDown", i)
		}
		e.linkUp = false
	case Authenticate:
		v := Verify(a.Credentials, e.password)
		p.push(e.think, i, Authenticated{Verdict: v, Serial: a.Serial})
	case GrantAddresses:
		p.push(e.think, i, AddressesGranted{Addresses: e.grant, Serial: a.Serial})
	case NetworkUp:
		if _, ok := e.up[a.Network]; ok {
			p.t.Fatalf("end %d: %v is up twice", i, a.Network)
		}
		e.up[a.Network] = a.Addresses
	case NetworkDown:
		if _, ok := e.up[a.Network]; !ok {
			p.t.Fatalf("end %d: %v is down and was not up", i, a.Network)
		}
		delete(e.up, a.Network)
	case Finished:
		if len(e.up) > 0 || e.linkUp {
			p.t.Fatalf("end %d: finished while up", i)
		}
		e.finished = &a.End
	}
}

func (p *pair) transmit(to int, frame []byte) {
	for n := 1; n > 0; n-- {
		if p.rng.Float64() < p.wire.duplication {
			n++
		}
		if p.rng.Float64() < p.wire.loss {
			continue
		}
		d := p.wire.delay
		if p.wire.jitter > 0 {
			d += time.Duration(p.rng.Int64N(int64(p.wire.jitter)))
		}
		p.push(d, to, FrameReceived{Frame: slices.Clone(frame)})
	}
}

// run goes on for a while.
func (p *pair) run(d time.Duration) {
	p.t.Helper()
	until := p.now.Add(d)
	for {
		at, who := until, -1
		for i, e := range p.ends {
			if dl := e.link.Deadline(); !dl.IsZero() && (dl.Before(at) || who < 0 && dl.Equal(at)) {
				at, who = dl, i
			}
		}
		if len(p.queue) > 0 && !p.queue[0].at.After(at) {
			d := heap.Pop(&p.queue).(delivery)
			p.now = d.at
			p.step(d.to, d.event)
			continue
		}
		p.now = at
		if who < 0 {
			return
		}
		p.step(who, Tick{})
	}
}

func (p *pair) bothUp(n ...Network) bool {
	for _, e := range p.ends {
		for _, n := range n {
			if _, ok := e.up[n]; !ok {
				return false
			}
		}
	}
	return true
}

// serverConfig and clientConfig are an LNS and a subscriber that uses a method.
func serverConfig(seed uint64, methods ...AuthMethod) *Config {
	return &Config{AuthPeer: methods, LocalName: "lns", Rand: seeded(seed), MRU: 1400}
}

func clientConfig(seed uint64, methods ...AuthMethod) *Config {
	return &Config{
		AuthLocal: methods, User: "alice", Password: "wonderland", Rand: seeded(seed + 1000),
		RequestDNS: true,
	}
}

var (
	lnsAddr  = netip.MustParseAddr("10.0.0.1")
	subAddr  = netip.MustParseAddr("10.0.0.7")
	dnsAddr  = netip.MustParseAddr("10.0.0.53")
	lnsGrant = Addresses{Local: lnsAddr, Peer: subAddr, DNS: [2]netip.Addr{dnsAddr}}
)

func subscriberPair(t testing.TB, m AuthMethod, w wire, seed uint64) *pair {
	server := &end{link: NewLink(serverConfig(seed, m)), grant: lnsGrant, password: "wonderland"}
	client := &end{link: NewLink(clientConfig(seed, m))}
	return newPair(t, server, client, w, seed)
}

var allMethods = []AuthMethod{PAP, CHAPMD5, MSCHAPv1, MSCHAPv2, EAP}

func TestPairComesUp(t *testing.T) {
	for _, m := range allMethods {
		t.Run(m.String(), func(t *testing.T) {
			p := subscriberPair(t, m, wire{delay: time.Millisecond}, 1)
			p.start()
			p.run(2 * time.Second)
			if !p.bothUp(IPv4) {
				t.Fatalf("not up: server %v, client %v", p.ends[0].log, p.ends[1].log)
			}
			got, want := p.ends[1].up[IPv4], Addresses{
				Local: subAddr, Peer: lnsAddr, DNS: [2]netip.Addr{dnsAddr},
			}
			if got != want {
				t.Errorf("client addresses = %v, want %v", got, want)
			}
			if got := p.ends[0].up[IPv4]; got.Peer != subAddr || got.Local != lnsAddr {
				t.Errorf("server addresses = %v", got)
			}
			if n := p.ends[0].link.PeerName(); n != "alice" {
				t.Errorf("PeerName = %q, want alice", n)
			}
			p.step(1, CloseRequested{Reason: "bye"})
			p.run(10 * time.Second)
			checkEnds(t, p, PeerTerminated, LocalTerminated)
		})
	}
}

func checkEnds(t *testing.T, p *pair, reasons ...EndReason) {
	t.Helper()
	for i, want := range reasons {
		switch e := p.ends[i].finished; {
		case e == nil:
			t.Errorf("end %d is not finished", i)
		case e.Reason != want:
			t.Errorf("end %d: %v, want %v", i, e, want)
		}
	}
}

func TestWrongPassword(t *testing.T) {
	for _, m := range allMethods {
		t.Run(m.String(), func(t *testing.T) {
			p := subscriberPair(t, m, wire{delay: time.Millisecond}, 1)
			p.ends[0].password = "looking-glass"
			p.start()
			p.run(20 * time.Second)
			checkEnds(t, p, AuthFailed, LocalAuthFailed)
		})
	}
}

func TestPairLossyWire(t *testing.T) {
	w := wire{loss: 0.2, duplication: 0.1, delay: 5 * time.Millisecond, jitter: 40 * time.Millisecond}
	up := 0
	const runs = 300
	for seed := range uint64(runs) {
		m := allMethods[seed%uint64(len(allMethods))]
		t.Run(fmt.Sprintf("%v/%d", m, seed), func(t *testing.T) {
			p := subscriberPair(t, m, w, seed)
			p.ends[0].think = time.Duration(seed) * time.Millisecond
			p.start()
			p.run(10 * time.Minute)
			a, b := p.bothUp(IPv4), p.ends[0].finished != nil && p.ends[1].finished != nil
			if !a && !b {
				t.Fatalf("neither both up nor both down: %v / %v", p.ends[0].log, p.ends[1].log)
			}
			if a {
				up++
			}
			p.step(0, CloseRequested{})
			p.run(time.Minute)
			if p.ends[0].finished == nil {
				t.Errorf("closing did not end")
			}
		})
	}
	if up < runs*95/100 {
		t.Errorf("%d of %d pairs came up", up, runs)
	}
}

// Both ends prove themselves, by methods of their own, and speak both networks.
func TestMutualAuthentication(t *testing.T) {
	const ms = time.Millisecond
	w := wire{loss: 0.15, duplication: 0.05, delay: 5 * ms, jitter: 20 * ms}
	for seed := range uint64(100) {
		a := &Config{
			AuthPeer:  []AuthMethod{allMethods[seed%5], CHAPMD5},
			AuthLocal: allMethods, User: "lac", Password: "left", IPv6: true, Rand: seeded(seed),
		}
		b := &Config{
			AuthPeer:  []AuthMethod{allMethods[seed/5%5]},
			AuthLocal: []AuthMethod{CHAPMD5, PAP}, User: "lns", Password: "right", IPv6: true,
			Rand: seeded(seed + 500),
		}
		one := &end{link: NewLink(a), password: "right", think: 10 * time.Millisecond, grant: lnsGrant}
		two := &end{link: NewLink(b), password: "left", think: 20 * time.Millisecond}
		p := newPair(t, one, two, w, seed)
		p.start()
		p.run(10 * time.Minute)
		if !p.bothUp(IPv4, IPv6) && (one.finished == nil || two.finished == nil) {
			t.Fatalf("seed %d: neither up nor down: %v / %v", seed, one.log, two.log)
		}
		if one.finished != nil {
			t.Logf("seed %d: %v / %v", seed, one.finished, two.finished)
			continue
		}
		if n, m := one.link.PeerName(), two.link.PeerName(); n != "lns" || m != "lac" {
			t.Errorf("seed %d: names %q and %q, want lns and lac", seed, n, m)
		}
		if x, y := one.up[IPv6], two.up[IPv6]; x.LocalInterfaceID != y.PeerInterfaceID ||
			y.LocalInterfaceID != x.PeerInterfaceID || x.LocalInterfaceID == y.LocalInterfaceID {
			t.Errorf("seed %d: interface identifiers %v and %v", seed, x, y)
		}
	}
}

// Either end may begin anew at any time, and the link comes up again.
func TestRenegotiationOverLossyWire(t *testing.T) {
	w := wire{loss: 0.2, duplication: 0.1, delay: 5 * time.Millisecond, jitter: 40 * time.Millisecond}
	up := 0
	const runs = 60
	for seed := range uint64(runs) {
		p := subscriberPair(t, allMethods[seed%5], w, seed)
		p.start()
		for range 5 {
			p.run(time.Duration(p.rng.Int64N(int64(20 * time.Second))))
			p.step(int(seed%2), FrameReceived{Frame: []byte{0xc0, 0x21, 6, 1, 0, 4}})
		}
		p.run(10 * time.Minute)
		down := p.ends[0].finished != nil && p.ends[1].finished != nil
		if p.bothUp(IPv4) {
			up++
		} else if !down {
			t.Fatalf("seed %d: neither up nor down: %v / %v", seed, p.ends[0].log, p.ends[1].log)
		}
	}
	if up < runs*9/10 {
		t.Errorf("%d of %d pairs came up again", up, runs)
	}
}

// The other end vanishes: nobody waits for ever.
func TestSilentPeer(t *testing.T) {
	for _, ms := range []int{0, 2, 4, 7, 1000} {
		at := time.Duration(ms) * time.Millisecond
		p := subscriberPair(t, CHAPMD5, wire{delay: time.Millisecond}, 1)
		for _, e := range p.ends {
			e.link.cfg.EchoInterval = 10 * time.Second
		}
		p.start()
		p.run(at)
		p.wire.loss = 1
		p.run(5 * time.Minute)
		if p.ends[0].finished == nil || p.ends[1].finished == nil {
			t.Errorf("silent after %v: still there", at)
		}
	}
}
