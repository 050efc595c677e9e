package engine

import (
	"sync"
	"time"
)

// workers runs the jobs that wait for the kernel. There are many: most of a
// session's set-up and teardown is waiting for RCU grace periods, which those
// who wait at the same time share.
//
// Teardown and set-up take turns where both wait: overload frees what it can, and the
// end of thousands of sessions does not hold up those of others. Of set-ups those go
// first that have begun.
type workers struct {
	limit int

	mu      sync.Mutex
	running int
	queues  [numUrgencies][]waiting
	turn    bool // it is set-up's
	idle    sync.WaitGroup
}

// A waiting is a job in a queue.
type waiting struct {
	run   func()
	since time.Time
}

// urgency is which of the queues a job waits in.
type urgency uint8

const (
	forSetup urgency = iota
	forNewCall
	forTeardown
	numUrgencies
)

// run runs f on a worker as soon as one is free. It never blocks.
func (w *workers) run(u urgency, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle.Add(1)
	if w.running < w.limit {
		w.running++
		go w.work(f)
		return
	}
	w.queues[u] = append(w.queues[u], waiting{f, time.Now()})
}

// work runs f and then what is queued, until nothing is.
func (w *workers) work(f func()) {
	for f != nil {
		f()
		w.idle.Done()
		f = w.next()
	}
}

func (w *workers) next() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	order := [...]urgency{forTeardown, forSetup, forNewCall}
	if w.turn = !w.turn; w.turn {
		order = [...]urgency{forSetup, forNewCall, forTeardown}
	}
	for _, u := range order {
		if f := pop(&w.queues[u]); f != nil {
			return f
		}
	}
	w.running--
	return nil
}

// pop takes the first of a queue, or returns nil.
func pop(queue *[]waiting) func() {
	q := *queue
	if len(q) == 0 {
		return nil
	}
	f := q[0].run
	q[0] = waiting{}
	if *queue = q[1:]; len(*queue) == 0 {
		*queue = nil
	}
	return f
}

// delay is how long new calls wait: as long as the first of them has waited.
func (w *workers) delay(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if q := w.queues[forNewCall]; len(q) > 0 {
		return now.Sub(q[0].since)
	}
	return 0
}

// wait returns when no job is left.
func (w *workers) wait() { w.idle.Wait() }
