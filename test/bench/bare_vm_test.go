package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"culvert/kernel"
)

// tunnels is in how many tunnels sessions are, everywhere.
const tunnels = 8

// A bareSession is what the kernel has of one session of an LNS.
type bareSession struct {
	channel *kernel.Channel
	unit    *kernel.Unit
	took    time.Duration
}

// A bareHost makes the kernel's objects of an LNS with no protocol around them.
type bareHost struct {
	*kernel.Kernel

	t       testing.TB
	sockets []*kernel.Socket
}

// openBare makes the tunnels. What their peers would say does not matter.
func openBare(t testing.TB) *bareHost {
	t.Helper()
	k, err := kernel.Open()
	if err != nil {
		t.Fatal(err)
	}
	h := &bareHost{Kernel: k, t: t}
	t.Cleanup(h.close)
	if err := k.Apply(t.Context(), kernel.AddHostAddress(inner)); err != nil {
		t.Fatal(err)
	}
	for i := range tunnels {
		h.openTunnel(i)
	}
	return h
}

func (h *bareHost) openTunnel(i int) {
	h.t.Helper()
	local, peer := netip.AddrPortFrom(lnsAddr, 1701+uint16(i)), netip.MustParseAddrPort("192.0.2.2:1701")
	s, err := kernel.DialUDP(local, peer, kernel.DialOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.sockets = append(h.sockets, s)
	id := uint16(i + 1)
	if err := h.CreateTunnel(h.t.Context(), kernel.TunnelSpec{ID: id, PeerID: id}, s); err != nil {
		h.t.Fatal(err)
	}
}

func (h *bareHost) close() {
	for i, s := range h.sockets {
		if err := errors.Join(h.DeleteTunnel(context.Background(), uint16(i+1)), s.Close()); err != nil {
			h.t.Error(err)
		}
	}
	h.Close()
}

// setUp makes session n: session, channel, unit, connect, up, route, as culvertd does.
func (h *bareHost) setUp(ctx context.Context, n int) (s bareSession, err error) {
	begin := time.Now()
	tunnel, id := uint16(n%tunnels+1), uint16(n/tunnels+1)
	if err := h.CreateSession(ctx, kernel.SessionSpec{Tunnel: tunnel, Session: id, PeerSession: id}); err != nil {
		return s, err
	}
	s.channel, err = kernel.OpenChannel(kernel.ChannelSpec{
		Tunnel: tunnel, PeerTunnel: tunnel, Session: id, PeerSession: id,
		Peer: h.sockets[tunnel-1].Peer(),
	})
	if err != nil {
		return s, err
	}
	if s.unit, err = h.CreateUnit(ctx, fmt.Sprintf("l%d", n), 1500); err != nil {
		return s, err
	}
	if err := s.unit.Connect(s.channel); err != nil {
		return s, err
	}
	peer := netip.AddrFrom4([4]byte{10, 17, byte(n >> 8), byte(n)})
	route := kernel.Route{Prefix: netip.PrefixFrom(peer, 32), Index: s.unit.Index(), Source: inner}
	err = errors.Join(s.unit.SetMRU(1500), s.unit.Pass(kernel.IPv4, true),
		h.Apply(ctx, kernel.SetUp(s.unit.Index(), true), kernel.AddRoute(route)))
	s.took = time.Since(begin)
	return s, err
}

func (s bareSession) close() error {
	var errs []error
	if s.unit != nil {
		errs = append(errs, s.unit.Close())
	}
	if s.channel != nil {
		errs = append(errs, s.channel.Close())
	}
	return errors.Join(errs...)
}

// each has so many goroutines call f for all numbers below n, until the limit.
func (h *bareHost) each(wide, n int, limit time.Duration, f func(i int) error) {
	h.t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	until := time.Now().Add(limit)
	for range min(wide, n) {
		all.Go(func() {
			for time.Now().Before(until) {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					h.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// bareVariable makes TestBare measure: what is to be measured, as JSON.
const bareVariable = "CULVERT_TEST_BENCH_BARE"

// bareTask is what TestBare is asked for.
type bareTask struct {
	Name           string
	Sessions, Wide int
	Limit          time.Duration
	File           string // for the result
}

// measureBare measures the kernel's part alone, in a process of its own: so all of it
// is in the namespace, and no goroutine is tied to a thread, which would make it slower.
func measureBare(t *testing.T, name string, sessions, wide int, limit time.Duration) (result SetUp) {
	t.Helper()
	ns, _ := newHosts(t)
	task := bareTask{name, sessions, wide, limit, filepath.Join(t.TempDir(), "result.json")}
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	cmd := ns.Command(t.Context(), os.Args[0], "-test.run", "^TestBare$", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), bareVariable+"="+string(text))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(task.File)
	if err == nil {
		err = json.Unmarshal(b, &result)
	}
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestBare is the process of measureBare.
func TestBare(t *testing.T) {
	text := os.Getenv(bareVariable)
	if text == "" {
		t.Skipf("%s does not say what to measure (TestMeasure does)", bareVariable)
	}
	var task bareTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		t.Fatal(err)
	}
	allowDescriptors(t)
	result, err := json.Marshal(task.measure(t))
	if err == nil {
		err = os.WriteFile(task.File, result, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (task bareTask) measure(t *testing.T) SetUp {
	t.Helper()
	h := openBare(t)
	result := SetUp{Subject: task.Name, Sessions: task.Sessions, Wide: task.Wide}
	before, busy := settledKernelBytes(t), busyTime(t)
	made := make([]bareSession, task.Sessions)
	begin := time.Now()
	h.each(task.Wide, task.Sessions, task.Limit, func(i int) (err error) {
		made[i], err = h.setUp(t.Context(), i)
		return err
	})
	took := time.Since(begin)
	busy = busyTime(t) - busy
	var times []time.Duration
	for _, s := range made {
		if s.took > 0 {
			times = append(times, s.took)
		}
	}
	n := len(times)
	if n == 0 {
		t.Fatal("no session came up")
	}
	slices.Sort(times)
	result.CameUp, result.Seconds, result.Rate = n, took.Seconds(), float64(n)/took.Seconds()
	result.P50, result.P99 = ms(times[n/2]), ms(times[n*99/100])
	result.Busy = ms(busy) / float64(n)
	time.Sleep(settleTime)
	result.Kernel = (kernelBytes(t) - before) / float64(n)
	result.Stopped = n < task.Sessions
	begin = time.Now()
	h.each(task.Wide, task.Sessions, time.Hour, func(i int) error { return made[i].close() })
	result.TearDown = time.Since(begin).Seconds()
	return result
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
