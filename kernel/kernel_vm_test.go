package kernel_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"culvert/kernel"
	"culvert/test/lab"

	"golang.org/x/sys/unix"
)

func TestProbeFindsAll(t *testing.T) {
	lab.RequireKernel(t)
	for _, f := range kernel.Probe() {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

// TestTraffic pings through two sessions, one in a tunnel over IPv4 and one over
// IPv6, and compares the counters with what the ip command shows.
func TestTraffic(t *testing.T) {
	a, b := hosts(t)
	for n, v6 := range []bool{false, true} {
		ta, tb := tunnel(t, a, b, n, v6)
		name := fmt.Sprintf("lt%d", n)
		here, there := fmt.Sprintf("10.9.%d.1", n), fmt.Sprintf("10.9.%d.2", n)
		sa := sessionUp(t, ta, 7, name, here, there)
		sessionUp(t, tb, 7, name, there, here)
		a.ns.Ping(t, netip.MustParseAddr(there), 5)
		wantCounters(t, sa, name)
		// By then it would have invented one.
		if out := a.ns.Run("ip", "-6", "-o", "addr", "show", "dev", name); out != "" {
			t.Errorf("the kernel gave %s an address of its own: %s", name, out)
		}
	}
	ta, tb := tunnel(t, a, b, 2, false)
	sessionUp(t, ta, 8, "lt6", "fe80::a", "fe80::b")
	sessionUp(t, tb, 8, "lt6", "fe80::b", "fe80::a")
	a.ns.Ping(t, netip.MustParseAddr("fe80::b%lt6"), 3)
	out := a.ns.Run("ip", "-6", "-o", "addr", "show", "dev", "lt6")
	if want := "fe80::a peer fe80::b/128"; countLines(out) != 1 || !contains(out, want) {
		t.Errorf("addresses of lt6 are %q, want %s alone", out, want)
	}
}

// wantCounters compares ours with iproute2's.
func wantCounters(t *testing.T, s *sessionEnd, name string) {
	t.Helper()
	got, err := s.t.h.Stats(t.Context(), s.unit.Index())
	if err != nil {
		t.Fatal(err)
	}
	type counts struct{ Packets, Bytes uint64 }
	var shown []struct {
		Stats64 struct{ RX, TX counts }
	}
	out := s.t.h.ns.Run("ip", "-j", "-s", "link", "show", "dev", name)
	if err := json.Unmarshal([]byte(out), &shown); err != nil || len(shown) != 1 {
		t.Fatalf("reading %q: %v", out, err)
	}
	rx, tx := shown[0].Stats64.RX, shown[0].Stats64.TX
	if got.RxPackets != rx.Packets || got.RxBytes != rx.Bytes ||
		got.TxPackets != tx.Packets || got.TxBytes != tx.Bytes || got.RxPackets < 5 {
		t.Errorf("counters of %s are %+v, ip shows received %+v, sent %+v", name, got, rx, tx)
	}
	info, err := s.t.h.Session(t.Context(), s.t.id, s.id)
	if err != nil || info.Stats.RxPackets < 5 {
		t.Errorf("l2tp session is %+v, %v", info, err)
	}
}

// TestFrames sends frames each way, before the unit is there and after.
func TestFrames(t *testing.T) {
	a, b := hosts(t)
	ta, tb := tunnel(t, a, b, 0, false)
	var sa, sb *sessionEnd
	err := errors.Join(
		a.ns.Do(func() (err error) { sa, err = ta.session(t.Context(), 1); return err }),
		b.ns.Do(func() (err error) { sb, err = tb.session(t.Context(), 1); return err }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(sa.close(), sb.close()); err != nil {
			t.Error(err)
		}
	}()
	const lcp, ipcp = "\xc0\x21\x01\x01\x00\x04", "\x80\x21\x01\x01\x00\x04"
	if err := errors.Join(sa.channel.Write([]byte(lcp)), sa.channel.Write([]byte(ipcp))); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, sb.channel, lcp, ipcp)
	err = b.ns.Do(func() error { return sb.up(t.Context(), "l0", "10.0.0.1", "10.0.0.2") })
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sa.channel.Write([]byte(lcp)), sa.channel.Write([]byte(ipcp))); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, sb.channel, lcp)
	wantFrames(t, sb.unit, ipcp)
	if err := errors.Join(sb.channel.Write([]byte(lcp)), sb.unit.Write([]byte(ipcp))); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, sa.channel, lcp, ipcp)
}

type frameReader interface {
	FD() int
	ReadFrames([]byte, int, func([]byte)) error
}

// wantFrames waits until the frames have come, by a poller.
func wantFrames(t *testing.T, r frameReader, want ...string) {
	t.Helper()
	p, err := kernel.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got := make(chan string, 10)
	err = p.Add(r.FD(), func() {
		r.ReadFrames(make([]byte, 2000), 10, func(b []byte) { got <- string(b) })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		select {
		case f := <-got:
			if f != w {
				t.Errorf("read % x, want % x", f, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no frame, want % x", w)
		}
	}
}

func TestErrors(t *testing.T) {
	a, b := hosts(t)
	ta, _ := tunnel(t, a, b, 0, false)
	ctx := t.Context()
	s := sessionUp(t, ta, 1, "l1", "10.0.0.1", "10.0.0.2")
	want := func(what string, err, cause error) {
		t.Helper()
		if !errors.Is(err, cause) {
			t.Errorf("%s: %v, want %v", what, err, cause)
		}
	}
	again := kernel.SessionSpec{Tunnel: ta.id, Session: 1, PeerSession: 1}
	want("same session", a.CreateSession(ctx, again), fs.ErrExist)
	again.Tunnel = 999
	want("session of no tunnel", a.CreateSession(ctx, again), fs.ErrNotExist)
	want("modify no session", a.ModifySession(ctx, again), fs.ErrNotExist)
	same := kernel.TunnelSpec{ID: ta.id, PeerID: 1}
	want("same tunnel", a.CreateTunnel(ctx, same, ta.sock), fs.ErrExist)
	_, err := a.CreateUnit(ctx, "l1", 1400)
	want("same interface", err, fs.ErrExist)
	_, err = a.Session(ctx, ta.id, 99)
	want("get no session", err, fs.ErrNotExist)
	_, err = a.Tunnel(ctx, 99)
	want("get no tunnel", err, fs.ErrNotExist)
	_, err = a.Stats(ctx, 9999)
	want("counters of no interface", err, fs.ErrNotExist)
	_, err = a.Index("nosuch")
	want("index of no interface", err, fs.ErrNotExist)
	want("MTU", a.Apply(ctx, kernel.SetMTU(s.unit.Index(), -1)), unix.EINVAL)
	if err := errors.Join(a.DeleteSession(ctx, ta.id, 99), a.DeleteTunnel(ctx, 999),
		a.Apply(ctx, kernel.DeleteLink(9999),
			kernel.DeleteAddress(s.unit.Index(), netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.1.2")),
			kernel.DeleteRoute(kernel.Route{Prefix: netip.MustParsePrefix("10.7.0.0/16"), Index: 1}))); err != nil {
		t.Errorf("deleting what is gone: %v", err)
	}
}

// TestModify turns sequence numbers on and reads it back.
func TestModify(t *testing.T) {
	a, b := hosts(t)
	ta, _ := tunnel(t, a, b, 0, false)
	sessionUp(t, ta, 1, "l1", "10.0.0.1", "10.0.0.2")
	spec := kernel.SessionSpec{
		Tunnel: ta.id, Session: 1, LNS: true, SendSequence: true, RequireSequence: true,
		ReorderTimeout: 200 * time.Millisecond,
	}
	if err := a.ModifySession(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	got, err := a.Session(t.Context(), ta.id, 1)
	if err != nil || !got.LNS || !got.SendSequence || !got.RequireSequence ||
		got.ReorderTimeout != spec.ReorderTimeout || got.Pseudowire != kernel.PseudowirePPP {
		t.Errorf("the kernel has %+v, %v, want %+v", got, err, spec)
	}
}

// TestRoutes adds a route ahead of another one, which is back when ours goes.
func TestRoutes(t *testing.T) {
	a, b := hosts(t)
	ta, _ := tunnel(t, a, b, 0, false)
	s := sessionUp(t, ta, 1, "l1", "10.0.0.1", "10.0.0.2")
	a.ns.Run("ip", "route", "add", "default", "via", "192.0.2.2")
	defer a.ns.Run("ip", "route", "del", "default")
	far := netip.MustParseAddr("198.51.100.1")
	goesBy := func(want netip.Addr, index int) {
		t.Helper()
		r, err := a.RouteTo(t.Context(), far)
		if err != nil || r.Gateway != want || index != 0 && r.Index != index {
			t.Errorf("the route to %v is %+v, %v, want gateway %v", far, r, err, want)
		}
	}
	goesBy(b.v4, 0)
	ours := kernel.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Index: s.unit.Index()}
	for range 2 { // the second time it is there
		if err := a.Apply(t.Context(), kernel.AddRoute(ours)); err != nil {
			t.Fatal(err)
		}
	}
	goesBy(netip.Addr{}, s.unit.Index())
	if err := a.Apply(t.Context(), kernel.DeleteRoute(ours)); err != nil {
		t.Fatal(err)
	}
	goesBy(b.v4, 0)
	if r, err := a.RouteTo(t.Context(), a.v4); err != nil || !r.Local {
		t.Errorf("the route to ourselves is %+v, %v, want local", r, err)
	}
}

func TestWatch(t *testing.T) {
	a, b := hosts(t)
	ta, _ := tunnel(t, a, b, 0, false)
	got := make(chan kernel.Deletion, 10)
	var w *kernel.Watch
	err := a.ns.Do(func() (err error) {
		w, err = a.WatchDeletions(func(d kernel.Deletion) { got <- d })
		if err != nil {
			return err
		}
		return a.CreateSession(t.Context(), kernel.SessionSpec{Tunnel: ta.id, Session: 5, PeerSession: 5})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(a.DeleteSession(t.Context(), ta.id, 5), a.DeleteTunnel(t.Context(), ta.id))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []kernel.Deletion{{uint32(ta.id), 5}, {uint32(ta.id), 0}} {
		if d := <-got; d != want {
			t.Errorf("deletion %+v, want %+v", d, want)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestHangUp removes interface and session behind the descriptors' back.
func TestHangUp(t *testing.T) {
	a, b := hosts(t)
	ta, _ := tunnel(t, a, b, 0, false)
	s := sessionUp(t, ta, 1, "l1", "10.0.0.1", "10.0.0.2")
	p, err := kernel.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	lost := make(chan error, 1)
	fd := s.unit.FD()
	err = p.Add(fd, func() {
		p.Mute(fd)
		lost <- s.unit.ReadFrames(make([]byte, 2000), 1, func([]byte) {})
	})
	if err != nil {
		t.Fatal(err)
	}
	a.ns.Run("ip", "link", "del", "l1")
	select {
	case err := <-lost:
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("reading from a unit that is gone: %v, want does not exist", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("no hang-up of the unit")
	}
}

// TestParallel makes 200 sessions at once in two tunnels, and looks for what is left.
func TestParallel(t *testing.T) {
	a, b := hosts(t)
	var tunnels []*tunnelEnd
	for n := range 2 {
		ta, _ := tunnel(t, a, b, n, n == 1)
		tunnels = append(tunnels, ta)
	}
	sockets, ppp := lab.KernelFiles(t, os.Getpid())
	const sessions = 200
	var wg sync.WaitGroup
	made := make([]*sessionEnd, sessions)
	for i := range sessions {
		wg.Go(func() {
			err := a.ns.Do(func() (err error) {
				if made[i], err = tunnels[i%2].session(t.Context(), 1+i); err != nil {
					return err
				}
				return made[i].up(t.Context(), fmt.Sprintf("l%d", i), "10.0.0.1", fmt.Sprintf("10.0.1.%d", i))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	inv, err := a.Inventory(t.Context())
	if err != nil || len(inv.Sessions) != sessions || len(inv.Links) != sessions || len(inv.Tunnels) != 2 {
		t.Errorf("%d tunnels, %d sessions, %d interfaces, %v; want 2, %d, %d",
			len(inv.Tunnels), len(inv.Sessions), len(inv.Links), err, sessions, sessions)
	}
	for _, s := range made {
		wg.Go(func() {
			if err := s.close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if inv, err := a.Inventory(t.Context()); err != nil || len(inv.Sessions)+len(inv.Links) > 0 {
		t.Errorf("when Close has returned there are still %+v, %v", inv, err)
	}
	if s, p := lab.KernelFiles(t, os.Getpid()); s != sockets || p != ppp {
		t.Errorf("%d sockets and %d of /dev/ppp are open, %d and %d before", s, p, sockets, ppp)
	}
}

// TestSocketCloseEndsTunnel has the kernel clean up after a process that dies.
func TestSocketCloseEndsTunnel(t *testing.T) {
	a, b := hosts(t)
	ta, _ := tunnel(t, a, b, 0, false)
	ta.sock.Close()
	lab.Wait(t, 10*time.Second, "the tunnel to go with its socket", func() error {
		if _, err := a.Tunnel(t.Context(), ta.id); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("tunnel: %v", err)
		}
		return nil
	})
}
