package bench

import (
	"container/heap"
	"time"
)

// never is the deadline of what has none.
const never = time.Duration(1<<63 - 1)

// A machine is what the heap holds: something with a next deadline. Times are told
// from the run's base by the monotonic clock: the wall's may be set.
type machine interface {
	// deadline is when tick must next be called, or never.
	deadline() time.Duration
	tick(now time.Time)
	// slot is where the machine keeps its place in the heap.
	slot() *slot
}

// A slot is a machine's place in the heap plus one: its zero value is no place.
type slot struct{ place int32 }

// deadlines is the run's one heap.
type deadlines []entry

type entry struct {
	when time.Duration
	m    machine
}

// update puts m where its deadline says, or takes it out if it has none.
func (d *deadlines) update(m machine) {
	when, at := m.deadline(), int(m.slot().place-1)
	switch {
	case when == never && at < 0:
	case when == never:
		heap.Remove(d, at)
	case at < 0:
		heap.Push(d, entry{when, m})
	case (*d)[at].when != when:
		(*d)[at].when = when
		heap.Fix(d, at)
	}
}

// pause is how long a machine waits that is due again at the time of its tick: were
// it due at once for ever, the loop would do nothing else.
const pause = time.Millisecond

// ticked puts m where its deadline says after it was ticked at now.
func (d *deadlines) ticked(m machine, now time.Duration) {
	d.update(m)
	if at := int(m.slot().place - 1); at >= 0 && (*d)[at].when <= now {
		(*d)[at].when = now + pause
		heap.Fix(d, at)
	}
}

// due returns a machine whose deadline has come, or nil.
func (d deadlines) due(now time.Duration) machine {
	if len(d) == 0 || d[0].when > now {
		return nil
	}
	return d[0].m
}

// next is the first deadline, or never.
func (d deadlines) next() time.Duration {
	if len(d) == 0 {
		return never
	}
	return d[0].when
}

// Len, Less, Swap, Push and Pop are heap.Interface's.
func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].when < d[j].when }

func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].m.slot().place = int32(i + 1)
	d[j].m.slot().place = int32(j + 1)
}

// Push appends an entry for container/heap.
func (d *deadlines) Push(x any) {
	e := x.(entry)
	*d = append(*d, e)
	e.m.slot().place = int32(len(*d))
}

// Pop removes the last entry for container/heap.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last] = entry{}
	*d = (*d)[:last]
	e.m.slot().place = 0
	return e
}
