package dataplane_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// recorder keeps what a handler is told. In a bubble synctest.Wait orders it.
type recorder struct {
	datagrams []dataplane.Datagram
	frames    []string
	times     []time.Time
	lost      []dataplane.SessionKey
}

func (r *recorder) DatagramReceived(d dataplane.Datagram) {
	r.datagrams = append(r.datagrams, d)
	r.times = append(r.times, time.Now())
}

func (r *recorder) FrameReceived(id dataplane.SessionKey, frame []byte) {
	r.frames = append(r.frames, id.String()+" "+string(frame))
}

func (r *recorder) SessionLost(id dataplane.SessionKey, cause error) { r.lost = append(r.lost, id) }

var (
	hostA = netip.MustParseAddr("10.0.0.1")
	hostB = netip.MustParseAddr("10.0.0.2")
	portA = netip.AddrPortFrom(hostA, 1701)
	portB = netip.AddrPortFrom(hostB, 1701)
)

// bubble runs f with two fakes, a at hostA and b at hostB.
func bubble(t *testing.T, f func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake,
	ra, rb *recorder)) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		ra, rb := new(recorder), new(recorder)
		a := dataplane.NewFake(w, ra, dataplane.FakeOptions{}, hostA)
		b := dataplane.NewFake(w, rb, dataplane.FakeOptions{}, hostB)
		defer a.Close()
		defer b.Close()
		f(t, w, a, b, ra, rb)
	})
}

func openTunnel(t testing.TB, f *dataplane.Fake, id l2tp.TunnelID,
	local, peer netip.AddrPort) dataplane.Tunnel {
	t.Helper()
	tun, err := f.OpenTunnel(t.Context(), dataplane.TunnelSpec{ID: id, Local: local, Peer: peer})
	if err != nil {
		t.Fatal(err)
	}
	return tun
}

func TestFakeText(t *testing.T) {
	bubble(t, func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake, ra, rb *recorder) {
		if _, err := a.Listen(netip.MustParseAddrPort("0.0.0.0:1701")); err != nil {
			t.Fatal(err)
		}
		tun := openTunnel(t, a, 5, portA, portB)
		tun.Attach(t.Context(), 7)
		s, err := tun.AddSession(t.Context(), dataplane.SessionSpec{
			Session: 3, PeerSession: 4, LNS: true, SendSequence: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Configure(t.Context(), dataplane.LinkSpec{
			Name: "l2tp5-3", MTU: 1450, MRU: 1460, DefaultRoute: true,
			IPv4: dataplane.PointToPoint{
				Local: netip.MustParseAddr("10.1.0.1"), Peer: netip.MustParseAddr("10.1.0.2"),
			},
			IPv6: dataplane.PointToPoint{
				Local: netip.MustParseAddr("fe80::1"), Peer: netip.MustParseAddr("fe80::2"),
			},
			Routes: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/24")},
		})
		if err != nil {
			t.Fatal(err)
		}
		const want = `fake 10.0.0.1
listen 0.0.0.0:1701
tunnel 5 10.0.0.1:1701 > 10.0.0.2:1701 peer 7
  session 3 peer 4 lns send-sequence
    link l2tp5-3 mtu 1450 mru 1460
      ipv4 10.1.0.1 > 10.1.0.2
      ipv6 fe80::1 > fe80::2
      route 192.168.0.0/24
      route default
`
		if got := a.String(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		if err := tun.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := a.String(), "fake 10.0.0.1\nlisten 0.0.0.0:1701\n"; got != want {
			t.Errorf("after close:\n%s", got)
		}
	})
}

func TestWireCut(t *testing.T) {
	bubble(t, func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake, ra, rb *recorder) {
		ta := openTunnel(t, a, 1, portA, portB)
		openTunnel(t, b, 2, portB, portA)
		send := func(want int) {
			t.Helper()
			ta.Send([]byte("\xc8\x02"))
			synctest.Wait()
			if got := len(rb.datagrams); got != want {
				t.Fatalf("%d datagrams, want %d", got, want)
			}
		}
		send(1)
		w.Cut(hostB)
		send(1)
		w.Mend(hostB)
		send(2)
	})
}

// TestWireImpair checks that the faults come, and the same ones with one seed.
func TestWireImpair(t *testing.T) {
	run := func(seed uint64) (out []byte) {
		bubble(t, func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake, ra, rb *recorder) {
			w.Impair(seed, dataplane.Conditions{
				Loss: 0.2, Duplicate: 0.1, Reorder: 0.2, Delay: time.Second,
			})
			start := time.Now()
			ta := openTunnel(t, a, 1, portA, portB)
			openTunnel(t, b, 2, portB, portA)
			for i := range byte(200) {
				ta.Send([]byte{0xc8, 2, i})
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			for i, d := range rb.datagrams {
				out = append(out, d.Data[2])
				if after := rb.times[i].Sub(start); after < time.Second {
					t.Errorf("datagram %d came after %v, want at least 1s", d.Data[2], after)
				}
			}
		})
		return out
	}
	first := run(1)
	if string(first) != string(run(1)) {
		t.Error("one seed, two outcomes")
	}
	if string(first) == string(run(2)) {
		t.Error("two seeds, one outcome")
	}
	seen, twice, overtaken := make(map[byte]int), 0, 0
	for i, b := range first {
		if seen[b]++; seen[b] == 2 {
			twice++
		}
		if i > 0 && b < first[i-1] {
			overtaken++
		}
	}
	lost := 200 - len(seen)
	if lost < 15 || lost > 60 || twice < 5 || overtaken < 10 {
		t.Errorf("of 200: %d lost, %d twice, %d overtaken", lost, twice, overtaken)
	}
}

func TestFakeHook(t *testing.T) {
	bubble(t, func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake, ra, rb *recorder) {
		cause := errors.New("no memory")
		a.SetHook(func(ctx context.Context, op dataplane.Op, id dataplane.SessionKey) error {
			time.Sleep(20 * time.Millisecond)
			if op == dataplane.OpAddSession && id.Session == 2 {
				return cause
			}
			return nil
		})
		start := time.Now()
		tun := openTunnel(t, a, 1, portA, portB)
		tun.Attach(t.Context(), 1)
		if _, err := tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 1}); err != nil {
			t.Error(err)
		}
		_, err := tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 2})
		if !errors.Is(err, cause) {
			t.Errorf("error is %v, want %v", err, cause)
		}
		if took := time.Since(start); took != 80*time.Millisecond {
			t.Errorf("four operations took %v", took)
		}
	})
}

func TestFakeRespond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		f := dataplane.NewFake(dataplane.NewWire(), r, dataplane.FakeOptions{
			Respond: func(id dataplane.SessionKey, frame []byte) []byte { return frame },
		}, hostA)
		defer f.Close()
		tun := openTunnel(t, f, 1, portA, portB)
		tun.Attach(t.Context(), 1)
		s, err := tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 9})
		if err != nil {
			t.Fatal(err)
		}
		s.Send([]byte("\xc0\x21echo"))
		synctest.Wait()
		if len(r.frames) != 1 || r.frames[0] != "1/9 \xc0\x21echo" {
			t.Errorf("frames %q", r.frames)
		}
	})
}

func TestFakeLose(t *testing.T) {
	bubble(t, func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake, ra, rb *recorder) {
		tun := openTunnel(t, a, 1, portA, portB)
		tun.Attach(t.Context(), 1)
		tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 9})
		a.Lose(dataplane.SessionKey{Tunnel: 1, Session: 9}, errors.New("deleted"))
		synctest.Wait()
		inv, _ := a.Inventory(t.Context())
		if len(ra.lost) != 1 || len(inv.Sessions) != 0 {
			t.Errorf("lost %v, still there %v", ra.lost, inv.Sessions)
		}
	})
}

// BenchmarkFakeSession reports what the fake itself costs a benchmark of an engine.
func BenchmarkFakeSession(b *testing.B) {
	f := dataplane.NewFake(dataplane.NewWire(), new(recorder), dataplane.FakeOptions{}, hostA)
	defer f.Close()
	const n = 50_000
	for b.Loop() {
		before := heap()
		tun := openTunnel(b, f, 1, portA, portB)
		tun.Attach(b.Context(), 1)
		for id := range n {
			s, err := tun.AddSession(b.Context(), dataplane.SessionSpec{Session: l2tp.SessionID(id + 1)})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Configure(b.Context(), dataplane.LinkSpec{Name: "x", MTU: 1400}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/n, "B/session")
		tun.Close(b.Context())
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
