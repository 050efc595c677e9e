package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A tally is all that a run counts. It belongs to the run's loop.
type tally struct {
	placed, cameUp, failed, ended, dropped, cancelled uint64

	upNow, mostUp int // sessions
	inFlight      int // sessions in set-up

	tunnelsUp, tunnelsMostUp                     int
	tunnelsCameUp, tunnelsFailed, tunnelsLost    uint64
	renegotiated                                 uint64
	againL2TP, againPPP                          uint64 // messages and frames sent again
	controlSent, controlReceived                 uint64
	dataSent, dataReceived, sendErrors, unwanted uint64

	failures, drops causes
	took            [numPhases]*hdrhistogram.Histogram // microseconds

	comingUp      time.Duration // for how long sessions were, until the last that did
	comingUpSince time.Duration // that is not in it yet; never while nothing is to come up
	lag           time.Duration // the latest that a call was placed after its time
	waited        time.Duration // the longest of a datagram for the loop

	flows    flowTally
	timeline timeline
}

// longest is the longest time that is told apart, in microseconds: an hour.
const longest = int64(time.Hour / time.Microsecond)

func newTally() tally {
	t := tally{failures: causes{}, drops: causes{}, comingUpSince: never, timeline: newTimeline()}
	for p := range t.took {
		t.took[p] = hdrhistogram.New(1, longest, 3)
	}
	t.flows.took = hdrhistogram.New(1, longest, 3)
	return t
}

// timed notes how long a phase took.
func (t *tally) timed(p Phase, d time.Duration) {
	us := min(max(d.Microseconds(), 1), longest)
	_ = t.took[p].RecordValue(us) // it is in range
	if p == PhaseSetUp {
		t.timeline.setUp(d)
	}
}

// up counts a session that came up.
func (t *tally) up(now time.Duration) {
	t.cameUp++
	t.upNow++
	t.inFlight--
	t.mostUp = max(t.mostUp, t.upNow)
	t.comingUp += now - t.comingUpSince
	t.comingUpSince = now
	t.timeline.now.Up++
}

// place counts a call that is placed late by lag.
func (t *tally) place(now, lag time.Duration) {
	t.placed++
	t.inFlight++
	t.comingUpSince = min(t.comingUpSince, now)
	t.lag = max(t.lag, lag)
	t.timeline.now.Placed++
}

// idle notes that no session is ready to be placed: if none is in set-up either, nothing is
// to come up, and that is nobody's time.
func (t *tally) idle() {
	if t.inFlight == 0 {
		t.comingUpSince = never
	}
}

// wait notes that a datagram waited for the loop. To end everything is a piece of work that
// all wait for, and nothing of a session is timed any more.
func (t *tally) wait(d time.Duration, ending bool) {
	if !ending {
		t.waited = max(t.waited, d)
	}
}

// fail counts a session that did not come up. One that was not even placed counts too.
func (t *tally) fail(p Phase, why cause) {
	t.failed++
	t.failures.add(p, why)
	t.timeline.now.Failed++
}

// drop counts a session that was up and ended without our asking.
func (t *tally) drop(why cause) {
	t.dropped++
	t.upNow--
	t.drops.add(PhaseUp, why)
	t.timeline.now.Dropped++
}

// end counts a session that was up and that we ended.
func (t *tally) end() {
	t.ended++
	t.upNow--
	t.timeline.now.Ended++
}
