package engine

import (
	"sync"
	"time"
)

// workers runs the jobs that wait for the kernel. There are many: most of a
// session's set-up and teardown is waiting for RCU grace periods, which those
// who wait at the same time share.
//
// Set-up and teardown have equal shares of them while both have work, and all
// of them while the other has none: thousands of sessions that end at once keep nobody
// out, and overload frees what it can.
type workers struct {
	limit int

	mu      sync.Mutex
	running [2]int      // by urgency
	queues  [2][]func() // what waits
	parked  []chan task // workers without a job, the last to become so at the end
	idle    sync.WaitGroup
}

// A task is a job in its queue.
type task struct {
	urgency urgency
	run     func()
}

// urgency is which of the queues a job waits in.
type urgency uint8

const (
	forSetup urgency = iota
	forTeardown
)

// parkTime is how long a worker without a job stays: its stack has grown to
// what jobs need, which a new one's must do again.
const parkTime = time.Second

// run runs f on a worker as soon as one is free. It never blocks.
func (w *workers) run(u urgency, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle.Add(1)
	if w.running[forSetup]+w.running[forTeardown] >= w.limit {
		w.queues[u] = append(w.queues[u], f)
		return
	}
	w.running[u]++
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
	w.running[done]--
	u := forTeardown
	if len(w.queues[forTeardown]) == 0 ||
		len(w.queues[forSetup]) > 0 && w.running[forSetup] < w.running[forTeardown] {
		u = forSetup
	}
	if f := pop(&w.queues[u]); f != nil {
		w.running[u]++
		return task{u, f}, true
	}
	w.parked = append(w.parked, wake)
	return task{}, false
}

// leave ends a worker, unless it has been given a task just now.
func (w *workers) leave(wake chan task) (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, p := range w.parked {
		if p == wake {
			w.parked = append(w.parked[:i], w.parked[i+1:]...)
			return task{}, false
		}
	}
	t, ok := <-wake
	return t, ok
}

// pop takes the first of a queue, or returns nil.
func pop(queue *[]func()) func() {
	q := *queue
	if len(q) == 0 {
		return nil
	}
	f := q[0]
	q[0] = nil
	if *queue = q[1:]; len(*queue) == 0 {
		*queue = nil
	}
	return f
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
