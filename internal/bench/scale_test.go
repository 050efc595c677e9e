package bench

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"culvert/l2tp"
)

// A scriptedLNS answers in memory, at once, on the sender's goroutine: its cores of
// l2tp are real, its PPP is just enough.
type scriptedLNS struct {
	tunnels map[l2tp.TunnelID]*scriptedTunnel
	asked   map[scriptedRequest][]byte // our Configure-Request, not yet acknowledged
	next    l2tp.TunnelID
	cfg     l2tp.Config
}

type scriptedTunnel struct {
	core     *l2tp.Tunnel
	receive  Receiver
	sessions map[l2tp.SessionID]l2tp.SessionID // the LAC's, by ours
}

type scriptedRequest struct {
	tunnel   l2tp.TunnelID
	session  l2tp.SessionID
	protocol uint16
}

func newScriptedLNS() *scriptedLNS {
	return &scriptedLNS{
		tunnels: make(map[l2tp.TunnelID]*scriptedTunnel),
		asked:   make(map[scriptedRequest][]byte),
		cfg:     l2tp.Config{HostName: "lns", ReceiveWindow: 64, AckDelay: 1},
	}
}

func (l *scriptedLNS) Dial(_, _ netip.AddrPort, receive Receiver) (Conn, error) {
	return &scriptedConn{l, receive}, nil
}

func (l *scriptedLNS) Close() error { return nil }

type scriptedConn struct {
	lns     *scriptedLNS
	receive Receiver
}

func (c *scriptedConn) Close() error { return nil }

func (c *scriptedConn) Send(_ netip.AddrPort, b []byte) error {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil {
		return err
	}
	t := c.lns.tunnels[h.TunnelID]
	switch {
	case t == nil && h.TunnelID == 0:
		c.lns.next++
		t = &scriptedTunnel{
			core: l2tp.Respond(&c.lns.cfg, c.lns.next), receive: c.receive,
			sessions: make(map[l2tp.SessionID]l2tp.SessionID),
		}
		c.lns.tunnels[c.lns.next] = t
		t.step(l2tp.MessageReceived{Data: b})
	case t == nil:
	case h.Control:
		t.step(l2tp.MessageReceived{Data: b})
	default:
		t.frame(c.lns, h, payload[2:])
	}
	return nil
}

func (t *scriptedTunnel) step(ev l2tp.Event) {
	actions := t.core.Step(time.Now(), ev)
	actions = append(actions, t.core.Step(time.Now().Add(1), l2tp.Tick{})...) // acknowledgements
	for _, a := range actions {
		switch a := a.(type) {
		case l2tp.Send:
			t.receive(lnsAddr, a.Data)
		case l2tp.IncomingCall:
			t.sessions[a.Session] = a.PeerSession
			t.step(l2tp.CallAccepted{Session: a.Session})
		case l2tp.SessionDown:
			delete(t.sessions, a.Session)
		}
	}
}

// frame answers a PPP frame as a peer that takes what it is asked for, and gives
// everybody the same address.
func (t *scriptedTunnel) frame(l *scriptedLNS, h l2tp.Header, frame []byte) {
	const configureRequest, configureAck, configureNak, echoRequest, echoReply = 1, 2, 3, 9, 10
	const lcp, ipcp, addressAt = 0xc021, 0x8021, 8
	protocol := binary.BigEndian.Uint16(frame)
	key := scriptedRequest{h.TunnelID, h.SessionID, protocol}
	answer := append([]byte(nil), frame...)
	switch {
	case protocol == ipcp && frame[2] == configureRequest && binary.BigEndian.Uint32(frame[addressAt:]) == 0:
		answer[2] = configureNak
		copy(answer[addressAt:], []byte{10, 0, 0, 2})
	case frame[2] == configureRequest && l.asked[key] == nil:
		ours := []byte{frame[0], frame[1], configureRequest, 1, 0, 4}
		if protocol == ipcp {
			ours = []byte{frame[0], frame[1], configureRequest, 1, 0, 10, 3, 6, 10, 0, 0, 1}
		}
		l.asked[key] = ours
		t.send(h.SessionID, ours)
		answer[2] = configureAck
	case frame[2] == configureRequest:
		answer[2] = configureAck
	case frame[2] == configureAck:
		delete(l.asked, key)
		return
	case protocol == lcp && frame[2] == echoRequest:
		answer[2] = echoReply
		clear(answer[6:10]) // no magic number
	default:
		return
	}
	t.send(h.SessionID, answer)
}

func (t *scriptedTunnel) send(session l2tp.SessionID, frame []byte) {
	h := l2tp.Header{TunnelID: t.core.PeerID(), SessionID: t.sessions[session]}
	b := append(l2tp.AppendHeader(nil, h, 0), 0xff, 0x03)
	t.receive(lnsAddr, append(b, frame...))
}

const manySessions = 50_000

// TestManySessions: a session costs no goroutine and no more than 2 KiB.
func TestManySessions(t *testing.T) {
	m := runMany(t, 0)
	same(t, "sessions", m.report.Sessions.CameUp, manySessions)
	same(t, "success", m.report.Succeeded(), true)
	same(t, "goroutines more than without sessions", m.goroutines, 0)
	if m.bytes > 2048 {
		t.Errorf("a session costs %d bytes, want at most 2048", m.bytes)
	}
}

// BenchmarkSessions brings up 50,000 sessions against an LNS in the same process, holds
// them for some seconds with an echo every 10 s, and ends them.
func BenchmarkSessions(b *testing.B) {
	for b.Loop() {
		m := runMany(b, 20*time.Second)
		same(b, "sessions", m.report.Sessions.CameUp, manySessions)
		b.ReportMetric(float64(m.bytes), "B/session")
		b.ReportMetric(float64(m.setUpCPU.Microseconds())/manySessions, "us/set-up")
		b.ReportMetric(100*m.holdCPU.Seconds()/m.held.Seconds(), "%cpu-held")
		b.ReportMetric(m.report.SetUp.Rate, "sessions/s")
	}
}

// A measure is what many sessions cost.
type measure struct {
	report            *Report
	bytes             int64 // of heap a session, when all are up
	goroutines        int
	setUpCPU, holdCPU time.Duration
	held              time.Duration
}

func runMany(t testing.TB, hold time.Duration) (m measure) {
	t.Helper()
	cfg := load(50, manySessions)
	cfg.Secret, cfg.ChallengePeer, cfg.Concurrency = "", false, 1000
	cfg.User, cfg.EchoInterval = "user%d", 10*time.Second
	cfg.Hold = time.Hour // they end when all are measured
	lns := newScriptedLNS()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var begun time.Duration
	began, heap, goroutines := cpuTime(), liveHeap(), runtime.NumGoroutine()
	cfg.Progress = func(p Progress) {
		switch {
		case p.CameUp+p.Failed == manySessions && begun == 0:
			begun = p.At
			m.setUpCPU = cpuTime() - began
			m.bytes = (liveHeap() - heap) / manySessions
			m.goroutines = runtime.NumGoroutine() - goroutines
			m.holdCPU = cpuTime()
		case begun != 0 && p.At >= begun+hold && m.held == 0:
			m.held, m.holdCPU = p.At-begun, cpuTime()-m.holdCPU
			cancel()
		}
	}
	if err := cfg.Complete(); err != nil {
		t.Fatal(err)
	}
	m.report = New(cfg, lns).Do(ctx)
	return m
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("bench: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
