package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/l2tp"
)

// idleSessions and idleTunnels are the load of BenchmarkIdleSessions.
const (
	idleSessions = 100_000
	idleTunnels  = 100
)

// BenchmarkIdleSessions establishes 100,000 sessions from scripted LACs over the
// fake data plane, lets them exchange LCP echoes, and reports what one costs:
// resident memory after a collection, and CPU for each session and echo interval.
func BenchmarkIdleSessions(b *testing.B) {
	for b.Loop() {
		before := residentBytes()
		l := newIdleLoad(b)
		l.establish(idleSessions)
		cpu, began := cpuTime(), time.Now()
		time.Sleep(20 * time.Second) // two echoes of each session
		spent, took := cpuTime()-cpu, time.Since(began)
		if up := l.host.count.sessionsUp.Load(); up != idleSessions {
			b.Errorf("%d sessions are up after their echoes, want %d", up, idleSessions)
		}
		b.ReportMetric(float64(residentBytes()-before)/idleSessions, "B/session")
		b.ReportMetric(100*spent.Seconds()/took.Seconds(), "%cpu")
		b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
		l.stop()
	}
}

// residentBytes is the process's resident memory once what is not used has
// been given back to the system.
func residentBytes() int64 {
	runtime.GC()
	debugFree()
	return statm()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("engine: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// An idleLoad is an LNS with scripted LACs: their cores run here, their frames are
// answered by a function that knows just enough PPP.
type idleLoad struct {
	b       *testing.B
	store   *config.Store
	peer    *idlePeer
	host    *Engine
	fake    *dataplane.Fake
	wire    *dataplane.Wire
	lacs    map[netip.Addr]*idleLAC
	journal *journal.Dir
}

const idleConfig = `
pool create pool_name=all addresses=10.0.0.0/14 reserved=10.0.0.1
ppp profile modify profile_name=default local_ipaddr=10.0.0.1 ip_pool_name=all auth_none=yes ipv6=no lcp_echo_interval=10
tunnel profile modify profile_name=default hello_timeout=60 tx_window_size=64 rx_window_size=64
`

func newIdleLoad(b *testing.B) *idleLoad {
	b.Helper()
	l := &idleLoad{b: b, wire: dataplane.NewWire(), lacs: make(map[netip.Addr]*idleLAC),
		store: config.NewStore("lns"), peer: &idlePeer{asked: make(map[idleRequest][]byte)}}
	if err := l.store.Load("idle.conf", []byte(idleConfig)); err != nil {
		b.Fatal(err)
	}
	var err error
	if l.journal, _, err = journal.Open(b.TempDir()); err != nil {
		b.Fatal(err)
	}
	l.start(nil, nil)
	return l
}

// start starts the LNS, on what an earlier one has left.
func (l *idleLoad) start(remains *dataplane.FakeRemains, kept journal.Records) {
	l.b.Helper()
	var err error
	l.host, err = New(Options{
		Store: l.store,
		Pools: newPools(l.b, l.store),
		Open: func(h dataplane.Handler) (dataplane.Dataplane, error) {
			l.fake = dataplane.NewFake(l.wire, h,
				dataplane.FakeOptions{Respond: l.peer.answer, Remains: remains}, lnsAddr)
			return l.fake, nil
		},
		Listen:  []netip.AddrPort{netip.AddrPortFrom(lnsAddr, 1701)},
		Credit:  idleSessions,
		Journal: l.journal,
		Kept:    kept,
	})
	if err != nil {
		l.b.Fatal(err)
	}
}

// An idlePeer is the PPP peer of every session: it asks for what it must, takes
// what it is given, and answers echoes. What it remembers of a session it
// forgets once that is up.
type idlePeer struct {
	mu    sync.Mutex
	asked map[idleRequest][]byte // the LNS's Configure-Request, not yet acknowledged
}

type idleRequest struct {
	session  dataplane.SessionKey
	protocol uint16
}

// The codes of LCP and IPCP that the peer knows (RFC 1661, 5), and protocols.
const (
	configureRequest, configureAck, configureNak = 1, 2, 3
	echoRequest, echoReply                       = 9, 10
	lcp, ipcp                                    = 0xc021, 0x8021
)

// answer answers a frame of the LNS. Each of its requests is acknowledged after it
// has acknowledged the peer's own, as one frame can be answered with one.
func (p *idlePeer) answer(id dataplane.SessionKey, frame []byte) []byte {
	protocol := binary.BigEndian.Uint16(frame)
	if protocol != lcp && protocol != ipcp {
		return nil
	}
	key := idleRequest{id, protocol}
	answer := append([]byte(nil), frame...)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch frame[2] {
	case configureRequest:
		p.asked[key] = answer
		if protocol == lcp {
			return []byte{frame[0], frame[1], configureRequest, 1, 0, 4}
		}
		return []byte{frame[0], frame[1], configureRequest, 1, 0, 10, 3, 6, 0, 0, 0, 0}
	case configureNak:
		answer[2], answer[3] = configureRequest, frame[3]+1
		return answer
	case configureAck:
		ack := p.asked[key]
		delete(p.asked, key)
		if ack != nil {
			ack[2] = configureAck
		}
		return ack
	case echoRequest:
		answer[2] = echoReply
		clear(answer[6:10]) // our magic number: none
		return answer
	}
	return nil
}

// An idleLAC is one LAC: the core of a tunnel, driven by what comes.
type idleLAC struct {
	load *idleLoad
	addr netip.AddrPort
	core *l2tp.Tunnel
	in   chan []byte
	want int
	up   int
	done chan int      // told once how many calls are up, all or too few
	quit chan struct{} // closed when the LNS has them too: the last ICCN may be sent again until then
}

// establish has sessions established, and waits for them.
func (l *idleLoad) establish(sessions int) {
	var running sync.WaitGroup
	quit := make(chan struct{})
	for i := range idleTunnels {
		addr := netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})
		c := &idleLAC{
			load: l,
			addr: netip.AddrPortFrom(addr, 1701),
			core: l2tp.Initiate(&l2tp.Config{HostName: fmt.Sprint("lac", i), ReceiveWindow: 64}, 1),
			in:   make(chan []byte, 4096),
			want: sessions / idleTunnels,
			done: make(chan int, 1),
			quit: quit,
		}
		l.lacs[addr] = c
		l.wire.Peer(addr, func(_, _ netip.AddrPort, b []byte) {
			select {
			case c.in <- b:
			default:
			}
		})
		running.Go(c.run)
	}
	for _, c := range l.lacs {
		if up := <-c.done; up != c.want {
			l.b.Fatalf("%v has %d sessions, want %d", c.addr, up, c.want)
		}
	}
	l.waitUp(int64(sessions))
	close(quit)
	running.Wait()
}

// waitUp waits until the engine says that all sessions carry a network.
func (l *idleLoad) waitUp(sessions int64) {
	for until := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		status := l.host.systemStatus(time.Now())
		if l.host.count.settingUp.Load() == 0 && int64(status.SessionsUp) == sessions {
			return
		}
		if time.Now().After(until) {
			l.b.Fatalf("%d sessions, %d being set up, want %d", status.SessionsUp,
				l.host.count.settingUp.Load(), sessions)
		}
	}
}

// run drives the core until all calls are up at both ends.
func (c *idleLAC) run() {
	c.step(l2tp.Open{})
	limit := time.After(2 * time.Minute)
	for told := false; ; {
		if c.up == c.want && !told {
			told = true
			c.done <- c.up
		}
		var deadline <-chan time.Time
		if at := c.core.Deadline(); !at.IsZero() {
			deadline = time.After(time.Until(at))
		}
		select {
		case b := <-c.in:
			c.step(l2tp.MessageReceived{Data: b})
		case <-deadline:
			c.step(l2tp.Tick{})
		case <-c.quit:
			return
		case <-limit:
			if !told {
				c.done <- c.up
			}
			return
		}
	}
}

func (c *idleLAC) step(ev l2tp.Event) {
	for _, a := range c.core.Step(time.Now(), ev) {
		switch a := a.(type) {
		case l2tp.Send:
			c.load.wire.Send(c.addr, netip.AddrPortFrom(lnsAddr, 1701), a.Data)
		case l2tp.Established:
			c.placeCalls()
		case l2tp.CallAnswered:
			c.step(l2tp.CallConnected{Session: a.Session})
		case l2tp.SessionUp:
			c.up++
		}
	}
}

func (c *idleLAC) placeCalls() {
	for range c.want {
		id, ok := c.core.NewSessionID()
		if !ok {
			return
		}
		c.step(l2tp.PlaceCall{Session: id, Kind: l2tp.LACIncoming})
	}
}

// BenchmarkRestart reports how long an LNS with 10,000 sessions takes from its start until
// it serves again, after it was killed: reading the state, taking over, and writing it anew.
func BenchmarkRestart(b *testing.B) {
	const sessions = 10_000
	l := newIdleLoad(b)
	l.establish(sessions)
	var took time.Duration
	for range b.N {
		remains := l.fake.Kill()
		if err := l.journal.Close(); err != nil {
			b.Fatal(err)
		}
		for _, s := range l.host.shards {
			s.mail.post(func() { s.stopped = true })
		}
		l.host.loops.Wait()
		l.host.cancelJobs()
		l.host.workers.wait()
		began := time.Now()
		dir, kept, err := journal.Open(l.journal.Path())
		if err != nil {
			b.Fatal(err)
		}
		l.journal = dir
		l.start(remains, kept)
		if err := l.host.Alive(b.Context()); err != nil {
			b.Fatal(err)
		}
		took += time.Since(began)
		if up := l.host.count.sessionsUp.Load(); up != sessions {
			b.Fatalf("%d sessions are up after the restart, want %d", up, sessions)
		}
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/restart")
	b.ReportMetric(0, "ns/op")
	l.stop()
}

// stop ends the engine; the LACs are silent, so it does not wait for them.
func (l *idleLoad) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := l.host.Shutdown(ctx); err != nil {
		l.b.Errorf("Shutdown: %v", err)
	}
}
