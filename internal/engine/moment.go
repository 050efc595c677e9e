package engine

import "time"

func (e *Engine) moment(now time.Time) moment { return moment{now, e.boot()} }

// asOf is a time for a record made at now: as long before or after now by the time of day
// as it is by this process's own clock.
func asOf(now, t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Round(0).Add(t.Sub(now))
}

// isSet is how far two clocks are apart at least if one was set. Less is what they drift.
const isSet = 2 * time.Second

// asTold is asOf for a time that others were told, and that is to stay the same to the
// nanosecond unless the clock was set since.
func asTold(now, t time.Time) time.Time {
	if of := asOf(now, t); of.Sub(t.Round(0)).Abs() > isSet {
		return of
	}
	return t
}

// age is how old a record is.
func (e *Engine) age(m moment, now time.Time) time.Duration {
	if m.Boot > 0 {
		return max(0, e.boot()-m.Boot)
	}
	return max(0, now.Sub(m.At))
}

// rebase is a time of a record by this process's clock: as long before or after the
// record, which is as old as it is.
func (m moment) rebase(t, now time.Time, age time.Duration) time.Time {
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(m.At) - age)
}

// retell is a time of a record that others were told, and are to be told again unless the clock
// was set since. What passes from then on is counted by this process's clock.
func (m moment) retell(t, now time.Time, age time.Duration) time.Time {
	of := m.rebase(t, now, age)
	if of.Round(0).Sub(t).Abs() > isSet {
		return of
	}
	if t.IsZero() {
		return t
	}
	return now.Add(t.Sub(now.Round(0)))
}
