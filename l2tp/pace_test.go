package l2tp

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A pace is how long something takes, and how many datagrams it costs.
type pace struct {
	took time.Duration
	sent int
}

func (p pace) within(most pace) bool { return p.took <= most.took && p.sent <= most.sent }

// paceOf lets do begin something, and time pass until it is done.
func (p *pair) paceOf(do func(), done func() bool) pace {
	p.tb.Helper()
	began, sent := p.now, p.wire.sent
	do()
	for !done() {
		if p.now.Sub(began) > 10*time.Minute {
			p.tb.Fatal("not done after 10 minutes")
		}
		p.run(100 * time.Microsecond)
	}
	took := p.now.Sub(began)
	p.run(time.Second) // the last acknowledgements
	return pace{took, p.wire.sent - sent}
}

// pacesOf gives how n calls come up in a new tunnel and go again, between a LAC and an
// LNS that takes 15 ms for each call, 0.5 ms apart.
func pacesOf(t *testing.T, n int, window uint16, loss float64) (up, down pace) {
	t.Helper()
	p := newPair(t,
		&Config{HostName: "lac", ReceiveWindow: window, Rand: newSeeded(1)},
		&Config{HostName: "lns", ReceiveWindow: window, Rand: newSeeded(2)},
		&wire{rnd: rand.New(rand.NewPCG(1, 1)), loss: loss,
			minDelay: 500 * time.Microsecond, maxDelay: 500 * time.Microsecond})
	p.react = func(p *pair, end int, a Action) {
		if a, ok := a.(IncomingCall); ok {
			p.wire.push(p.now.Add(15*time.Millisecond), end, CallAccepted{a.Session})
			return
		}
		obliging(p, end, a)
	}
	up = p.paceOf(func() {
		p.step(0, Open{})
		for i := range n {
			p.step(0, PlaceCall{SessionID(i + 1), LACIncoming, Call{CalledNumber: "1"}})
		}
	}, func() bool { return count[SessionUp](p.log[1]) == n })
	down = p.paceOf(func() {
		for i := range n {
			p.step(0, HangUp{Session: SessionID(i + 1), Result: Result{Code: CDNAdministrative}})
		}
	}, func() bool { return p.ends[1].SessionCount() == 0 })
	return up, down
}

// TestAcknowledgedInTime: nobody waits for a delayed acknowledgement where the peer's
// window is full, and acknowledgements cost few datagrams of their own. One call takes 7
// at least, with those of its tunnel, and many take 3 each; to go takes 1.
func TestAcknowledgedInTime(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		calls    int
		window   uint16
		loss     float64
		up, down pace // at most
	}{
		{calls: 1, window: 1, up: pace{19 * ms, 10}, down: pace{ms, 2}},
		{calls: 1, window: 4, up: pace{18 * ms, 8}, down: pace{ms, 2}},
		{calls: 1, window: 10, up: pace{18 * ms, 8}, down: pace{ms, 2}},
		{calls: 1000, window: 1, up: pace{2100 * ms, 6010}, down: pace{1010 * ms, 2000}},
		{calls: 1000, window: 4, up: pace{550 * ms, 4500}, down: pace{260 * ms, 1500}},
		{calls: 1000, window: 10, up: pace{250 * ms, 4500}, down: pace{110 * ms, 1500}},
		{calls: 1000, window: 64, up: pace{50 * ms, 4500}, down: pace{20 * ms, 1500}},
		// After a loss, which takes a second, the peer's window is one again.
		{calls: 1000, window: 10, loss: 0.01, up: pace{25000 * ms, 4500}, down: pace{12000 * ms, 1500}},
	}
	for _, tt := range tests {
		up, down := pacesOf(t, tt.calls, tt.window, tt.loss)
		t.Logf("%d calls, window %d, loss %v: up %+v, down %+v", tt.calls, tt.window, tt.loss, up, down)
		if !up.within(tt.up) || !down.within(tt.down) {
			t.Errorf("%d calls, window %d, loss %v: up %+v, down %+v, want at most %+v, %+v",
				tt.calls, tt.window, tt.loss, up, down, tt.up, tt.down)
		}
	}
}
