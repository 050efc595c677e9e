package kernel_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const benchTunnels = 8

// workerCounts are how many sessions are worked on at a time.
var workerCounts = []int{1, 16, 128, 512}

// BenchmarkSetUp makes whole sessions, address and all, with no protocol around
// them: session, channel, unit, connect, address, up. The tear-down is not timed.
func BenchmarkSetUp(b *testing.B) {
	benchmarkSessions(b, func(b *testing.B, setUp, tearDown func()) {
		setUp()
		b.StopTimer()
		tearDown()
	})
}

// BenchmarkTearDown closes whole sessions. The set-up is not timed.
func BenchmarkTearDown(b *testing.B) {
	benchmarkSessions(b, func(b *testing.B, setUp, tearDown func()) {
		b.StopTimer()
		setUp()
		b.StartTimer()
		tearDown()
	})
}

// benchmarkSessions makes b.N sessions: use -benchtime 200x or so.
func benchmarkSessions(b *testing.B, run func(b *testing.B, setUp, tearDown func())) {
	for _, workers := range workerCounts {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			h, peer := hosts(b)
			var tunnels []*tunnelEnd
			for n := range benchTunnels {
				t, _ := tunnel(b, h, peer, n, false)
				tunnels = append(tunnels, t)
			}
			made := make([]*sessionEnd, b.N)
			var steps stepTimes
			b.ResetTimer()
			run(b,
				func() {
					inNamespace(b, h, workers, b.N, func(i int) (err error) {
						made[i], err = steps.setUp(b, tunnels[i%benchTunnels], i)
						return err
					})
				},
				func() {
					inNamespace(b, h, workers, b.N, func(i int) error { return made[i].close() })
				})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
			steps.report(b)
		})
	}
}

// inNamespace has workers, each with a thread in the namespace, call f for all
// numbers below n.
func inNamespace(b *testing.B, h *host, workers, n int, f func(i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			err := h.ns.Do(func() error {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					if err := f(i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// stepTimes are the sums of how long the steps took.
type stepTimes struct{ session, unit atomic.Int64 }

func (s *stepTimes) setUp(b *testing.B, t *tunnelEnd, i int) (*sessionEnd, error) {
	begin := time.Now()
	e, err := t.session(b.Context(), 1+i)
	if err != nil {
		return nil, err
	}
	middle := time.Now()
	err = e.up(b.Context(), fmt.Sprintf("l%d", i), "10.0.0.1", fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250))
	s.session.Add(int64(middle.Sub(begin)))
	s.unit.Add(int64(time.Since(middle)))
	return e, err
}

func (s *stepTimes) report(b *testing.B) {
	b.ReportMetric(float64(s.session.Load())/1e6/float64(b.N), "ms/session+channel")
	b.ReportMetric(float64(s.unit.Load())/1e6/float64(b.N), "ms/unit+address")
}
