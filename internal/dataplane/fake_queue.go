package dataplane

import (
	"container/heap"
	"net/netip"
	"time"
)

// An arrival is what a fake's goroutine is to deal with at its time: a datagram,
// a session's frame for the handler, or something to call.
type arrival struct {
	due      time.Time
	sequence uint64 // keeps what is due at one time in order

	src, dst netip.AddrPort
	session  SessionKey // of a frame; zero for others
	data     []byte
	call     func()
}

// arrivals are a queue, in the order in which they are due.
type arrivals struct {
	heap arrivalHeap
	last uint64 // sequence that was given
}

// put adds what is due after a delay.
func (q *arrivals) put(delay time.Duration, a arrival) {
	q.last++
	a.due, a.sequence = time.Now().Add(delay), q.last
	heap.Push(&q.heap, a)
}

// putBack adds what was taken out before, at the place that it had.
func (q *arrivals) putBack(all ...arrival) {
	for _, a := range all {
		heap.Push(&q.heap, a)
	}
}

type arrivalHeap []arrival

func (a arrivalHeap) Len() int      { return len(a) }
func (a arrivalHeap) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a arrivalHeap) Less(i, j int) bool {
	if !a[i].due.Equal(a[j].due) {
		return a[i].due.Before(a[j].due)
	}
	return a[i].sequence < a[j].sequence
}
func (a *arrivalHeap) Push(x any) { *a = append(*a, x.(arrival)) }
func (a *arrivalHeap) Pop() any {
	old := *a
	x := old[len(old)-1]
	old[len(old)-1] = arrival{}
	*a = old[:len(old)-1]
	return x
}

// enqueue has the fake's goroutine deal with a after delay.
func (f *Fake) enqueue(delay time.Duration, a arrival) {
	f.mu.Lock()
	left := f.left
	if !f.closed {
		f.queue.put(delay, a)
	}
	f.mu.Unlock()
	if left != nil {
		left.enqueue(delay, a)
		return
	}
	f.look()
}

// look has the fake's goroutine look at the queue.
func (f *Fake) look() {
	select {
	case f.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// next takes the first arrival if it is due; else it returns how long to wait,
// zero for as long as nothing else comes.
func (f *Fake) next(now time.Time) (a arrival, wait time.Duration, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue.heap) == 0 {
		f.queue.heap = nil // a burst's memory is not kept
		return a, 0, false
	}
	if wait = f.queue.heap[0].due.Sub(now); wait > 0 {
		return a, wait, false
	}
	return heap.Pop(&f.queue.heap).(arrival), 0, true
}

// run is the fake's poller: the one goroutine that calls the handler.
func (f *Fake) run() {
	defer close(f.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		a, wait, ok := f.next(time.Now())
		if ok {
			f.arrive(a)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-due:
		case <-f.wake:
		case <-f.done:
			return
		}
	}
}

func (f *Fake) arrive(a arrival) {
	select {
	case <-f.done: // closed while the queue was not empty
		return
	default:
	}
	switch {
	case a.call != nil:
		a.call()
	case a.session != SessionKey{}:
		f.receiveFrame(a)
	default:
		f.receive(a)
	}
}

// lockFor locks f.mu to deal with a. If the fake has been killed since the queue gave a
// out, that goes to what is left, and lockFor returns false.
func (f *Fake) lockFor(a arrival) bool {
	f.mu.Lock()
	if f.left == nil {
		return true
	}
	f.mu.Unlock()
	f.left.take(a)
	return false
}
