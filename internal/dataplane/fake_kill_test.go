package dataplane_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// A stage is a host that is killed and comes back, in a bubble, and its peer.
type stage struct {
	w    *dataplane.Wire
	a, b *dataplane.Fake
	ra   *recorder
	tb   dataplane.Tunnel
}

func play(t *testing.T, f func(t *testing.T, s *stage)) {
	bubble(t, func(t *testing.T, w *dataplane.Wire, a, b *dataplane.Fake, ra, rb *recorder) {
		s := &stage{w: w, a: a, b: b, ra: ra, tb: openTunnel(t, b, 2, portB, portA)}
		defer func() { s.a.Close() }()
		f(t, s)
	})
}

// revive begins a fake in place of the one that was killed, with another handler.
func (s *stage) revive(left *dataplane.FakeRemains) {
	s.ra = new(recorder)
	s.a = dataplane.NewFake(s.w, s.ra, dataplane.FakeOptions{Remains: left}, hostA)
}

var specA = dataplane.TunnelSpec{ID: 1, Local: portA, Peer: portB}

// TestFakeKill wants a killed fake to be silent and without effect, and the next one to
// have what it had.
func TestFakeKill(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		tun := openTunnel(t, s.a, 1, portA, portB)
		tun.Attach(t.Context(), 2)
		session, err := tun.AddSession(t.Context(), dataplane.SessionSpec{Session: 3, PeerSession: 4})
		if err != nil {
			t.Fatal(err)
		}
		before := s.a.String()
		dead, rdead := s.a, s.ra
		left := s.a.Kill()
		if dead.Kill() != left || dead.Remains() != left {
			t.Error("killing again leaves other remains")
		}
		ctx := t.Context()
		_, opened := dead.OpenTunnel(ctx, dataplane.TunnelSpec{ID: 9, Peer: portB})
		_, listened := dead.Listen(portA)
		_, counted := session.Counters(ctx)
		for what, err := range map[string]error{
			"opening a tunnel": opened, "listening": listened, "reading counters": counted,
			"sending": tun.Send([]byte("\xc8\x02")), "sending a frame": session.Send([]byte("\xc0\x21")),
			"configuring": session.Configure(ctx, dataplane.LinkSpec{Name: "x", MTU: 1400}),
			"detaching":   tun.Detach(ctx), "closing a session": session.Close(ctx), "closing a tunnel": tun.Close(ctx),
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s after Kill: %v, want fs.ErrClosed", what, err)
			}
		}
		if err := dead.Close(); err != nil {
			t.Error(err)
		}
		s.tb.Send([]byte("\xc8\x02meanwhile"))
		synctest.Wait()
		if len(rdead.datagrams) != 0 {
			t.Error("the handler of a killed fake is called")
		}
		s.revive(left)
		if _, err := s.a.AdoptTunnel(ctx, specA, 2); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(s.ra.datagrams) != 1 {
			t.Errorf("%d datagrams, want the one that came meanwhile", len(s.ra.datagrams))
		}
		if got, want := s.a.String(), before[:len(before)-1]+" kept\n"; got != want {
			t.Errorf("the next fake has\n%swant\n%s", got, want)
		}
	})
}

// TestFakeKillOrder sends datagrams before, in and after the time without a fake, some of
// which are on their way for long.
func TestFakeKillOrder(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		openTunnel(t, s.a, 1, portA, portB)
		s.a.SetHook(nil)
		n := 0
		burst := func() {
			for range 5 {
				s.tb.Send([]byte{0xc8, 2, byte(n)})
				n++
			}
		}
		burst()
		left := s.a.Kill()
		read := len(s.ra.datagrams)
		burst()
		s.revive(left)
		burst()
		synctest.Wait()
		if len(s.ra.datagrams) != 0 {
			t.Error("datagrams come before the tunnel is adopted")
		}
		burst()
		if _, err := s.a.AdoptTunnel(t.Context(), specA, 0); err != nil {
			t.Fatal(err)
		}
		burst()
		synctest.Wait()
		if len(s.ra.datagrams) != n-read {
			t.Fatalf("%d datagrams, want %d", len(s.ra.datagrams), n-read)
		}
		for i, d := range s.ra.datagrams {
			if int(d.Data[2]) != read+i {
				t.Fatalf("datagram %d is number %d", read+i, d.Data[2])
			}
		}
	})
}

// TestFakeKillHook kills in the middle of an operation: it has no effect.
func TestFakeKillHook(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		tun := openTunnel(t, s.a, 1, portA, portB)
		s.a.SetHook(func(ctx context.Context, op dataplane.Op, id dataplane.SessionKey) error {
			if op == dataplane.OpAttach {
				s.a.Kill()
			}
			return nil
		})
		if err := tun.Attach(t.Context(), 2); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("attaching: %v, want fs.ErrClosed", err)
		}
		s.revive(s.a.Remains())
		if got, want := s.a.String(), "fake 10.0.0.1\ntunnel 1 10.0.0.1:1701 > 10.0.0.2:1701 kept\n"; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// TestFakeLoseRemains ends what keeps the remains too.
func TestFakeLoseRemains(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		openTunnel(t, s.a, 1, portA, portB)
		left := s.a.Kill()
		s.tb.Send([]byte("\xc8\x02"))
		left.Lose()
		s.tb.Send([]byte("\xc8\x02"))
		s.revive(left)
		_, err := s.a.AdoptTunnel(t.Context(), specA, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("adopting: %v, want fs.ErrNotExist", err)
		}
		openTunnel(t, s.a, 1, portA, portB)
		synctest.Wait()
		if len(s.ra.datagrams) != 0 || s.a.Unknown() != 0 {
			t.Errorf("%d datagrams and %d unknown, want none", len(s.ra.datagrams), s.a.Unknown())
		}
	})
}

// TestFakeKillMany adopts as many sessions as an engine is measured with, some of which
// have frames waiting.
func TestFakeKillMany(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		const n = 10_000
		tun := openTunnel(t, s.a, 1, portA, portB)
		tun.Attach(t.Context(), 2)
		s.tb.Attach(t.Context(), 1)
		spec := func(i int) dataplane.SessionSpec {
			return dataplane.SessionSpec{Session: l2tp.SessionID(i + 1), PeerSession: l2tp.SessionID(i + 1)}
		}
		var far []dataplane.Session
		for i := range n {
			if _, err := tun.AddSession(t.Context(), spec(i)); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				session, err := s.tb.AddSession(t.Context(), spec(i))
				if err != nil {
					t.Fatal(err)
				}
				far = append(far, session)
			}
		}
		s.revive(s.a.Kill())
		for i, session := range far {
			session.Send(fmt.Append([]byte("\xc0\x21"), i))
		}
		synctest.Wait()
		adopted, err := s.a.AdoptTunnel(t.Context(), specA, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.ra.frames) != 0 {
			t.Error("frames come before their sessions are adopted")
		}
		for i := range n {
			if _, err := adopted.AdoptSession(t.Context(), spec(i), dataplane.Configured{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(s.ra.frames) != n/100 {
			t.Errorf("%d frames, want %d", len(s.ra.frames), n/100)
		}
		if keys, err := s.a.DropRest(t.Context()); err != nil || len(keys) != 0 {
			t.Errorf("dropped %d, %v, want none", len(keys), err)
		}
	})
}
