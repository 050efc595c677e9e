package engine

import (
	"container/heap"
	"time"
)

// A machine is what a shard's heap holds: something with a next deadline.
type machine interface {
	// deadline is when tick must next be called, or zero for never.
	deadline() time.Time
	tick(now time.Time)
	// slot is where the machine keeps its place in the heap.
	slot() *slot
}

// A slot is a machine's place in the heap plus one, so that its zero value is
// no place.
type slot struct{ place int32 }

// deadlines is the one heap of a shard. It holds machines that have a deadline.
type deadlines struct {
	base    time.Time
	entries []entry
}

// An entry tells time from the heap's base, by the monotonic clock as the cores
// do: the wall's may be set, and is nanoseconds off that one even when it is not.
type entry struct {
	when time.Duration
	m    machine
}

func newDeadlines(now time.Time) deadlines { return deadlines{base: now} }

// update puts m where its deadline says, or takes it out if it has none.
func (d *deadlines) update(m machine) {
	when, s := m.deadline(), m.slot()
	switch {
	case when.IsZero() && s.place == 0:
	case when.IsZero():
		d.remove(m)
	case s.place == 0:
		heap.Push(d, entry{when.Sub(d.base), m})
	default:
		d.move(m, when.Sub(d.base))
	}
}

// move has m, which is in, ticked at another time.
func (d *deadlines) move(m machine, when time.Duration) {
	at := int(m.slot().place - 1)
	if d.entries[at].when != when {
		d.entries[at].when = when
		heap.Fix(d, at)
	}
}

// pause is how long a machine waits that is due again at the time of its tick.
const pause = time.Millisecond

// ticked puts m where its deadline says after it was ticked at now. Were it due
// at once, and again after that, the shard would do nothing else for ever.
func (d *deadlines) ticked(m machine, now time.Time) {
	d.update(m)
	if soon := now.Sub(d.base); m.slot().place != 0 && d.entries[m.slot().place-1].when <= soon {
		d.move(m, soon+pause)
	}
}

// remove takes m out, if it is in.
func (d *deadlines) remove(m machine) {
	if at := int(m.slot().place - 1); at >= 0 {
		heap.Remove(d, at)
	}
}

// due returns a machine whose deadline has come, or nil.
func (d *deadlines) due(now time.Time) machine {
	if len(d.entries) == 0 || d.entries[0].when > now.Sub(d.base) {
		return nil
	}
	return d.entries[0].m
}

// next returns the first deadline, and whether there is one.
func (d *deadlines) next() (time.Time, bool) {
	if len(d.entries) == 0 {
		return time.Time{}, false
	}
	return d.base.Add(d.entries[0].when), true
}

// Len, Less, Swap, Push and Pop are heap.Interface's.
func (d *deadlines) Len() int           { return len(d.entries) }
func (d *deadlines) Less(i, j int) bool { return d.entries[i].when < d.entries[j].when }

func (d *deadlines) Swap(i, j int) {
	d.entries[i], d.entries[j] = d.entries[j], d.entries[i]
	d.entries[i].m.slot().place = int32(i + 1)
	d.entries[j].m.slot().place = int32(j + 1)
}

// Push appends an entry for container/heap.
func (d *deadlines) Push(x any) {
	e := x.(entry)
	d.entries = append(d.entries, e)
	e.m.slot().place = int32(len(d.entries))
}

// Pop removes the last entry for container/heap.
func (d *deadlines) Pop() any {
	last := len(d.entries) - 1
	e := d.entries[last]
	d.entries[last] = entry{}
	d.entries = d.entries[:last]
	e.m.slot().place = 0
	return e
}

// earliest returns the first of times that is not zero, or zero.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// due reports whether at is set and has come.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// idleAt is when the tunnel is closed for having no session, or zero.
func (t *tunnel) idleAt() time.Time {
	if t.idleSince.IsZero() || t.settings.IdleTimeout == 0 {
		return time.Time{}
	}
	return t.idleSince.Add(t.settings.IdleTimeout)
}

// pathAt is when the path is looked at, or zero.
func (t *tunnel) pathAt() time.Time {
	if t.pmtu == nil || t.end != nil {
		return time.Time{}
	}
	return t.pmtu.at
}
