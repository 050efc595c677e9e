package kernel

import (
	"slices"
	"sync"
)

// A combiner carries out in rounds what many goroutines ask for at the same time.
//
// The kernel changes interfaces one at a time, under the RTNL lock. Were each change sent
// by its own thread, all threads but one would wait for that lock, some of them
// spinning, and every change would cost a switch of threads
// (docs/performance.md). So one of the callers leads: it serves a round of what
// has gathered, its own request first, and then makes the one who has waited longest
// the next leader. Nobody waits for more to come.
type combiner[T any] struct {
	limit  int         // what a round may weigh
	weight func(T) int // of a request; one that weighs more than limit goes alone
	serve  func([]T)   // carries out a round

	mu      sync.Mutex
	leading bool // somebody leads, or has been told to
	waiting []*combined[T]
}

type combined[T any] struct {
	item T
	turn chan bool // true: lead; false: it is done
}

// do returns when item has been served.
func (c *combiner[T]) do(item T) {
	r := &combined[T]{item, make(chan bool, 1)}
	if c.join(r) || <-r.turn {
		c.lead()
	}
}

// join queues a request, and tells whether its caller leads.
func (c *combiner[T]) join(r *combined[T]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, r)
	lead := !c.leading
	c.leading = true
	return lead
}

// lead serves a round, and names the next leader.
func (c *combiner[T]) lead() {
	round := c.take()
	items := make([]T, len(round))
	for i, r := range round {
		items[i] = r.item
	}
	c.serve(items)
	for _, r := range round[1:] {
		r.turn <- false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leading = len(c.waiting) > 0; c.leading {
		c.waiting[0].turn <- true
	}
}

// take takes what one round holds off the queue: at least the first request.
func (c *combiner[T]) take() []*combined[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, sum := 0, 0
	for n < len(c.waiting) {
		sum += c.weight(c.waiting[n].item)
		if n > 0 && sum > c.limit {
			break
		}
		n++
	}
	round := slices.Clone(c.waiting[:n])
	clear(c.waiting[:n])
	if c.waiting = c.waiting[n:]; len(c.waiting) == 0 {
		c.waiting = nil // the array is not to hold what it once was
	}
	return round
}
