package engine

import "time"

// A pace is how many of something may come: one in each interval, and twice a
// second's worth at once. The zero pace lets all pass.
type pace struct{ interval, burst time.Duration }

// perSecond is the pace of n a second; 0 is no limit.
func perSecond(n int) pace {
	if n == 0 {
		return pace{}
	}
	p := pace{interval: time.Second / time.Duration(n)}
	p.burst = 2 * time.Duration(n) * p.interval
	return p
}

// times is the pace n times as fast.
func (p pace) times(n int) pace {
	return pace{p.interval / time.Duration(n), p.burst}
}

// A meter is how far something has used up its pace: the time at which all of it
// is free again, counted from a base (the generic cell rate algorithm).
type meter time.Duration

// allows reports whether one more may come now.
func (p pace) allows(m meter, at time.Duration) bool {
	return time.Duration(m)-at <= p.burst-p.interval || p.interval == 0
}

// charge counts one more. A meter that is used up stays so and no more: the debt
// of a flood ends with it.
func (p pace) charge(m *meter, at time.Duration) {
	*m = meter(min(max(time.Duration(*m), at)+p.interval, at+p.burst))
}

// meters measure many sources in a table of fixed size. Each has two meters, which it
// shares with others: the one that is less used up counts, since the other one was
// used by somebody else (a count-min sketch with conservative update).
type meters [2][4096]meter

// of returns the two meters of what hashes to h.
func (ms *meters) of(h uint64) [2]*meter {
	return [2]*meter{&ms[0][h%4096], &ms[1][(h>>32)%4096]}
}

// allows reports whether one more may come of what hashes to h.
func (ms *meters) allows(h uint64, p pace, at time.Duration) bool {
	both := ms.of(h)
	return p.allows(min(*both[0], *both[1]), at)
}

// charge counts one more of what hashes to h.
func (ms *meters) charge(h uint64, p pace, at time.Duration) {
	both := ms.of(h)
	used := min(*both[0], *both[1])
	p.charge(&used, at)
	for _, m := range both {
		*m = max(*m, used)
	}
}
