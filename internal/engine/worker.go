package engine

import "sync"

// workers runs the jobs that wait for the kernel. There are many: most of a
// session's set-up and teardown is waiting for RCU grace periods, which those
// who wait at the same time share.
//
// Teardown goes before set-up, so that overload frees what it can.
type workers struct {
	limit int

	mu       sync.Mutex
	running  int
	teardown []func()
	setup    []func()
	idle     sync.WaitGroup
}

// urgency is which of the queues a job waits in.
type urgency bool

const (
	forSetup    urgency = false
	forTeardown urgency = true
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
	if u == forTeardown {
		w.teardown = append(w.teardown, f)
	} else {
		w.setup = append(w.setup, f)
	}
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
	if f := pop(&w.teardown); f != nil {
		return f
	}
	if f := pop(&w.setup); f != nil {
		return f
	}
	w.running--
	return nil
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

// wait returns when no job is left.
func (w *workers) wait() { w.idle.Wait() }
