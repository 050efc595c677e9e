package engine

import (
	"context"
	"errors"
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
	shortPackets, wrongVersion, noTunnel, noSession atomic.Uint64
	sendFailures, tooManyTunnels, tooManySessions   atomic.Uint64
	overRate, overSourceRate, putOff                atomic.Uint64
	unanswered, evicted, tooManyCalls, callsTooLate atomic.Uint64
	tunnelEnds, sessionEnds                         ends
	setUpTimes                                      histogram
}

// badPackets is how many packets were for nobody, whatever the reason.
func (t *totals) badPackets() uint64 {
	return t.shortPackets.Load() + t.wrongVersion.Load() + t.noTunnel.Load() + t.noSession.Load()
}

// countMalformed counts a packet that has no header of L2TPv2.
func (e *Engine) countMalformed(err error) {
	if p, ok := errors.AsType[*l2tp.ParseError](err); ok && p.Reason == l2tp.BadVersion {
		e.total.wrongVersion.Add(1)
		return
	}
	e.total.shortPackets.Add(1)
}

// A reset remembers the counters as they were when they were set to zero.
type reset struct {
	mu    sync.Mutex
	base  *api.Statistics
	since time.Time
}

// messageTotals are the numbers of control messages: by their types, with what was
// sent again, and those of control connections that are gone.
type messageTotals struct {
	types                               [len(l2tp.MessageCounts{})]typeTotals // 0: of no known type
	retransmits, duplicates, outOfOrder uint64
	zlbSent, zlbReceived                uint64
	malformed, beyondWindow             uint64
	ignoredMessages, ignoredAVPs        uint64
}

type typeTotals struct{ sent, received, bad uint64 }

// countSent counts a control message that left.
func (s *shard) countSent(b []byte) {
	if mt, ok := l2tp.PeekType(b); ok {
		s.past.types[mt].sent++
	}
}

// countReceived counts a control message that came, and whether something was wrong
// with it.
func (s *shard) countReceived(b []byte, bad bool) {
	mt, ok := l2tp.PeekType(b)
	if !ok {
		return
	}
	m := &s.past.types[mt]
	m.received++
	if bad {
		m.bad++
	}
}

func (m *messageTotals) add(s l2tp.Stats) {
	m.retransmits += uint64(s.Retransmits)
	m.duplicates += uint64(s.Duplicates)
	m.outOfOrder += uint64(s.OutOfOrder)
	m.zlbSent += uint64(s.ZLBSent)
	m.zlbReceived += uint64(s.ZLBReceived)
	m.malformed += uint64(s.Malformed)
	m.beyondWindow += uint64(s.BeyondWindow)
	m.ignoredMessages += uint64(s.IgnoredMessages)
	m.ignoredAVPs += uint64(s.IgnoredAVPs)
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

// enlist counts the tunnel, which one that is refused is not, until it stops.
func (t *tunnel) enlist() {
	t.shard.engine.count.tunnels.Add(1)
	t.shard.engine.count.tunnelsCreated.Add(1)
	if !t.unheard {
		t.tellCreated()
	}
	t.traceCounts()
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
	if end.Lost && (!t.byPeer || !t.establishedAt.IsZero()) {
		total.tunnelsLost.Add(1) // and not for each stranger who may never have been there
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
		RxBadPackets:             total.badPackets(),
		RxShortPackets:           total.shortPackets.Load(),
		RxWrongVersion:           total.wrongVersion.Load(),
		RxUnknownTunnel:          total.noTunnel.Load(),
		RxUnknownSession:         total.noSession.Load(),
		SendFailures:             total.sendFailures.Load(),
		TooManyTunnels:           total.tooManyTunnels.Load(),
		TooManySessions:          total.tooManySessions.Load(),
		TooManyCalls:             total.tooManyCalls.Load(),
		CallsTooLate:             total.callsTooLate.Load(),
		HalfOpenTunnelsEvicted:   total.evicted.Load(),

		TunnelRequestsOverRate:       total.overRate.Load(),
		TunnelRequestsOverSourceRate: total.overSourceRate.Load(),
		TunnelRequestsPutOff:         total.putOff.Load(),
		TunnelRequestsUnanswered:     total.unanswered.Load(),

		DataFramesToControl: total.earlyFrames.Load(),
		KernelErrors:        total.kernelErrors.Load(),
		Faults:              total.faults.Load(),
		EventsDropped:       e.events.Lost(),
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
	for i, t := range o.types {
		m.types[i].sent += t.sent
		m.types[i].received += t.received
		m.types[i].bad += t.bad
	}
	m.retransmits += o.retransmits
	m.duplicates += o.duplicates
	m.outOfOrder += o.outOfOrder
	m.zlbSent += o.zlbSent
	m.zlbReceived += o.zlbReceived
	m.malformed += o.malformed
	m.beyondWindow += o.beyondWindow
	m.ignoredMessages += o.ignoredMessages
	m.ignoredAVPs += o.ignoredAVPs
}

func (m *messageTotals) describe(st *api.Statistics) {
	st.Retransmits = m.retransmits
	st.RxDuplicates = m.duplicates
	st.RxOutOfOrder = m.outOfOrder
	st.TxZlb, st.RxZlb = m.zlbSent, m.zlbReceived
	st.RxMalformedMessages, st.RxBeyondWindow = m.malformed, m.beyondWindow
	st.RxIgnoredMessages, st.RxIgnoredAvps = m.ignoredMessages, m.ignoredAVPs
	for i, n := range m.types {
		if t := l2tp.MessageType(i); t.Known() {
			st.Messages = append(st.Messages, n.describe(t.String()))
		}
	}
	st.Messages = append(st.Messages, m.types[0].describe("bad"))
}

func (t *typeTotals) describe(name string) *api.MessageCount {
	return &api.MessageCount{Type: name, Tx: t.sent, Rx: t.received, RxBad: t.bad}
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

// subtract takes the numbers of base from those of m. Where they were set to zero after m
// was counted nothing is left.
func subtract(m, base protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch fd := fields.Get(i); {
		case fd.IsList():
			for at := range m.Get(fd).List().Len() {
				subtract(m.Get(fd).List().Get(at).Message(), base.Get(fd).List().Get(at).Message())
			}
		case fd.Kind() == protoreflect.Uint64Kind:
			n := m.Get(fd).Uint()
			m.Set(fd, protoreflect.ValueOfUint64(n-min(n, base.Get(fd).Uint())))
		}
	}
}
