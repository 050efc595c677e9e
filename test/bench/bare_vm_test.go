package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"culvert/kernel"
	"culvert/test/lab"
)

// bareTunnels is how many tunnels sessions are in, everywhere.
const bareTunnels = 8

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
	ns      *lab.NetNS
	sockets []*kernel.Socket
}

// openBare makes the tunnels. What their peers would say does not matter.
func openBare(t testing.TB, ns *lab.NetNS) *bareHost {
	t.Helper()
	lab.RequireKernel(t)
	h := &bareHost{t: t, ns: ns}
	err := ns.Do(func() (err error) {
		if h.Kernel, err = kernel.Open(); err != nil {
			return err
		}
		for i := range bareTunnels {
			local, peer := netip.AddrPortFrom(lnsAddr, 1701+uint16(i)), netip.MustParseAddrPort("192.0.2.2:1701")
			s, err := kernel.DialUDP(local, peer, kernel.DialOptions{})
			if err != nil {
				return err
			}
			h.sockets = append(h.sockets, s)
			id := uint16(i + 1)
			if err := h.CreateTunnel(t.Context(), kernel.TunnelSpec{ID: id, PeerID: id}, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

func (h *bareHost) close() {
	for i, s := range h.sockets {
		if err := errors.Join(h.DeleteTunnel(context.Background(), uint16(i+1)), s.Close()); err != nil {
			h.t.Error(err)
		}
	}
	h.Close()
}

// setUp makes session n: session, channel, unit, connect, up, address, as culvertd does.
func (h *bareHost) setUp(ctx context.Context, n int) (s bareSession, err error) {
	begin := time.Now()
	tunnel, id := uint16(n%bareTunnels+1), uint16(n/bareTunnels+1)
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
	err = errors.Join(s.unit.SetMRU(1500), s.unit.Pass(kernel.IPv4, true),
		h.Apply(ctx, kernel.SetUp(s.unit.Index(), true), kernel.AddAddress(s.unit.Index(), inner, peer)))
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

// each has so many threads call f for all numbers below n, until the limit, and returns how
// many it was called for.
func (h *bareHost) each(wide, n int, limit time.Duration, f func(i int) error) int {
	h.t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	until := time.Now().Add(limit)
	for range min(wide, n) {
		all.Go(func() {
			err := h.ns.Do(func() error {
				for time.Now().Before(until) {
					i := int(next.Add(1)) - 1
					if i >= n {
						return nil
					}
					if err := f(i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				h.t.Error(err)
			}
		})
	}
	all.Wait()
	return min(int(next.Load()), n)
}

// measureBare measures the kernel's part alone.
func measureBare(t *testing.T, name string, sessions, wide int, limit time.Duration) SetUp {
	t.Helper()
	allowDescriptors(t)
	ns, _ := newHosts(t)
	h := openBare(t, ns)
	result := SetUp{Subject: name, Sessions: sessions, Wide: wide}
	before, busy := kernelBytes(t), busyTime(t)
	made := make([]bareSession, sessions)
	begin := time.Now()
	h.each(wide, sessions, limit, func(i int) (err error) {
		made[i], err = h.setUp(t.Context(), i)
		return err
	})
	took := time.Since(begin)
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
	result.Busy = ms(busyTime(t)-busy) / float64(n)
	result.Kernel = (kernelBytes(t) - before) / float64(n)
	result.Stopped = n < sessions
	begin = time.Now()
	h.each(wide, sessions, time.Hour, func(i int) error { return made[i].close() })
	result.TearDown = time.Since(begin).Seconds()
	return result
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
