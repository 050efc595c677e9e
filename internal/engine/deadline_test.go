package engine

import (
	"testing"
	"time"
	"unsafe"
)

// A clockwork is a machine with the deadlines that it is given; each tick takes one.
type clockwork struct {
	at    []time.Time
	ticks int
	place slot
}

func (c *clockwork) slot() *slot { return &c.place }

func (c *clockwork) deadline() time.Time {
	if len(c.at) == 0 {
		return time.Time{}
	}
	return c.at[0]
}

// tick moves on once the deadline has come, as the cores see it.
func (c *clockwork) tick(now time.Time) {
	c.ticks++
	if due(c.deadline(), now) {
		c.at = c.at[1:]
	}
}

// setWallBack returns t with its wall clock d earlier and its monotonic clock as it was.
func setWallBack(t time.Time, d time.Duration) time.Time {
	// The time's first word has nanoseconds of the second in its low 30 bits.
	*(*uint64)(unsafe.Pointer(&t)) -= uint64(d)
	return t
}

// The cores compare times by the monotonic clock. A shard that went by the wall's
// would tick a machine whose deadline has not come, and find it due again, for ever.
func TestDeadlinesGoByTheMonotonicClock(t *testing.T) {
	now := time.Now()
	if now.Nanosecond() < 1000 {
		now = now.Add(time.Microsecond)
	}
	at := setWallBack(now.Add(6*time.Nanosecond), 12*time.Nanosecond)
	if at.UnixNano() >= now.UnixNano() || !at.After(now) {
		t.Fatalf("%v is not before %v by the wall clock and after by the other", at, now)
	}
	d := newDeadlines(now)
	m := &clockwork{at: []time.Time{at}}
	d.update(m)
	if got := d.due(now); got != nil {
		t.Error("a machine is due before its time")
	}
	if got := d.due(now.Add(6 * time.Nanosecond)); got != m {
		t.Errorf("due at its time: %v, want the machine", got)
	}
}

// A machine that is due whenever it is asked leaves the shard time for others.
func TestDeadlinesPauseWhatIsDueAgain(t *testing.T) {
	now := time.Now()
	d := newDeadlines(now)
	m := &clockwork{at: []time.Time{now, now, now}}
	d.update(m)
	for range 3 {
		if got := d.due(now); got != m {
			t.Fatalf("due after %d ticks: %v, want the machine", m.ticks, got)
		}
		m.tick(now)
		d.ticked(m, now)
		if got := d.due(now); got != nil {
			t.Fatalf("due at once after %d ticks", m.ticks)
		}
		now = now.Add(pause)
	}
	if len(d.entries) != 0 || m.place.place != 0 {
		t.Errorf("%d machines left, want none", len(d.entries))
	}
}
