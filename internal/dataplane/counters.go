package dataplane

import "sync/atomic"

// liveCounters are a session's counters while packets flow.
type liveCounters struct {
	rxPackets, rxBytes, rxErrors, rxDropped atomic.Uint64
	txPackets, txBytes, txErrors, txDropped atomic.Uint64
	rxOutOfSequence                         atomic.Uint64
}

func (c *liveCounters) received(bytes int) {
	c.rxPackets.Add(1)
	c.rxBytes.Add(uint64(bytes))
}

func (c *liveCounters) sent(bytes int) {
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
