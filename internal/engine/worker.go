package engine

import (
	"slices"
	"sync"
	"time"
)

// workers runs the jobs that wait for the kernel. There are many: most of a
// session's set-up and teardown is waiting for RCU grace periods, which those
// who wait at the same time share.
//
// Set-up and teardown have equal shares of them while both have work, and all
// of them while the other has none: overload frees what it can, and thousands of
// sessions that end at once keep nobody out. Of set-ups those go first that have begun.
type workers struct {
	limit int

	mu      sync.Mutex
	running [2]int // set-ups, teardowns
	queues  [numUrgencies][]waiting
	turn    bool        // it is set-up's where both have their share
	parked  []chan task // workers without a job, the last to become so at the end
	idle    sync.WaitGroup
}

// A waiting is a job in a queue.
type waiting struct {
	run   func()
	since time.Time
}

// A task is a job that a worker has.
type task struct {
	urgency urgency
	run     func()
}

// urgency is which of the queues a job waits in.
type urgency uint8

const (
	forSetup urgency = iota
	forNewCall
	forTeardown
	numUrgencies
)

// side is the share of workers that a job is of.
func (u urgency) side() int {
	if u == forTeardown {
		return 1
	}
	return 0
}

// parkTime is how long a worker without a job stays: its stack has grown to
// what jobs need, which a new one's must do again.
const parkTime = time.Second

// run runs f on a worker as soon as one is free. It never blocks.
func (w *workers) run(u urgency, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle.Add(1)
	if w.running[0]+w.running[1] >= w.limit {
		w.queues[u] = append(w.queues[u], waiting{f, time.Now()})
		return
	}
	w.running[u.side()]++
	if last := len(w.parked) - 1; last >= 0 {
		w.parked[last] <- task{u, f}
		w.parked = w.parked[:last]
		return
	}
	go w.work(task{u, f})
}

// work runs a task and then what is queued or comes, until nothing has come for a while.
func (w *workers) work(t task) {
	wake := make(chan task, 1)
	timer := time.NewTimer(parkTime)
	defer timer.Stop()
	for ok := true; ok; {
		t.run()
		if t, ok = w.next(t.urgency, wake); ok {
			continue
		}
		timer.Reset(parkTime)
		select {
		case t, ok = <-wake:
		case <-timer.C:
			t, ok = w.leave(wake)
		}
	}
}

// next ends a worker's task and returns its next one, or parks the worker.
func (w *workers) next(done urgency, wake chan task) (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.idle.Done()
	w.running[done.side()]--
	for _, u := range w.order() {
		if f := pop(&w.queues[u]); f != nil {
			w.running[u.side()]++
			return task{u, f}, true
		}
	}
	w.parked = append(w.parked, wake)
	return task{}, false
}

// order is that in which the queues are looked into: first the side that has less than
// its share. mu is held.
func (w *workers) order() [numUrgencies]urgency {
	setup := w.running[0] < w.running[1]
	if w.running[0] == w.running[1] {
		w.turn = !w.turn
		setup = w.turn
	}
	if setup {
		return [...]urgency{forSetup, forNewCall, forTeardown}
	}
	return [...]urgency{forTeardown, forSetup, forNewCall}
}

// leave ends a worker, unless it has been given a task just now.
func (w *workers) leave(wake chan task) (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.parked, wake); i >= 0 {
		w.parked = slices.Delete(w.parked, i, i+1)
		return task{}, false
	}
	t, ok := <-wake
	return t, ok
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

// wait returns when no job is left, and sends the workers home.
func (w *workers) wait() {
	w.idle.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wake := range w.parked {
		close(wake)
	}
	w.parked = nil
}
