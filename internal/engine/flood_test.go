package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// A script is a LAC whose core the test runs itself, to do what ours would not.
type script struct {
	t    *testing.T
	wire *dataplane.Wire
	core *l2tp.Tunnel
	in   chan []byte
	from netip.AddrPort
	down map[l2tp.SessionID]l2tp.Result
}

func newScript(t *testing.T, w *dataplane.Wire, cfg *l2tp.Config) *script {
	return newScriptFrom(t, w, cfg, lacAddr.String()+":1701")
}

func newScriptFrom(t *testing.T, w *dataplane.Wire, cfg *l2tp.Config, from string) *script {
	s := &script{
		t: t, wire: w, core: l2tp.Initiate(cfg, 4711), in: make(chan []byte, 100000),
		from: netip.MustParseAddrPort(from), down: make(map[l2tp.SessionID]l2tp.Result),
	}
	w.Peer(s.from.Addr(), func(_, _ netip.AddrPort, b []byte) { s.in <- b })
	s.step(l2tp.Open{})
	s.settle(time.Second)
	return s
}

func (s *script) step(ev l2tp.Event) {
	for _, a := range s.core.Step(time.Now(), ev) {
		switch a := a.(type) {
		case l2tp.Send:
			s.wire.Send(s.from, netip.AddrPortFrom(lnsAddr, 1701), a.Data)
		case l2tp.SessionDown:
			s.down[a.Session] = a.End.Result
		}
	}
}

// settle handles what comes in a time.
func (s *script) settle(d time.Duration) {
	const turn = 50 * time.Millisecond
	for end := time.Now().Add(d); time.Now().Before(end); {
		pass(turn)
		for len(s.in) > 0 {
			if b := <-s.in; b[0]&0x80 != 0 {
				s.step(l2tp.MessageReceived{Data: b})
			}
		}
		s.step(l2tp.Tick{})
	}
}

// call asks for a call and returns its identifier.
func (s *script) call() l2tp.SessionID {
	id, ok := s.core.NewSessionID()
	if !ok {
		s.t.Fatal("no free Session ID")
	}
	s.step(l2tp.PlaceCall{Session: id, Kind: l2tp.LACIncoming})
	return id
}

// inScript runs f with one host and a scripted LAC with an established tunnel.
func inScript(t *testing.T, text string, f func(lns *host, s *script)) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		lns := newHost(t, w, lnsAddr, text)
		defer lns.stop()
		s := newScript(t, w, &l2tp.Config{HostName: "script", SendWindow: 1000})
		if n := lns.count.tunnelsEstablished.Load(); n != 1 {
			t.Fatalf("%d tunnels are established, want 1", n)
		}
		f(lns, s)
		s.step(l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopGeneral}})
		s.settle(time.Second)
	})
}

const openLNS = "tunnel profile modify profile_name=default rx_window_size=1000\n" +
	"ppp profile modify profile_name=default local_ipaddr=10.9.0.1 remote_ipaddr=10.9.0.2 auth_none=yes\n"

// TestChurnIsBounded: a peer that asks for calls and drops them while the
// kernel is slow cannot queue more work than its share of the credit, which is half.
func TestChurnIsBounded(t *testing.T) {
	inScript(t, openLNS, func(lns *host, s *script) {
		lns.credit = 20
		stuck := make(chan struct{})
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				<-stuck
			}
			return nil
		})
		for range 100 {
			id := s.call()
			s.settle(300 * time.Millisecond)
			s.step(l2tp.HangUp{Session: id, Result: l2tp.Result{Code: l2tp.CDNAdministrative}})
			s.settle(300 * time.Millisecond)
		}
		if n := lns.count.sessions.Load(); n != 10 {
			t.Errorf("%d sessions wait for the kernel, want 10", n)
		}
		close(stuck)
		pass(time.Second)
		if n := lns.count.sessions.Load(); n != 0 {
			t.Errorf("%d sessions are left, want 0", n)
		}
		s.settle(time.Second)
	})
}

// TestBusyIdentifiersAreNotGivenOut: new calls get through while the kernel is
// busy taking away many old ones.
func TestBusyIdentifiersAreNotGivenOut(t *testing.T) {
	inScript(t, openLNS, func(lns *host, s *script) {
		const many = 1500
		ids := make([]l2tp.SessionID, many)
		for i := range ids {
			ids[i] = s.call()
		}
		s.settle(5 * time.Second)
		if n := lns.count.sessions.Load(); n != many {
			t.Fatalf("%d sessions, want %d", n, many)
		}
		stuck := make(chan struct{})
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpCloseSession {
				<-stuck
			}
			return nil
		})
		for _, id := range ids {
			s.step(l2tp.HangUp{Session: id, Result: l2tp.Result{Code: l2tp.CDNAdministrative}})
		}
		s.settle(5 * time.Second)
		clear(s.down)
		for range 500 {
			s.call()
		}
		s.settle(5 * time.Second)
		for id, r := range s.down {
			t.Errorf("call %d was refused: %+v", id, r)
		}
		close(stuck)
		pass(time.Second)
		s.settle(time.Second)
	})
}

// sccrq is a first message from a host name, with a Tunnel ID.
func sccrq(id uint16) []byte {
	core := l2tp.Initiate(&l2tp.Config{HostName: "flood"}, l2tp.TunnelID(id))
	for _, a := range core.Step(time.Now(), l2tp.Open{}) {
		if send, ok := a.(l2tp.Send); ok {
			return send.Data
		}
	}
	return nil
}

// TestFloodOfSCCRQs: those who never go on are bounded and forgotten.
func TestFloodOfSCCRQs(t *testing.T) {
	for _, mode := range []string{"none", "simple"} {
		t.Run("auth_mode="+mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := dataplane.NewWire()
				lns := newHost(t, w, lnsAddr, "tunnel profile modify profile_name=default auth_mode="+mode+"\n"+
					"system modify tunnel_requests_per_second=0 tunnel_requests_per_source=0\n")
				defer lns.stop()
				for i := range 12000 {
					src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 1701)
					w.Send(src, netip.AddrPortFrom(lnsAddr, 1701), sccrq(uint16(i%60000+1)))
					if i%1000 == 0 {
						synctest.Wait()
					}
				}
				synctest.Wait()
				if mode == "simple" {
					lns.wantRefused()
				}
				limit := int64(lns.store.Snapshot().System().MaxHalfOpenTunnels)
				if n := lns.count.tunnels.Load(); n > limit {
					t.Errorf("%d tunnels, want at most %d", n, limit)
				}
				pass(5 * time.Minute)
				lns.wantClean()
			})
		})
	}
}

// wantRefused checks that refusals are bounded, and that those beyond get no answer.
func (h *host) wantRefused() {
	h.t.Helper()
	for _, s := range h.shards {
		n, err := ask(context.Background(), s, func() (int, error) { return s.refused, nil })
		if err != nil || n != maxRefused {
			h.t.Errorf("%d refused tunnels linger, want %d: %v", n, maxRefused, err)
		}
	}
	if st := h.statistics(); st.TunnelRequestsUnanswered != 12000-uint64(maxRefused*len(h.shards)) {
		h.t.Errorf("%d SCCRQs got no answer, want the rest of 12000", st.TunnelRequestsUnanswered)
	}
}

// TestGarbageFrames: a session whose peer sends nonsense goes on or ends, and
// what waits for a link is bounded.
func TestGarbageFrames(t *testing.T) {
	inScript(t, openLNS, func(lns *host, s *script) {
		stuck := make(chan struct{})
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				<-stuck
			}
			return nil
		})
		s.call()
		s.settle(time.Second)
		for _, more := range []int{60000, 0} {
			lns.onShard(func(tun *tunnel) {
				for id := range tun.sessions {
					b := []byte{0, 2, 0, 0, 0, 0, 0xff, 3, 0xc0, 0x21, 1}
					binary.BigEndian.PutUint16(b[2:], uint16(tun.core.ID()))
					binary.BigEndian.PutUint16(b[4:], uint16(id))
					for range 1000 {
						s.wire.Send(s.from, atLNS, append(b, make([]byte, more)...))
					}
				}
			})
			synctest.Wait()
		}
		lns.onShard(func(tun *tunnel) {
			for _, sess := range tun.sessions {
				if n := len(sess.early); n != maxEarly {
					t.Errorf("%d frames wait, want %d", n, maxEarly)
				}
				for _, frame := range sess.early {
					if len(frame) > maxEarlyLength {
						t.Errorf("one that waits has %d bytes, want at most %d", len(frame), maxEarlyLength)
					}
				}
			}
		})
		close(stuck)
		pass(time.Second)
		s.settle(time.Second)
	})
}

// TestPortsOfAPeer: of what a peer sends from port after port, before it has answered, nothing
// is kept.
func TestPortsOfAPeer(t *testing.T) {
	inBubble(t, "", "", func(w *dataplane.Wire, _, lac *host) {
		var id uint16 // of the LAC's tunnel
		w.Peer(lateAddr, func(_, _ netip.AddrPort, b []byte) {
			if m, err := l2tp.PeekSCCRQ(b); err == nil {
				id = uint16(m.AssignedTunnelID)
			}
		})
		stuck := make(chan struct{})
		lac.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpReconnect {
				<-stuck
			}
			return nil
		})
		lac.declare("tunnel create tunnel_name=out dest_ipaddr=" + lateAddr.String() + "\n")
		pass(100 * time.Millisecond)
		for port := range uint16(1000) {
			w.Send(netip.AddrPortFrom(lateAddr, 2000+port), netip.AddrPortFrom(lacAddr, UsualPort), header(id))
		}
		synctest.Wait()
		lac.onShard(func(t *tunnel) {
			if n := len(t.jobs.queue); n > 0 || !t.jobs.pending() {
				lac.t.Errorf("%d jobs wait for the one that runs, want none for one", n)
			}
		})
		close(stuck)
	})
}

// TestStartFails: a packet that comes while the engine fails to start does not
// hold it up.
func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		_, err := New(Options{
			Store: config.NewStore("host"),
			Open: func(h dataplane.Handler) (dataplane.Dataplane, error) {
				return &lateFailure{dataplane.NewFake(w, h, dataplane.FakeOptions{}, lnsAddr), w}, nil
			},
			Listen: []netip.AddrPort{netip.AddrPortFrom(lnsAddr, 1701), netip.AddrPortFrom(lnsAddr, 1702)},
		})
		if err == nil {
			t.Fatal("New succeeded")
		}
	})
}

// A lateFailure cannot listen twice, and a packet comes in between.
type lateFailure struct {
	*dataplane.Fake
	wire *dataplane.Wire
}

func (l *lateFailure) Listen(addr netip.AddrPort) (dataplane.Listener, error) {
	if addr.Port() != 1701 {
		l.wire.Send(netip.AddrPortFrom(lacAddr, 1701), netip.AddrPortFrom(lnsAddr, 1701), sccrq(1))
		synctest.Wait()
		return nil, errors.New("port in use")
	}
	return l.Fake.Listen(addr)
}

// TestManyCallsOfOurs: to have many sessions costs no more than that many times
// one, also when they all end at once.
func TestManyCallsOfOurs(t *testing.T) {
	const many = 3000
	inBubble(t, openLNS, "", func(_ *dataplane.Wire, lns, lac *host) {
		lac.credit, lns.credit = many, many
		lac.declare("tunnel create tunnel_name=office dest_ipaddr=192.0.2.1 persist=yes\n")
		for i := range many {
			if _, err := lac.CreateSession(context.Background(), &api.Session{
				TunnelName: new("office"), SessionName: new(fmt.Sprint("s", i))}); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		if n := lac.count.sessionsEstablished.Load(); n != many {
			t.Fatalf("%d sessions are established, want %d", n, many)
		}
		lac.listAll(many)
		if _, err := lns.DeleteTunnel(context.Background(), &api.Tunnel{
			TunnelId: lns.sessions()[0].TunnelId}, ""); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		lac.listAll(many)
		pass(time.Minute)
		if n := lac.count.sessionsEstablished.Load(); n != many {
			t.Errorf("%d sessions are established again, want %d", n, many)
		}
	})
}

// listAll pages through all sessions and checks how many there are.
func (h *host) listAll(want int) {
	h.t.Helper()
	got := 0
	for page := (management.Page{Limit: 500}); ; {
		list, err := h.ListSessions(context.Background(), nil, page)
		if err != nil {
			h.t.Fatal(err)
		}
		if got += len(list); len(list) < page.Limit || got > want {
			break
		}
		page = page.AfterSessions(list)
	}
	if got != want {
		h.t.Errorf("%d sessions were listed, want %d", got, want)
	}
}
