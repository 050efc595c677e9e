package engine

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// An overload is the time during which requests of peers are dropped, put off or
// refused because there are too many. The log is told when it begins, once a minute,
// and when it is over: never a line for each.
type overload struct {
	engine *Engine
	on     atomic.Bool

	// What follows belongs to shard 0.
	place  slot
	at     time.Time // when to look next
	before excess    // when last looked at
	begin  excess    // and when it began
}

// An excess is how many requests peers did not get, by what was too much.
type excess struct {
	overRate, overSourceRate, putOff, unanswered, evicted uint64 // SCCRQs
	calls, late                                           uint64
	lines                                                 uint64 // of the log
}

// overloadInterval is how often is told how an overload goes on.
const overloadInterval = time.Minute

// notice is called for each request that a peer does not get, from any goroutine.
func (o *overload) notice(what string, peer netip.Addr) {
	if o.on.Load() || !o.on.CompareAndSwap(false, true) {
		return
	}
	s := o.engine.shards[0]
	s.mail.post(func() {
		o.begin = o.before
		o.at = time.Now().Add(overloadInterval)
		o.engine.log.Warn("overload: peers ask for more than they can have", "what", what,
			"one_of_them", peer)
		s.deadlines.update(o)
	})
}

func (o *overload) slot() *slot { return &o.place }

func (o *overload) deadline() time.Time { return o.at }

// tick tells how the overload goes on, or that it is over.
func (o *overload) tick(now time.Time) {
	o.at = time.Time{}
	e := o.engine.excess()
	if e == o.before {
		o.engine.gate.relax()
		o.on.Store(false)
		o.log("overload is over", e.minus(o.begin))
		return
	}
	o.at = now.Add(overloadInterval)
	o.log("overload goes on", e.minus(o.before))
	o.before = e
}

func (o *overload) log(message string, e excess) {
	o.engine.log.Warn(message, "over_rate", e.overRate, "over_source_rate", e.overSourceRate,
		"put_off", e.putOff, "unanswered", e.unanswered, "evicted", e.evicted,
		"too_many_calls", e.calls, "calls_too_late", e.late, "lines_left_out", e.lines)
}

func (e *Engine) excess() excess {
	t := &e.total
	return excess{
		overRate: t.overRate.Load(), overSourceRate: t.overSourceRate.Load(),
		putOff: t.putOff.Load(), unanswered: t.unanswered.Load(), evicted: t.evicted.Load(),
		calls: t.tooManyCalls.Load(), late: t.callsTooLate.Load(), lines: e.lines.left.Load(),
	}
}

func (e excess) minus(o excess) excess {
	return excess{
		overRate: e.overRate - o.overRate, overSourceRate: e.overSourceRate - o.overSourceRate,
		putOff: e.putOff - o.putOff, unanswered: e.unanswered - o.unanswered,
		evicted: e.evicted - o.evicted, calls: e.calls - o.calls, late: e.late - o.late,
		lines: e.lines - o.lines,
	}
}

// lines bounds how much is logged of what peers can repeat as often as they like:
// tunnels and calls that are refused or come to nothing.
type lines struct {
	left atomic.Uint64 // out, since there were too many

	mu   sync.Mutex
	used meter
}

// linePace is how many such lines there are: ten a second, and twenty at once.
var linePace = perSecond(10)

// allow reports whether one more line may be logged.
func (l *lines) allow(at time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !linePace.allows(l.used, at) {
		l.left.Add(1)
		return false
	}
	linePace.charge(&l.used, at)
	return true
}

// mayLog reports whether one more line may be logged of what a peer can repeat.
func (e *Engine) mayLog(peer netip.Addr) bool {
	ok := e.lines.allow(time.Since(e.started))
	if !ok {
		e.overload.notice("lines in the log", peer)
	}
	return ok
}
