package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"culvert/kernel"
	"culvert/test/lab"
)

const benchTunnels = 8

// workerCounts are how many sessions are worked on at a time.
var workerCounts = []int{1, 16, 64, 256, 512}

// addressings are what interfaces get besides being up.
var addressings = []string{"unnumbered", "numbered", "none"}

// BenchmarkSetUp makes whole sessions with no protocol around them: session, channel,
// unit, connect, up, and a route to the peer or an address. The tear-down is not
// timed. With 2,000 sessions and more it also tells the rate of the last 1,000.
func BenchmarkSetUp(b *testing.B) {
	for _, addressing := range addressings {
		b.Run(addressing, func(b *testing.B) {
			benchmarkSessions(b, addressing, func(b *testing.B, setUp, tearDown func()) {
				setUp()
				b.StopTimer()
				tearDown()
			})
		})
	}
}

// BenchmarkTearDown closes whole sessions. The set-up is not timed.
func BenchmarkTearDown(b *testing.B) {
	benchmarkSessions(b, "unnumbered", func(b *testing.B, setUp, tearDown func()) {
		b.StopTimer()
		setUp()
		b.StartTimer()
		tearDown()
	})
}

// BenchmarkSetUpBesideTearDown makes sessions while as many others are closed, and tells
// how long both took.
func BenchmarkSetUpBesideTearDown(b *testing.B) {
	for _, workers := range workerCounts {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			bed := newBenchBed(b, "unnumbered")
			bed.made = make([]*sessionEnd, 2*b.N)
			bed.each(b, workers, bed.setUp)
			closed := make(chan time.Duration)
			b.ResetTimer()
			go func() {
				bed.each(b, workers, bed.tearDown)
				closed <- b.Elapsed()
			}()
			bed.each(b, workers, func(b *testing.B, i int) error { return bed.setUp(b, b.N+i) })
			made := b.Elapsed()
			took := <-closed
			b.StopTimer()
			bed.each(b, workers, func(b *testing.B, i int) error { return bed.tearDown(b, b.N+i) })
			b.ReportMetric(float64(b.N)/made.Seconds(), "made/s")
			b.ReportMetric(float64(b.N)/took.Seconds(), "closed/s")
		})
	}
}

// benchmarkSessions makes b.N sessions: use -benchtime 1000x or so.
func benchmarkSessions(b *testing.B, addressing string, run func(b *testing.B, setUp, tearDown func())) {
	for _, workers := range workerCounts {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			bed := newBenchBed(b, addressing)
			bed.made = make([]*sessionEnd, b.N)
			b.ResetTimer()
			run(b,
				func() { bed.each(b, workers, bed.setUp) },
				func() { bed.each(b, workers, bed.tearDown) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
			bed.report(b)
		})
	}
}

// A benchBed is one end of tunnels in the process's own namespace, so that no
// goroutine is tied to a thread. Nobody is at the other end.
type benchBed struct {
	*host
	addressing string
	tunnels    []*tunnelEnd
	made       []*sessionEnd

	mu    sync.Mutex
	ended int
	last  []time.Duration // when each thousand was ready

	forSession, forUnit atomic.Int64 // sums of how long the steps took
}

// hostAddress is the address of this end of all sessions.
var hostAddress = netip.MustParseAddr("10.0.0.1")

func newBenchBed(b *testing.B, addressing string) *benchBed {
	b.Helper()
	lab.RequireKernel(b)
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		b.Fatalf("taking lo up: %v: %s", err, out)
	}
	k, err := kernel.Open()
	if err != nil {
		b.Fatal(err)
	}
	bed := &benchBed{host: &host{Kernel: k}, addressing: addressing}
	if err := k.Apply(b.Context(), kernel.AddHostAddress(hostAddress)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := k.Apply(context.Background(), kernel.DeleteHostAddress(hostAddress)); err != nil {
			b.Error(err)
		}
		k.Close()
	})
	for n := range benchTunnels {
		bed.tunnels = append(bed.tunnels, bed.openTunnel(b, n))
	}
	return bed
}

func (bed *benchBed) openTunnel(b *testing.B, n int) *tunnelEnd {
	b.Helper()
	e := &tunnelEnd{h: bed.host, id: uint16(n + 1), peer: uint16(n + 1)}
	port := uint16(20000 + n)
	sock, err := kernel.DialUDP(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port),
		netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), port), kernel.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	e.sock = sock
	if err := bed.CreateTunnel(b.Context(), kernel.TunnelSpec{ID: e.id, PeerID: e.peer}, sock); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.close(b) })
	return e
}

// each has workers call f for all numbers of sessions.
func (bed *benchBed) each(b *testing.B, workers int, f func(b *testing.B, i int) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, b.N) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				if err := f(b, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (bed *benchBed) setUp(b *testing.B, i int) (err error) {
	begin := time.Now()
	e, err := bed.tunnels[i%benchTunnels].session(b.Context(), 1+i/benchTunnels)
	if err != nil {
		return err
	}
	bed.made[i] = e
	middle := time.Now()
	if e.unit, err = bed.CreateUnit(b.Context(), fmt.Sprintf("l2tp%d", i), 1400); err != nil {
		return err
	}
	err = errors.Join(e.unit.Connect(e.channel), e.unit.SetMRU(1400),
		e.unit.Pass(kernel.IPv4, true), bed.Apply(b.Context(), bed.changes(e, i)...))
	bed.forSession.Add(int64(middle.Sub(begin)))
	bed.forUnit.Add(int64(time.Since(middle)))
	bed.note(b)
	return err
}

// changes are what makes the interface carry packets.
func (bed *benchBed) changes(e *sessionEnd, i int) []kernel.Change {
	index := e.unit.Index()
	changes := []kernel.Change{kernel.SetUp(index, true)}
	switch bed.addressing {
	case "unnumbered":
		changes = append(changes, kernel.AddRoute(hostRoute(index, i)))
	case "numbered":
		changes = append(changes, kernel.AddAddress(index, hostAddress, peerAddress(i)))
	}
	return changes
}

// note notes when another thousand sessions are ready.
func (bed *benchBed) note(b *testing.B) {
	bed.mu.Lock()
	defer bed.mu.Unlock()
	if bed.ended++; bed.ended%1000 == 0 {
		bed.last = append(bed.last, b.Elapsed())
	}
}

// tearDown closes a session as the data plane does.
func (bed *benchBed) tearDown(_ *testing.B, i int) error {
	e := bed.made[i]
	if e == nil || e.unit == nil {
		return nil // it could not be made
	}
	var undo []kernel.Change
	switch bed.addressing {
	case "unnumbered":
		undo = append(undo, kernel.DeleteRoute(hostRoute(e.unit.Index(), i)))
	case "numbered":
		undo = append(undo, kernel.DeleteAddress(e.unit.Index(), hostAddress, peerAddress(i)))
	}
	return errors.Join(bed.Apply(context.Background(), undo...), e.close())
}

func peerAddress(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 1 + byte(i>>16), byte(i >> 8), byte(i)})
}

func hostRoute(index, i int) kernel.Route {
	return kernel.Route{Prefix: netip.PrefixFrom(peerAddress(i), 32), Index: index, Source: hostAddress}
}

func (bed *benchBed) report(b *testing.B) {
	b.ReportMetric(float64(bed.forSession.Load())/1e6/float64(b.N), "ms/session+channel")
	b.ReportMetric(float64(bed.forUnit.Load())/1e6/float64(b.N), "ms/unit+address")
	if n := len(bed.last); n > 1 {
		b.ReportMetric(1000/(bed.last[n-1]-bed.last[n-2]).Seconds(), "last-sessions/s")
	}
}
