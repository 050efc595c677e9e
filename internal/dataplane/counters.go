package dataplane

import (
	"sync/atomic"
	"time"
)

// liveCounters are a session's counters while packets flow.
type liveCounters struct {
	rxPackets, rxBytes, rxErrors, rxDropped atomic.Uint64
	txPackets, txBytes, txErrors, txDropped atomic.Uint64
	rxOutOfSequence                         atomic.Uint64

	last atomic.Int64 // when the last packet went, or packets could; since began
}

// began is when this process did, about: the time since is cheaper to ask than the time.
var began = time.Now()

// touch notes that the session carries something now.
func (c *liveCounters) touch() { c.last.Store(int64(time.Since(began))) }

// idle returns how long ago that was.
func (c *liveCounters) idle() time.Duration {
	return time.Since(began) - time.Duration(c.last.Load())
}

func (c *liveCounters) received(bytes int) {
	c.touch()
	c.rxPackets.Add(1)
	c.rxBytes.Add(uint64(bytes))
}

func (c *liveCounters) sent(bytes int) {
	c.touch()
	c.txPackets.Add(1)
	c.txBytes.Add(uint64(bytes))
}

func (c *liveCounters) load() Counters {
	return Counters{
		RxPackets: c.rxPackets.Load(), RxBytes: c.rxBytes.Load(),
		RxErrors: c.rxErrors.Load(), RxDropped: c.rxDropped.Load(),
		TxPackets: c.txPackets.Load(), TxBytes: c.txBytes.Load(),
		TxErrors: c.txErrors.Load(), TxDropped: c.txDropped.Load(),
		RxOutOfSequence: c.rxOutOfSequence.Load(),
	}
}
