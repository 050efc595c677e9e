package bench

import (
	"time"

	"culvert/l2tp"
)

// A stage is where a run is.
type stage struct {
	now         stageName
	until       time.Duration // when the stage is over at the latest; never if that is open
	interrupted bool

	endBegan, endOver time.Duration // of hanging up: until the last call was ended
	ended             uint64        // sessions that were up when it began
	unanswered        bool          // the LNS did not acknowledge all of it, or was not told
}

// A stageName names a stage.
type stageName uint8

const (
	running   stageName = iota
	quiet               // no packets are sent into sessions any more; those under way come back
	hangingUp           // the calls end
	stopping            // the tunnels end
	finished
)

const (
	quietTime = time.Second
	// endLimit is how long the LNS may take to acknowledge that all ends.
	endLimit = time.Minute
)

func newStage() stage { return stage{until: never} }

// isEnding reports whether what ends now ends because the run does.
func (r *Run) isEnding() bool { return r.stage.now >= hangingUp }

// advance does what the time and what has happened call for.
func (r *Run) advance(now time.Duration) {
	r.tally.timeline.advance(now, r.tally.upNow, r.tally.inFlight)
	if now >= r.progress {
		r.tellProgress(now)
		r.progress = now - now%time.Second + time.Second
	}
	switch r.stage.now {
	case running:
		r.openTunnels(now)
		r.placeCalls(now)
		if r.isDone(now) {
			r.finish(now)
		}
	case quiet:
		if now >= r.stage.until {
			r.hangUp(now)
		}
	case hangingUp:
		if r.busy == 0 || now >= r.stage.until {
			r.stop(now)
		}
	case stopping:
		if r.busy == 0 || now >= r.stage.until {
			r.over(now)
		}
	}
}

// isDone reports whether nothing is left to do, or the time is up.
func (r *Run) isDone(now time.Duration) bool {
	switch {
	case r.cfg.Duration > 0 && now >= r.cfg.Duration:
		return true
	case r.cfg.Churn, r.opening+r.unopened.len() > 0, r.pending > 0, r.tally.inFlight > 0:
		return false
	case r.cfg.Sessions == 0:
		return r.cfg.Duration == 0 || r.tally.tunnelsUp == 0
	case r.tally.upNow == 0:
		return true
	}
	return r.cfg.Duration == 0 && r.cfg.Hold == 0
}

// stageAt is when advance has something to do by itself.
func (r *Run) stageAt() time.Duration {
	if r.stage.now == running && r.cfg.Duration > 0 {
		return r.cfg.Duration
	}
	return r.stage.until
}

// finish begins the end of the run, if that has not begun.
func (r *Run) finish(now time.Duration) {
	if r.stage.now != running {
		return
	}
	if r.cfg.Traffic.Sessions > 0 && r.tally.upNow > 0 {
		r.stage.now, r.stage.until = quiet, now+quietTime
		return
	}
	r.hangUp(now)
}

// hangUp ends all calls, as the configuration has it.
func (r *Run) hangUp(now time.Duration) {
	r.stage.endBegan, r.stage.ended = now, uint64(r.tally.upNow)
	r.stage.now, r.stage.until = hangingUp, now+endLimit
	switch r.cfg.End {
	case EndVanish:
		r.stage.ended = 0 // the LNS has them still
		r.vanish(now)
		return
	case EndTunnels:
		r.stop(now)
		return
	}
	r.giveUpOpening()
	for i := range r.sessions {
		s := &r.sessions[i]
		if s.state == up || s.state.isSetUp() {
			r.step(s.tunnel, l2tp.HangUp{
				Session: s.id, Result: l2tp.Result{Code: l2tp.CDNAdministrative},
			})
			r.drain()
		}
	}
	r.advance(now)
}

// giveUpOpening ends tunnels that are not up: the LNS may never answer.
func (r *Run) giveUpOpening() {
	for i := range r.tunnels {
		if t := &r.tunnels[i]; t.state == tunnelOpening {
			r.step(t, l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopShutdown}})
			r.drain()
			t.discard()
		}
	}
}

// stop ends all tunnels.
func (r *Run) stop(now time.Duration) {
	r.stage.now, r.stage.endOver = stopping, now
	r.giveUpOpening()
	for i := range r.tunnels {
		if t := &r.tunnels[i]; t.state != tunnelDown {
			r.step(t, l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopShutdown}})
			r.drain()
		}
	}
	r.advance(now)
}

// vanish ends the run without a word.
func (r *Run) vanish(now time.Duration) {
	for i := range r.sessions {
		r.sessions[i].cancel()
	}
	r.over(now)
}

func (r *Run) over(now time.Duration) {
	r.stage.now = finished
	if r.cfg.End == EndTunnels {
		r.stage.endOver = now // the last StopCCN that is acknowledged ends the last sessions
	}
	r.stage.endOver = max(r.stage.endOver, r.stage.endBegan)
	r.stage.unanswered = r.busy > 0 || r.cfg.End == EndVanish
	r.tally.timeline.close(r.tally.upNow, r.tally.inFlight)
	r.tellProgress(now)
}
