package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
	"culvert/l2tp"
	"culvert/ppp"
)

// totals only go up: what has happened since the start.
type totals struct {
	tunnelsEstablished, tunnelsFailed, tunnelsLost  atomic.Uint64
	tunnelAuthFailures                              atomic.Uint64
	sessionsEstablished, sessionsUp, sessionsFailed atomic.Uint64
	setUpTimeouts                                   atomic.Uint64
	authSuccesses, authFailures, noAddress          atomic.Uint64
	earlyFrames, kernelErrors, faults               atomic.Uint64
	tunnelEnds, sessionEnds                         ends
	setUpTimes                                      histogram
}

// A reset remembers the counters as they were when they were set to zero.
type reset struct {
	mu    sync.Mutex
	base  *api.Statistics
	since time.Time
}

// messageTotals are the numbers of control connections that are gone.
type messageTotals struct {
	sent, received                      [len(l2tp.MessageCounts{})]uint64
	retransmits, duplicates, outOfOrder uint64
	zlbSent, zlbReceived, malformed     uint64
}

func (m *messageTotals) add(s l2tp.Stats) {
	for i := range m.sent {
		m.sent[i] += uint64(s.Sent[i])
		m.received[i] += uint64(s.Received[i])
	}
	m.retransmits += uint64(s.Retransmits)
	m.duplicates += uint64(s.Duplicates)
	m.outOfOrder += uint64(s.OutOfOrder)
	m.zlbSent += uint64(s.ZLBSent)
	m.zlbReceived += uint64(s.ZLBReceived)
	m.malformed += uint64(s.Malformed)
}

// messages are the numbers of all control connections of the shard, those that are
// gone included.
func (s *shard) messages() messageTotals {
	all := s.past
	for _, t := range s.tunnels {
		all.add(t.core.Stats())
	}
	return all
}

// countEnd counts a tunnel that has stopped.
func (t *tunnel) countEnd(end l2tp.End) {
	if t.refused {
		return
	}
	total := &t.shard.engine.total
	total.tunnelEnds.add(end)
	if t.establishedAt.IsZero() {
		total.tunnelsFailed.Add(1)
	}
	if end.Lost {
		total.tunnelsLost.Add(1)
	}
	if end.Result.Code == l2tp.StopNotAuthorized {
		total.tunnelAuthFailures.Add(1)
	}
}

// countEnd counts a session whose call has ended.
func (s *session) countEnd(end l2tp.End) {
	total := &s.engine().total
	total.sessionEnds.add(end)
	if !s.wasUp {
		total.sessionsFailed.Add(1)
	}
}

// countUp counts a session that came to carry a network, and how long that took.
func (s *session) countUp(now time.Time) {
	total := &s.engine().total
	total.sessionsUp.Add(1)
	total.setUpTimes.add(now.Sub(s.created))
}

// countVerdict counts who has proved who they are, and who has not.
func (s *session) countVerdict(v ppp.Verdict) {
	switch total := &s.engine().total; {
	case v.OK:
		total.authSuccesses.Add(1)
	case !v.Continue:
		total.authFailures.Add(1)
	}
}

// statistics are the counters since the start.
func (e *Engine) statistics(ctx context.Context) (*api.Statistics, error) {
	c, total := &e.count, &e.total
	st := &api.Statistics{
		TunnelsCreated:           c.tunnelsCreated.Load(),
		TunnelsEstablished:       total.tunnelsEstablished.Load(),
		TunnelsRefused:           c.tunnelsRefused.Load(),
		TunnelsFailed:            total.tunnelsFailed.Load(),
		TunnelsLost:              total.tunnelsLost.Load(),
		TunnelAuthFailures:       total.tunnelAuthFailures.Load(),
		SessionsCreated:          c.sessionsCreated.Load(),
		SessionsEstablished:      total.sessionsEstablished.Load(),
		SessionsUp:               total.sessionsUp.Load(),
		SessionsRefused:          c.sessionsRefused.Load(),
		SessionsFailed:           total.sessionsFailed.Load(),
		SessionEstablishTimeouts: total.setUpTimeouts.Load(),
		PppAuthSuccesses:         total.authSuccesses.Load(),
		PppAuthFailures:          total.authFailures.Load(),
		NoAddress:                total.noAddress.Load(),
		RxBadPackets:             c.badPackets.Load(),
		DataFramesToControl:      total.earlyFrames.Load(),
		KernelErrors:             total.kernelErrors.Load(),
		Faults:                   total.faults.Load(),
		EventsDropped:            e.events.Lost(),
	}
	var all messageTotals
	for _, s := range e.shards {
		st.RxDroppedPackets += s.mail.droppedPackets()
		m, err := ask(ctx, s, func() (messageTotals, error) { return s.messages(), nil })
		if err != nil {
			return nil, err
		}
		all.merge(m)
	}
	all.describe(st)
	return st, nil
}

func (m *messageTotals) merge(o messageTotals) {
	for i := range m.sent {
		m.sent[i] += o.sent[i]
		m.received[i] += o.received[i]
	}
	m.retransmits += o.retransmits
	m.duplicates += o.duplicates
	m.outOfOrder += o.outOfOrder
	m.zlbSent += o.zlbSent
	m.zlbReceived += o.zlbReceived
	m.malformed += o.malformed
}

func (m *messageTotals) describe(st *api.Statistics) {
	st.Retransmits = m.retransmits
	st.RxDuplicates = m.duplicates
	st.RxOutOfOrder = m.outOfOrder
	st.TxZlb, st.RxZlb = m.zlbSent, m.zlbReceived
	for i := range m.sent {
		if t := l2tp.MessageType(i); t.Known() {
			st.Messages = append(st.Messages,
				&api.MessageCount{Type: t.String(), Rx: m.received[i], Tx: m.sent[i]})
		}
	}
	st.Messages = append(st.Messages, &api.MessageCount{Type: "bad", RxBad: m.malformed})
}

// ResetStatistics sets the counters of the system to zero, as they are shown.
func (e *Engine) ResetStatistics(ctx context.Context) error {
	now, err := e.statistics(ctx)
	if err != nil {
		return err
	}
	e.reset.mu.Lock()
	defer e.reset.mu.Unlock()
	e.reset.base, e.reset.since = now, time.Now()
	return nil
}

// Statistics are the counters since the start, whatever was reset.
func (e *Engine) Statistics(ctx context.Context) (*api.Statistics, error) {
	return e.statistics(ctx)
}

// addStatistics adds the counters since they were set to zero.
func (e *Engine) addStatistics(ctx context.Context, st *api.SystemStatus) error {
	now, err := e.statistics(ctx)
	if err != nil {
		return err
	}
	e.reset.mu.Lock()
	defer e.reset.mu.Unlock()
	if st.StatisticsSince = stamp(e.reset.since); e.reset.base != nil {
		subtract(now.ProtoReflect(), e.reset.base.ProtoReflect())
	}
	st.Statistics = now
	return nil
}

// subtract takes the numbers of base from those of m.
func subtract(m, base protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch fd := fields.Get(i); {
		case fd.IsList():
			for at := range m.Get(fd).List().Len() {
				subtract(m.Get(fd).List().Get(at).Message(), base.Get(fd).List().Get(at).Message())
			}
		case fd.Kind() == protoreflect.Uint64Kind:
			m.Set(fd, protoreflect.ValueOfUint64(m.Get(fd).Uint()-base.Get(fd).Uint()))
		}
	}
}
