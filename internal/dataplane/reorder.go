package dataplane

import (
	"slices"
	"time"
)

// maxHeld bounds what one session keeps for the sake of order.
const maxHeld = 64

// A reorderQueue holds messages that came before others they should follow, until
// these come or the time is up. Its timer runs while it holds any, which is rare.
type reorderQueue struct {
	timeout time.Duration
	held    []heldMessage // ascending, none of them q.Nr
	timer   *time.Timer
}

type heldMessage struct {
	h       dataHeader
	until   time.Time
	payload []byte
}

// accept takes a numbered message and returns the payloads that may go on, in
// order; payload is copied if it is held.
func (r *reorderQueue) accept(now time.Time, q *sequencer, c *liveCounters, h dataHeader,
	payload []byte) (ready [][]byte) {
	ready = r.expire(now, q, c, ready)
	switch ahead := h.Ns - q.Nr; {
	case ahead == 0 || ahead >= 1<<15:
		return r.release(q, c, r.pass(q, c, h, payload, ready))
	case len(r.held) == maxHeld:
		ready = r.first(q, c, ready)
	}
	r.hold(now, c, h, payload)
	return r.release(q, c, ready)
}

// pass gives the message to the sequencer.
func (r *reorderQueue) pass(q *sequencer, c *liveCounters, h dataHeader, payload []byte,
	ready [][]byte) [][]byte {
	if q.judge(h).count(c) {
		return append(ready, payload)
	}
	return ready
}

// first lets the first held message go on, its predecessors missing or not.
func (r *reorderQueue) first(q *sequencer, c *liveCounters, ready [][]byte) [][]byte {
	m := r.held[0]
	r.held = slices.Delete(r.held, 0, 1)
	return r.pass(q, c, m.h, m.payload, ready)
}

// expire lets go on what has waited long enough, and what it waited for itself.
func (r *reorderQueue) expire(now time.Time, q *sequencer, c *liveCounters,
	ready [][]byte) [][]byte {
	for until, any := r.deadline(); any && !now.Before(until); until, any = r.deadline() {
		ready = r.release(q, c, r.first(q, c, ready))
	}
	return ready
}

// flush lets go on all that is held.
func (r *reorderQueue) flush(q *sequencer, c *liveCounters) (ready [][]byte) {
	for len(r.held) > 0 {
		ready = r.first(q, c, ready)
	}
	return ready
}

// deadline is when the first of the held messages has waited long enough. That
// need not be the first in order.
func (r *reorderQueue) deadline() (until time.Time, any bool) {
	for i, m := range r.held {
		if i == 0 || m.until.Before(until) {
			until = m.until
		}
	}
	return until, len(r.held) > 0
}

// arm sets the timer to the deadline.
func (r *reorderQueue) arm(now time.Time) {
	if until, any := r.deadline(); any {
		r.timer.Reset(until.Sub(now))
	} else {
		r.timer.Stop()
	}
}

// stoppedTimer returns a timer that will call f once it is set.
func stoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// release lets go on what is next in order.
func (r *reorderQueue) release(q *sequencer, c *liveCounters, ready [][]byte) [][]byte {
	for len(r.held) > 0 && r.held[0].h.Ns == q.Nr {
		ready = r.first(q, c, ready)
	}
	return ready
}

func (r *reorderQueue) hold(now time.Time, c *liveCounters, h dataHeader, payload []byte) {
	i, found := slices.BinarySearchFunc(r.held, h.Ns, func(m heldMessage, ns uint16) int {
		return int(int16(m.h.Ns - ns)) // numbers wrap
	})
	if found {
		judgement{drop: true, late: true}.count(c)
		return
	}
	m := heldMessage{h: h, until: now.Add(r.timeout), payload: slices.Clone(payload)}
	r.held = slices.Insert(r.held, i, m)
}

// count counts the judgement and returns whether the message goes on.
func (j judgement) count(c *liveCounters) bool {
	c.rxOutOfSequence.Add(uint64(j.missing))
	if j.late {
		c.rxOutOfSequence.Add(1)
	}
	if j.drop {
		c.rxDropped.Add(1)
	}
	return !j.drop
}
