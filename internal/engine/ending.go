package engine

import (
	"sync/atomic"
	"time"

	"culvert/l2tp"
)

// An Ending is how many tunnels or sessions have ended in one way.
type Ending struct {
	By     string // "local", "peer" or "lost"
	Result string // the name of the result code
	Count  uint64
}

// maxResult is the highest result code that is counted by itself: those of RFC 2661.
const maxResult = 11

// ends counts what has ended by whose account and result code. Codes beyond those of
// the RFC are counted together, as the last one.
type ends [len(enders)][maxResult + 2]atomic.Uint64

var enders = [...]string{"local", "peer", "lost"}

func (c *ends) add(end l2tp.End) {
	by := 0
	switch {
	case end.Lost:
		by = 2
	case end.ByPeer:
		by = 1
	}
	c[by][min(int(end.Result.Code), maxResult+1)].Add(1)
}

// list returns what there was, with the names of the result codes.
func (c *ends) list(name func(l2tp.ResultCode) string) []Ending {
	var all []Ending
	for by := range c {
		for code := range c[by] {
			n := c[by][code].Load()
			if n == 0 {
				continue
			}
			result := "other"
			if code <= maxResult {
				result = name(l2tp.ResultCode(code))
			}
			all = append(all, Ending{enders[by], result, n})
		}
	}
	return all
}

// TunnelEndings says in which ways tunnels have ended since the start.
func (e *Engine) TunnelEndings() []Ending {
	return e.total.tunnelEnds.list(l2tp.ResultCode.StopName)
}

// SessionEndings says in which ways the calls of sessions have ended since the start.
func (e *Engine) SessionEndings() []Ending {
	return e.total.sessionEnds.list(l2tp.ResultCode.CDNName)
}

// setUpBounds are the upper bounds of the histogram of set-up times, in seconds.
var setUpBounds = [...]float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}

// A histogram counts durations by setUpBounds; the last count is of those above.
type histogram struct {
	counts [len(setUpBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // in ns
}

func (h *histogram) add(d time.Duration) {
	at := 0
	for at < len(setUpBounds) && d.Seconds() > setUpBounds[at] {
		at++
	}
	h.counts[at].Add(1)
	h.sum.Add(int64(d))
}

// SetUpTimes says how long sessions took from their request to their first
// network: for each bound in seconds how many took no longer, how many there are, and the
// sum in seconds.
func (e *Engine) SetUpTimes() (upTo map[float64]uint64, count uint64, sum float64) {
	h := &e.total.setUpTimes
	upTo = make(map[float64]uint64)
	for i, bound := range setUpBounds {
		count += h.counts[i].Load()
		upTo[bound] = count
	}
	count += h.counts[len(setUpBounds)].Load()
	return upTo, count, time.Duration(h.sum.Load()).Seconds()
}
