package bench

import "time"

// A pace says when the next call is to be placed. A call that is placed late, because
// the generator or its limit of calls at once held it up, is counted from when it was
// to be placed: or else a slow LNS would choose when its speed is measured.
type pace struct {
	next    time.Duration // by the rate
	starved bool          // no session was ready: the rate does not catch up on that
}

// maxOpening is how many tunnels open at once.
const maxOpening = 64

// openTunnels opens tunnels while there is room.
func (r *Run) openTunnels(now time.Duration) {
	for tries := r.unopened.len(); tries > 0 && r.opening < maxOpening; tries-- {
		t, _ := r.unopened.pop()
		if !t.mayOpen() {
			r.unopened.push(t)
			continue
		}
		t.open(now)
		r.drain()
	}
}

// makeReady has a tunnel's sessions placed, if it can carry them.
func (r *Run) makeReady(t *tunnel) {
	if !t.isReady && t.state == tunnelUp && t.waiting.len() > 0 {
		t.isReady = true
		r.ready.push(t)
	}
}

// placeCalls places the calls that are due.
func (r *Run) placeCalls(now time.Duration) {
	for {
		if r.ready.len() == 0 {
			r.pace.starved = true
			r.tally.idle()
			return
		}
		if r.pace.starved {
			r.pace.starved = false
			r.pace.next = max(r.pace.next, now)
		}
		if r.tally.inFlight >= r.cfg.Concurrency || r.cfg.Rate > 0 && r.pace.next > now {
			return
		}
		if s := r.nextSession(); s != nil {
			s.call(now, r.due(now))
			r.drain()
		}
	}
}

// nextSession is the next one of the tunnel whose turn it is, or nil if that is gone.
func (r *Run) nextSession() *session {
	t, _ := r.ready.pop()
	t.isReady = false
	if t.state != tunnelUp {
		return nil
	}
	s, _ := t.waiting.pop()
	r.makeReady(t)
	return s
}

// due is when the call that is placed now was to be placed.
func (r *Run) due(now time.Duration) time.Duration {
	if r.cfg.Rate <= 0 {
		return now
	}
	due := r.pace.next
	r.pace.next += time.Duration(float64(time.Second) / r.cfg.Rate)
	return due
}

// paceAt is when placeCalls has something to do by itself.
func (r *Run) paceAt() time.Duration {
	if r.stage.now != running || r.cfg.Rate <= 0 || r.ready.len() == 0 ||
		r.tally.inFlight >= r.cfg.Concurrency {
		return never
	}
	return r.pace.next
}
