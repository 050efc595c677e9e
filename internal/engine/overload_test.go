package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// atLNS is where strangers send.
var atLNS = netip.AddrPortFrom(lnsAddr, UsualPort)

// A stranger sends SCCRQs, each with another Tunnel ID.
type stranger struct {
	wire *dataplane.Wire
	b    []byte
	id   uint16
	rand *rand.Rand
}

func newStranger(w *dataplane.Wire) *stranger {
	return &stranger{wire: w, b: sccrq(0x1234), rand: rand.New(rand.NewPCG(1, 2))}
}

// message is the next SCCRQ.
func (s *stranger) message() []byte {
	s.id += 2
	at := strings.Index(string(s.b), "\x12\x34")
	b := []byte(string(s.b))
	binary.BigEndian.PutUint16(b[at:], s.id-1)
	return b
}

// send sends SCCRQs for a while, so many a second. From says where each is from.
func (s *stranger) send(d time.Duration, rate int, from func() netip.AddrPort) {
	for range d / time.Millisecond {
		for range rate / 1000 {
			s.wire.Send(from(), atLNS, s.message())
		}
		pass(time.Millisecond)
	}
}

// anywhere is a random address.
func (s *stranger) anywhere() netip.AddrPort {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], s.rand.Uint32())
	a[0] = 1 + a[0]%190 // not one of the tests'
	return netip.AddrPortFrom(netip.AddrFrom4(a), uint16(1024+s.rand.IntN(60000)))
}

// inFlood runs f with a LAC that has a session, and a stranger.
func inFlood(t *testing.T, lns string, f func(s *stranger, lns, lac *host)) {
	inBubble(t, lnsConfig+lns, lacConfig, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		f(newStranger(w), lns, lac)
	})
}

// lateAddr is one more LAC's.
var lateAddr = netip.MustParseAddr("192.0.2.3")

// another starts one more LAC. It may take as long as its SCCRQ is repeated.
func (s *stranger) another(t *testing.T) *host { return newHost(t, s.wire, lateAddr, lacConfig) }

// TestFlood: with 50,000 SCCRQs a second from everywhere what is up stays up, what
// is kept of strangers is bounded, and a LAC that nobody knows gets its tunnel.
func TestFlood(t *testing.T) {
	inFlood(t, "", func(s *stranger, lns, lac *host) {
		var opened atomic.Int64
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpOpenTunnel {
				opened.Add(1)
			}
			return nil
		})
		before := len(lns.logs.String())
		s.send(time.Second, 50000, s.anywhere)
		late := s.another(t)
		defer late.stop()
		s.send(4*time.Second, 50000, s.anywhere)
		late.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		st := lns.statistics()
		if n := lns.count.halfOpen.Load(); n > 4096 {
			t.Errorf("%d tunnels are half open, want at most 4096", n)
		}
		if st.TunnelRequestsPutOff < 200000 {
			t.Errorf("%d SCCRQs were put off, want nearly all of 250,000", st.TunnelRequestsPutOff)
		}
		if st.TunnelsCreated > 4500 {
			t.Errorf("%d tunnels were begun, want those of the first moment only", st.TunnelsCreated)
		}
		if n := opened.Load(); n != 1 {
			t.Errorf("%d sockets were opened, want that of the new LAC", n)
		}
		for _, sh := range lns.shards {
			if st := lns.statistics(); sh.mail.droppedPackets() != 0 {
				t.Errorf("packets were dropped: %v", st)
			}
		}
		pass(5 * time.Minute)
		if n := strings.Count(lns.logs.String()[before:], "level=WARN") +
			strings.Count(lns.logs.String()[before:], "level=INFO"); n > 500 {
			t.Errorf("%d lines were logged, want some", n)
		}
		lns.wantLog("overload is over")
		if lns.told("host-192.0.2.3") != 1 {
			t.Error("no event tells that the new LAC's tunnel was created")
		}
		if lns.gate.first != nil {
			t.Error("the flood is over, and its memory is not given back")
		}
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if n := lns.count.tunnels.Load(); n != 2 {
			t.Errorf("%d tunnels are left, want those of the two LACs", n)
		}
	})
}

// TestFloodThatRepeats: strangers who repeat their SCCRQs are held to the pace, and
// what they leave half open gives way to others.
func TestFloodThatRepeats(t *testing.T) {
	inFlood(t, "system modify max_half_open_tunnels=256 tunnel_requests_per_second=100\n",
		func(s *stranger, lns, lac *host) {
			type request struct {
				from netip.AddrPort
				b    []byte
			}
			var all []request
			for range 5000 {
				all = append(all, request{s.anywhere(), s.message()})
			}
			for range 20 {
				s.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for i, r := range all {
					s.wire.Send(r.from, atLNS, r.b)
					if i%500 == 0 {
						pass(80 * time.Millisecond)
					}
				}
			}
			st := lns.statistics()
			if st.TunnelsCreated < 1000 || st.TunnelsCreated > 2000 {
				t.Errorf("%d tunnels were begun in 16 s, want 100 a second", st.TunnelsCreated)
			}
			if n := lns.count.halfOpen.Load(); n > 256 || st.HalfOpenTunnelsEvicted < 500 {
				t.Errorf("%d tunnels are half open, %d gave way; want 256 and the rest",
					n, st.HalfOpenTunnelsEvicted)
			}
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			lns.wantUnrecorded()
			if n := lns.told(""); n > 250 {
				t.Errorf("%d events tell of new tunnels, want those before it was found to be a flood", n)
			}
			pass(5 * time.Minute)
			if n := lns.count.tunnels.Load(); n != 1 {
				t.Errorf("%d tunnels are left, want that of the LAC", n)
			}
		})
}

// TestFloodAsLAC: somebody who sends as a LAC that we know cannot keep it from a new
// tunnel, for it repeats its SCCRQ.
func TestFloodAsLAC(t *testing.T) {
	inFlood(t, "", func(s *stranger, lns, lac *host) {
		from := func() netip.AddrPort {
			return netip.AddrPortFrom(lacAddr, uint16(1024+s.rand.IntN(60000)))
		}
		s.send(time.Second, 5000, from)
		lac.declare("tunnel create tunnel_name=more dest_ipaddr=192.0.2.1\n" +
			"session create tunnel_name=more user_name=alice user_password=wonderland\n")
		s.send(4*time.Second, 5000, from)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		if st := lns.statistics(); st.TunnelRequestsPutOff < 20000 {
			t.Errorf("%d were put off, want nearly all of 25,000", st.TunnelRequestsPutOff)
		}
	})
}

// TestPaceOfAll: no more SCCRQs are answered than tunnel_requests_per_second, and
// those of sources that have had a tunnel do not suffer from others.
func TestPaceOfAll(t *testing.T) {
	inFlood(t, "system modify tunnel_requests_per_second=50\n", func(s *stranger, lns, lac *host) {
		s.send(100*time.Millisecond, 10000, s.anywhere)
		if n := lns.statistics().TunnelsCreated; n != 1+100 { // two seconds' worth at once
			t.Errorf("%d tunnels were begun, want 101", n)
		}
		lac.declare("tunnel create tunnel_name=more dest_ipaddr=192.0.2.1\n" +
			"session create tunnel_name=more user_name=alice user_password=wonderland\n")
		pass(500 * time.Millisecond) // nothing is repeated yet
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}

// TestPaceOfSources: one source gets no more than tunnel_requests_per_source, its
// network four times as many, and others do not suffer from it.
func TestPaceOfSources(t *testing.T) {
	tests := map[string]struct {
		from func(i int) string
		want uint64
	}{
		"an address":         {func(int) string { return "198.51.100.7" }, 20},
		"a network":          {func(i int) string { return fmt.Sprint("198.51.100.", i%250) }, 80},
		"a household":        {func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, 20},
		"a street":           {func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i%256) }, 80},
		"several, each some": {func(i int) string { return fmt.Sprintf("198.51.%d.7", i%100) }, 500},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inFlood(t, "system modify tunnel_requests_per_source=10\n",
				func(s *stranger, lns, lac *host) {
					at := atLNS
					for i := range 500 {
						d := dataplane.Datagram{Local: at, Data: s.message(),
							Peer: netip.AddrPortFrom(netip.MustParseAddr(test.from(i)), 1701)}
						lns.DatagramReceived(d)
					}
					synctest.Wait()
					st := lns.statistics()
					if n := st.TunnelsCreated - 1; n != test.want {
						t.Errorf("%d tunnels were begun, want %d", n, test.want)
					}
					if n := st.TunnelRequestsOverSourceRate + st.TunnelRequestsPutOff; n != 500-test.want {
						t.Errorf("%d were too many, want %d", n, 500-test.want)
					}
					late := s.another(t)
					defer late.stop()
					pass(500 * time.Millisecond)
					late.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
				})
		})
	}
}

// oneByOne sends SCCRQs, each when the one before has been dealt with, to a gate that is
// calm: where half-open tunnels are what is tested it must put nobody off.
func (s *stranger) oneByOne(lns *host, n int, from func() netip.AddrPort) {
	for range n {
		lns.gate.calm()
		s.wire.Send(from(), atLNS, s.message())
		synctest.Wait()
	}
}

// of are those of some addresses whose tunnels are a shard's.
func (sh *shard) of(some func() netip.AddrPort) func() netip.AddrPort {
	return func() netip.AddrPort {
		for {
			if from := some(); sh.engine.shardFor(from.Addr()) == sh {
				return from
			}
		}
	}
}

// TestHalfOpenTunnelsGiveWay: beyond max_half_open_tunnels the oldest make room once
// they have had a second, and one source cannot have them all.
func TestHalfOpenTunnelsGiveWay(t *testing.T) {
	inFlood(t, "system modify max_half_open_tunnels=64\n", func(s *stranger, lns, lac *host) {
		want := func(halfOpen int64, evicted, unanswered uint64) {
			t.Helper()
			st := lns.statistics()
			if n := lns.count.halfOpen.Load(); n != halfOpen || st.HalfOpenTunnelsEvicted != evicted ||
				st.TunnelRequestsUnanswered != unanswered {
				t.Errorf("%d are half open, %d gave way, %d got no answer; want %d, %d, %d", n,
					st.HalfOpenTunnelsEvicted, st.TunnelRequestsUnanswered, halfOpen, evicted, unanswered)
			}
		}
		// All of a source's are on one of two shards: it may have 8 of the 32 there.
		one := func() netip.AddrPort { return netip.MustParseAddrPort("198.51.100.1:1701") }
		s.oneByOne(lns, 10, one)
		want(8, 0, 2)
		pass(1100 * time.Millisecond)
		s.oneByOne(lns, 3, one)
		want(8, 3, 2)
		pass(2 * time.Second)
		for _, sh := range lns.shards {
			s.oneByOne(lns, 40, sh.of(s.anywhere))
		}
		want(64, 11, 2+2*(40-32))
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

// TestHalfOpenTunnelsOfANetwork: a network may have half of the half-open tunnels.
func TestHalfOpenTunnelsOfANetwork(t *testing.T) {
	inFlood(t, "system modify max_half_open_tunnels=64\n", func(s *stranger, lns, _ *host) {
		last := byte(0)
		neighbours := func() netip.AddrPort {
			last++
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, last}), UsualPort)
		}
		for _, sh := range lns.shards {
			s.oneByOne(lns, 20, sh.of(neighbours))
		}
		if n := lns.count.halfOpen.Load(); n != 32 {
			t.Errorf("%d tunnels with a network are half open, want 32 of 64", n)
		}
	})
}

// calm ends what a gate does in a flood.
func (g *gate) calm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pressedUntil, g.busy = 0, newSightings(busySources)
}

// TestHalfOpenTunnelsOfOne: where one source or network has its share of the half-open
// tunnels it has to repeat its SCCRQs, and nobody else.
func TestHalfOpenTunnelsOfOne(t *testing.T) {
	last := byte(0)
	tests := map[string]func() netip.AddrPort{
		"source": func() netip.AddrPort { return netip.MustParseAddrPort("198.51.100.1:1701") },
		"network": func() netip.AddrPort {
			last++
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, last}), UsualPort)
		},
	}
	for name, from := range tests {
		t.Run(name, func(t *testing.T) {
			inFlood(t, "system modify max_half_open_tunnels=64\n", func(s *stranger, lns, _ *host) {
				for range 300 { // 100 a second
					s.wire.Send(from(), atLNS, s.message())
					pass(10 * time.Millisecond)
				}
				st := lns.statistics()
				if st.TunnelRequestsPutOff < 250 || st.TunnelsCreated > 1+32 {
					t.Errorf("%d SCCRQs were put off, %d tunnels begun; want nearly all of 300, and some",
						st.TunnelRequestsPutOff, st.TunnelsCreated)
				}
				late := s.another(t)
				defer late.stop()
				pass(500 * time.Millisecond) // nothing is repeated yet
				late.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
				s.wire.Send(netip.MustParseAddrPort("203.0.113.1:1701"), atLNS, s.message())
				pass(time.Millisecond)
				if n := lns.told("203.0.113.1"); n != 1 {
					t.Errorf("%d events tell of somebody else's tunnel, want 1", n)
				}
			})
		})
	}
}

// TestHalfOpenTunnelsLeaveRoom: under max_tunnels those that are not established make
// room for those that may be.
func TestHalfOpenTunnelsLeaveRoom(t *testing.T) {
	inFlood(t, "system modify max_tunnels=20\n", func(s *stranger, lns, lac *host) {
		s.send(100*time.Millisecond, 1000, s.anywhere)
		if n := lns.count.tunnels.Load(); n != 20 {
			t.Fatalf("%d tunnels, want 20", n)
		}
		late := s.another(t)
		defer late.stop()
		pass(8 * time.Second)
		late.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

// TestFloodOfOthers: what is to no tunnel, or from others than its peer, is dropped and
// counted before it is queued for a shard.
func TestFloodOfOthers(t *testing.T) {
	inFlood(t, "", func(s *stranger, lns, lac *host) {
		id := uint16(lns.key().Tunnel)
		before := lns.total.noTunnel.Load()
		release := lns.halt()
		for i := range 1000 {
			b := header(id)
			if i%2 == 0 {
				b = header(id + 1 + uint16(i))
			}
			lns.DatagramReceived(dataplane.Datagram{Local: atLNS, Peer: s.anywhere(), Data: b})
		}
		lns.DatagramReceived(dataplane.Datagram{Local: atLNS,
			Peer: netip.AddrPortFrom(lacAddr, UsualPort), Data: header(id)})
		firsts, others := lns.queued()
		counted := lns.total.noTunnel.Load() - before
		release()
		if firsts != 0 || others != 1 {
			t.Errorf("%d first messages and %d others wait, want that of the peer only", firsts, others)
		}
		if counted != 1000 {
			t.Errorf("%d messages are counted, want 1000", counted)
		}
		synctest.Wait()
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

// halt has all shards wait until release is called.
func (h *host) halt() (release func()) {
	halted := make(chan struct{})
	for _, sh := range h.shards {
		sh.mail.post(func() { <-halted })
	}
	synctest.Wait()
	return func() { close(halted) }
}

// queued is how many packets wait for the shards.
func (h *host) queued() (firsts, others int) {
	for _, sh := range h.shards {
		sh.mail.mu.Lock()
		firsts, others = firsts+sh.mail.waits.packets, others+sh.mail.load.packets
		sh.mail.mu.Unlock()
	}
	return firsts, others
}

// header is an acknowledgement to a tunnel.
func header(id uint16) []byte {
	b := []byte{0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(b[4:], id)
	return b
}

// wantUnrecorded checks that nothing is remembered of what strangers begin in a flood.
func (h *host) wantUnrecorded() {
	h.t.Helper()
	unheard := 0
	for _, s := range h.shards {
		ids, err := ask(context.Background(), s, func() (ids []l2tp.TunnelID, _ error) {
			for t := s.halfOpen.oldest; t != nil; t = t.half.newer {
				if t.unheard {
					ids = append(ids, t.core.ID())
				}
			}
			return ids, nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
		unheard += len(ids)
		for _, id := range ids {
			for _, r := range h.trace.Find(trace.Query{Tunnel: id}) {
				if time.Since(r.Time) < 2*time.Second {
					h.t.Fatalf("of tunnel %d is remembered: %v", id, r)
				}
			}
		}
	}
	if unheard < 100 {
		h.t.Errorf("%d half-open tunnels began in the flood, want nearly all", unheard)
	}
}

// told counts the events that tell of a new tunnel, of a peer or of all.
func (h *host) told(peer string) (n int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for after := uint64(0); ; {
		events, err := h.seen.Read(ctx, after)
		if err != nil {
			return n
		}
		for _, e := range events {
			if after = e.Sequence; e.Type == api.EventType_EVENT_TYPE_TUNNEL_CREATED &&
				strings.Contains(e.PeerHostName+e.Peer, peer) {
				n++
			}
		}
	}
}

// TestFloodWithPorts: where the answer has to come from another port each half-open
// tunnel has a socket, which goes with it.
func TestFloodWithPorts(t *testing.T) {
	inFlood(t, "system modify max_half_open_tunnels=64\n"+
		"tunnel profile modify profile_name=default our_udp_port=0\n",
		func(s *stranger, lns, lac *host) {
			for range 20 {
				lns.gate.calm()
				s.send(500*time.Millisecond, 1000, s.anywhere)
			}
			if st := lns.statistics(); st.HalfOpenTunnelsEvicted < 10 {
				t.Errorf("%d tunnels gave way, want some", st.HalfOpenTunnelsEvicted)
			}
			inventory, err := lns.fake.Inventory(context.Background())
			if n := len(inventory.Tunnels); err != nil || n > 66 {
				t.Errorf("the data plane has %d tunnels, want 65", n)
			}
			pass(5 * time.Minute)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			if _, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, ""); err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Minute)
			lns.wantClean()
		})
}

// TestHalfOpenTunnelsGiveWayUnopened: a tunnel that gave way while its socket was being
// opened sends nothing by it, and the socket is closed.
func TestHalfOpenTunnelsGiveWayUnopened(t *testing.T) {
	inFlood(t, "system modify max_half_open_tunnels=16\n"+ // two for a source
		"tunnel profile modify profile_name=default our_udp_port=0\n",
		func(s *stranger, lns, _ *host) {
			replies := make(map[l2tp.TunnelID]int)
			s.wire.Peer(lateAddr, func(_, _ netip.AddrPort, b []byte) {
				if h, _, err := l2tp.ParseHeader(b); err == nil {
					replies[h.TunnelID]++
				}
			})
			release := make(chan struct{})
			lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
				if op == dataplane.OpOpenTunnel {
					<-release
				}
				return nil
			})
			for range 3 {
				s.wire.Send(netip.AddrPortFrom(lateAddr, UsualPort), atLNS, s.message())
				pass(1100 * time.Millisecond)
			}
			close(release)
			pass(100 * time.Millisecond)
			if n := lns.statistics().HalfOpenTunnelsEvicted; n != 1 {
				t.Errorf("%d tunnels gave way, want 1", n)
			}
			if replies[1] != 0 || replies[3] == 0 || replies[5] == 0 {
				t.Errorf("replies by tunnel: %v, want none to 1, which gave way, but to 3 and 5", replies)
			}
			inventory, err := lns.fake.Inventory(context.Background())
			if n := len(inventory.Tunnels); err != nil || n != 3 {
				t.Errorf("the data plane has %d tunnels, want the LAC's, 3 and 5", n)
			}
		})
}

// TestNoSocket: that a tunnel gets no socket is told in one line, and counted once.
func TestNoSocket(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpOpenTunnel {
				return errors.New("no buffer space available")
			}
			return nil
		})
		lac.declare(lacConfig)
		pass(500 * time.Millisecond)
		if n := strings.Count(lns.logs.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d lines tell of errors, want 1:\n%s", n, lns.logs)
		}
		if n := lns.statistics().KernelErrors; n != 1 {
			t.Errorf("%d errors of the kernel are counted, want 1", n)
		}
		if n := lns.count.tunnels.Load(); n != 0 {
			t.Errorf("%d tunnels are there, want none", n)
		}
	})
}

// TestPortOfAnswers: a tunnel that a peer opens between the very ports of one of ours,
// which may be another shard's, is answered from another port; others from ours.
func TestPortOfAnswers(t *testing.T) {
	for id, own := range map[int]bool{0: true, 2: false, 3: false} {
		t.Run(fmt.Sprint("tunnel ", id), func(t *testing.T) {
			inFlood(t, "", func(s *stranger, lns, _ *host) {
				if id != 0 {
					lns.declare(fmt.Sprintf("tunnel create tunnel_name=back tunnel_id=%d "+
						"dest_ipaddr=192.0.2.3 use_tiebreaker=no\n", id))
					synctest.Wait()
				}
				var from netip.AddrPort
				s.wire.Peer(lateAddr, func(src, _ netip.AddrPort, b []byte) {
					if mt, _ := l2tp.PeekType(b); mt == l2tp.TypeSCCRP {
						from = src
					}
				})
				s.wire.Send(netip.AddrPortFrom(lateAddr, UsualPort), atLNS, s.message())
				synctest.Wait()
				if from.Addr() != lnsAddr || (from.Port() == UsualPort) != own {
					t.Errorf("the SCCRP came from %v, want port 1701: %v", from, own)
				}
			})
		})
	}
}

// TestChangesAreBounded: a session whose peer changes it faster than the kernel
// follows is ended.
func TestChangesAreBounded(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, _ *host) {
		pass(time.Second)
		stuck := make(chan struct{})
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpConfigure {
				<-stuck
			}
			return nil
		})
		lns.onShard(func(t *tunnel) {
			for _, s := range t.sessions {
				for range 1000 {
					s.network.open4 = !s.network.open4
					s.configure(func(error) {})
				}
				if n := len(s.jobs.queue); n != maxChanges {
					lns.t.Errorf("%d changes wait, want %d", n, maxChanges)
				}
			}
		})
		close(stuck)
		pass(10 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
	})
}

// TestFaultsAreFewLines: a packet that strikes a fault of ours can be repeated.
func TestFaultsAreFewLines(t *testing.T) {
	inBubble(t, "", "", func(_ *dataplane.Wire, lns, _ *host) {
		for range 1000 {
			lns.logFault("a fault of ours")
		}
		if n := strings.Count(lns.logs.String(), "INTERNAL FAULT"); n != 20 {
			t.Errorf("%d lines tell of faults, want 20", n)
		}
		if n := lns.statistics().Faults; n != 1000 {
			t.Errorf("%d faults are counted, want 1000", n)
		}
	})
}

// TestLongRequestsAreNotKept: a tunnel does not keep the SCCRQ that began it, or for
// which it was refused.
func TestLongRequestsAreNotKept(t *testing.T) {
	const many, length = 1000, 60 << 10
	for name, limit := range map[string]string{"half open": "0", "refused": "1"} {
		t.Run(name, func(t *testing.T) {
			inFlood(t, "system modify tunnel_requests_per_second=0 tunnel_requests_per_source=0 "+
				"max_tunnels="+limit+"\n", func(s *stranger, lns, _ *host) {
				before := heapInUse()
				for range many {
					b := append(s.message(), make([]byte, length)...) // padding
					binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
					s.wire.Send(s.anywhere(), atLNS, b)
					synctest.Wait()
				}
				kept := (heapInUse() - before) / many
				if n := lns.count.halfOpen.Load() + int64(lns.count.tunnelsRefused.Load()); n != many {
					t.Fatalf("%d tunnels are half open or refused, want %d", n, many)
				}
				if kept > length/4 {
					t.Errorf("each keeps %d bytes of memory, and its SCCRQ had %d", kept, length)
				}
			})
		})
	}
}

func heapInUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
