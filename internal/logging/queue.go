package logging

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// A queue is what keeps a target from holding anybody up: whoever logs puts a
// line in, and a goroutine of the queue's writes it.
type queue struct {
	write func([]byte) (int, error)
	lost  atomic.Uint64
	done  chan struct{}

	mu     sync.Mutex // of closed, against sending on a closed channel
	closed bool
	lines  chan []byte
}

// queueLength is how many lines wait for a target at most.
const queueLength = 4096

func newQueue(write func([]byte) (int, error)) *queue {
	q := &queue{write: write, done: make(chan struct{}), lines: make(chan []byte, queueLength)}
	go q.run()
	return q
}

func (q *queue) run() {
	defer close(q.done)
	for line := range q.lines {
		if _, err := q.write(line); err != nil {
			q.lost.Add(1) // there is nobody left to tell
		}
	}
}

// Write puts a copy of a line into the queue. It never fails.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.lost.Add(1)
		return len(line), nil
	}
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.lost.Add(1)
	}
	return len(line), nil
}

// close ends the queue once it is empty.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.lines)
	}
}
