package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
	"culvert/ppp"
)

type authMethod = ppp.AuthMethod

func TestSessionsComeUpAndEnd(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		cfg := load(4, 100)
		most := 0
		cfg.Progress = func(p Progress) { most = max(most, p.Sessions) }
		r := s.run(cfg)
		want := Sessions{Placed: 100, CameUp: 100, Ended: 100, MostUp: 100}
		same(t, "sessions", r.Sessions, want)
		same(t, "tunnels", r.Tunnels, Tunnels{CameUp: 4, MostUp: 4})
		same(t, "tear-down", r.TearDown.Sessions, 100)
		same(t, "retransmissions", r.Messages.AgainL2TP+r.Messages.AgainPPP, 0)
		same(t, "success", r.Succeeded(), true)
		for i, p := range r.Phases {
			count := int64(100)
			if i == int(PhaseTunnel) {
				count = 4
			}
			same(t, p.Name+" count", p.Count, count)
		}
		s.lns.wantSessions(0)
		time.Sleep(time.Minute) // tunnels linger
		synctest.Wait()
		if n, _ := s.lns.ListTunnels(s.Context(), management.Page{Limit: 10}); len(n) != 0 {
			t.Errorf("the LNS has tunnels: %v", n)
		}
	})
}

// TestEveryMethod: whichever the LNS asks for.
func TestEveryMethod(t *testing.T) {
	for _, method := range []string{"auth_pap", "auth_chap", "auth_mschapv1", "auth_mschapv2", "auth_none"} {
		t.Run(method, func(t *testing.T) {
			var config strings.Builder
			config.WriteString(lnsConfig + "ppp profile modify profile_name=default")
			for _, m := range []string{"auth_pap", "auth_chap", "auth_mschapv1", "auth_mschapv2", "auth_none", "auth_eap"} {
				config.WriteString(fmt.Sprintf(" %s=%s", m, map[bool]string{true: "yes", false: "no"}[m == method]))
			}
			inScene(t, config.String()+"\n", func(s *scene) {
				r := s.run(load(1, 3))
				same(t, "sessions", r.Sessions.CameUp, 3)
				asked := int64(3)
				if method == "auth_none" {
					asked = 0
				}
				same(t, "authentications", r.Phases[PhaseAuth].Count, asked)
			})
		})
	}
}

// wantFailures checks what failed, and that nothing else did.
func (s *scene) wantFailures(r *Report, want ...Failure) {
	s.Helper()
	for i := range r.Failures {
		r.Failures[i].Example = ""
	}
	same(s.T, "failures", fmt.Sprint(r.Failures), fmt.Sprint(want))
}

func TestFailuresHaveTheirCause(t *testing.T) {
	tests := map[string]struct {
		config string // more of the LNS's
		change func(s *scene, cfg *Config)
		want   []Failure
	}{
		"wrong password": {
			change: func(_ *scene, cfg *Config) { cfg.Password = "looking-glass" },
			want:   []Failure{{Phase: "auth", Cause: "authentication: refused", Count: 10}},
		},
		"wrong password, and the CDN is first to tell of the end": {
			change: func(s *scene, cfg *Config) {
				cfg.Password = "looking-glass"
				s.net.lose = isTerminate
			},
			want: []Failure{{Phase: "auth", Cause: "authentication: refused", Count: 10}},
		},
		"no method in common": {
			config: "ppp profile modify profile_name=default auth_chap=no auth_mschapv1=no auth_mschapv2=no auth_eap=no\n",
			change: func(_ *scene, cfg *Config) { cfg.Auth = cfg.Auth[:1] },
			want:   []Failure{{Phase: "lcp", Cause: "CDN: administrative reasons", Count: 10}},
		},
		"refused calls": {
			config: "tunnel profile modify profile_name=default max_sessions=7\n",
			want:   []Failure{{Phase: "call", Cause: "CDN: no appropriate facilities (temporary condition)", Count: 3}},
		},
		"the LNS does not know the secret": {
			config: "tunnel profile modify profile_name=default auth_mode=none secret=other\n",
			want: []Failure{
				{Phase: "tunnel", Cause: "its tunnel did not come up", Count: 10},
				{Phase: "tunnel", Cause: "we sent StopCCN: not authorized to establish a control channel", Count: 1},
			},
		},
		"silent from the start": {
			change: func(s *scene, _ *Config) { s.wire.Cut(lnsAddr.Addr()) },
			want: []Failure{
				{Phase: "tunnel", Cause: "its tunnel did not come up", Count: 10},
				{Phase: "tunnel", Cause: "no answer", Count: 1},
			},
		},
		"no calls are answered": {
			change: func(s *scene, cfg *Config) {
				cfg.ConnectTimeout = 20 * time.Second // before the LNS gives the tunnel up
				s.net.lose = func(b []byte) bool { return messageType(b) == l2tp.TypeICRP }
			},
			want: []Failure{{Phase: "call", Cause: "timed out", Count: 10}},
		},
		"PPP is silent": {
			change: func(s *scene, cfg *Config) {
				cfg.ConnectTimeout = 20 * time.Second
				s.net.lose = func(b []byte) bool { return messageType(b) == 0 && b[0]&0x80 == 0 }
			},
			want: []Failure{{Phase: "lcp", Cause: "timed out", Count: 10}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inScene(t, lnsConfig+test.config, func(s *scene) {
				cfg := load(1, 10)
				if test.change != nil {
					test.change(s, cfg)
				}
				r := s.run(cfg)
				s.wantFailures(r, test.want...)
				same(t, "success", r.Succeeded(), false)
			})
		})
	}
}

// isTerminate reports whether b holds a Terminate-Request or Terminate-Ack of LCP.
func isTerminate(b []byte) bool {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil || h.Control {
		return false
	}
	p, info, err := ppp.ParseFrame(payload)
	return err == nil && p == ppp.ProtocolLCP && len(info) > 0 && (info[0] == 5 || info[0] == 6)
}

// messageType is the type of a control message, 0 if it is none or empty.
func messageType(b []byte) l2tp.MessageType {
	mt, _ := l2tp.PeekType(b)
	return mt
}

// TestRate: calls are placed at their times, whatever the LNS does.
func TestRate(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		s.lns.fake.SetHook(slowly(300 * time.Millisecond))
		cfg := load(4, 200)
		cfg.Rate = 50
		r := s.run(cfg)
		same(t, "sessions", r.Sessions.CameUp, 200)
		for _, p := range r.Timeline.Points[1:3] {
			same(t, fmt.Sprintf("placed at %v", p.At), p.Placed, 50)
		}
		if took := r.SetUp.Seconds; took < 4 || took > 5 {
			t.Errorf("200 calls at 50/s came up in %.1f s, want 4 to 5", took)
		}
		if r.Phases[PhaseSetUp].Min < 595 {
			t.Errorf("the fastest set-up took %v ms, less than the LNS's data plane", r.Phases[PhaseSetUp].Min)
		}
	})
}

// TestPhasesAddUp: what a set-up takes is what its phases take.
func TestPhasesAddUp(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		s.lns.fake.SetHook(slowly(50 * time.Millisecond))
		s.wire.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
		r := s.run(load(2, 40))
		sum := 0.0
		for _, p := range r.Phases[PhaseQueue:PhaseSetUp] {
			sum += p.Mean
		}
		all := r.Phases[PhaseSetUp].Mean
		if math.Abs(sum-all) > all/100 || all < 100 {
			t.Errorf("the phases take %.1f ms together, the set-up %.1f", sum, all)
		}
	})
}

// slowly has each operation of a data plane take some time.
func slowly(d time.Duration) dataplane.Hook {
	return func(ctx context.Context, _ dataplane.Op, _ dataplane.SessionKey) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestRateCountsFromWhenACallWasDue: a generator that is held up by its own limit says so.
func TestRateCountsFromWhenACallWasDue(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		s.lns.fake.SetHook(slowly(time.Second))
		cfg := load(1, 20)
		cfg.Rate, cfg.Concurrency = 100, 1
		r := s.run(cfg)
		same(t, "sessions", r.Sessions.CameUp, 20)
		if worst := r.Phases[PhaseSetUp].Max; worst < 20_000 {
			t.Errorf("the last of 20 set-ups took %v ms, want more than the 20 s that it waited", worst)
		}
		if r.Generator.Lag < 20_000 {
			t.Errorf("lag = %v ms, want more than 20 s", r.Generator.Lag)
		}
	})
}

// TestSpeed: sessions came up so fast while any were to, by the rate or the LNS's speed. That
// they were all up, or had no tunnel, is not counted.
func TestSpeed(t *testing.T) {
	for name, test := range map[string]struct {
		change      func(cfg *Config, s *scene)
		least, most float64 // seconds
		sessions    uint64
	}{
		"as fast as they come": {func(*Config, *scene) {}, 0.5, 1.5, 20},
		"by a rate": {func(cfg *Config, s *scene) {
			s.lns.fake.SetHook(nil)
			cfg.Rate = 5
		}, 3.8, 3.9, 20},
		"held": {func(cfg *Config, _ *scene) { cfg.Duration = time.Minute }, 0.5, 1.5, 20},
		"lost and back": {func(cfg *Config, s *scene) {
			cfg.Churn, cfg.Duration = true, time.Minute
			cfg.Progress = func(p Progress) {
				if p.At == 40*time.Second {
					go s.deleteTunnel()
				}
			}
		}, 1, 3, 30},
	} {
		t.Run(name, func(t *testing.T) {
			inScene(t, lnsConfig, func(s *scene) {
				s.lns.fake.SetHook(slowly(250 * time.Millisecond))
				cfg := load(2, 20)
				test.change(cfg, s)
				up := s.run(cfg).SetUp
				same(t, "sessions", up.Sessions, test.sessions)
				if up.Seconds < test.least || up.Seconds > test.most {
					t.Errorf("they came up in %v s, want %v to %v", up.Seconds, test.least, test.most)
				}
				same(t, "rate", up.Rate, float64(up.Sessions)/up.Seconds)
			})
		})
	}
}

// TestOverloadedGenerator: a loop that is held up says how long datagrams waited for it.
func TestOverloadedGenerator(t *testing.T) {
	for _, busy := range []time.Duration{0, 80 * time.Millisecond} {
		t.Run(fmt.Sprint(busy), func(t *testing.T) {
			inScene(t, lnsConfig, func(s *scene) {
				s.wire.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
				cfg := load(1, 10)
				cfg.Hold, cfg.Churn, cfg.Duration = 100*time.Millisecond, true, 5*time.Second
				cfg.Progress = func(p Progress) {
					if p.At > cfg.Duration-time.Second {
						time.Sleep(100 * busy) // an end that is slow is none of its business
					} else {
						time.Sleep(busy)
					}
				}
				r := s.run(cfg)
				least, most := millis(busy)/2, millis(busy)
				if w := r.Generator.Wait; w < least || w > most {
					t.Errorf("datagrams waited at most %v ms, want %v to %v", w, least, most)
				}
			})
		})
	}
}

func TestConcurrency(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		s.lns.fake.SetHook(slowly(500 * time.Millisecond))
		cfg := load(2, 60)
		cfg.Concurrency = 7
		r := s.run(cfg)
		same(t, "sessions", r.Sessions.CameUp, 60)
		full := 0
		for _, p := range r.Timeline.Points {
			if p.InFlight > 7 {
				t.Errorf("%d calls at once at %v s, want at most 7", p.InFlight, p.At)
			} else if p.InFlight == 7 {
				full++
			}
		}
		if full < 5 {
			t.Errorf("7 calls at once in %d of %d seconds", full, len(r.Timeline.Points))
		}
	})
}

func TestHoldAndChurn(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		cfg := load(2, 20)
		cfg.Hold, cfg.Churn, cfg.Duration = 2*time.Second, true, 21*time.Second
		r := s.run(cfg)
		same(t, "sessions", r.Sessions, Sessions{
			Placed: r.Sessions.Placed, CameUp: r.Sessions.Placed, Ended: r.Sessions.Placed, MostUp: 20,
		})
		// Each is up for 2 s and away for a moment.
		if n := r.Sessions.CameUp; n < 190 || n > 220 {
			t.Errorf("%d sessions came up, want 20 about 10 times", n)
		}
		if r.Seconds < 21 || r.Seconds > 23 {
			t.Errorf("the run took %v s, want 21", r.Seconds)
		}
		s.lns.wantSessions(0)
	})
}

func TestHoldWithoutChurn(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		cfg := load(1, 5)
		cfg.Hold = 3 * time.Second
		r := s.run(cfg)
		same(t, "sessions", r.Sessions, Sessions{Placed: 5, CameUp: 5, Ended: 5, MostUp: 5})
		if r.Seconds < 3 || r.Seconds > 5 {
			t.Errorf("the run took %v s, want 3", r.Seconds)
		}
	})
}

// TestDropped: the LNS ends a tunnel under us. With churn all comes back.
func TestDropped(t *testing.T) {
	for _, churn := range []bool{false, true} {
		t.Run(fmt.Sprint("churn ", churn), func(t *testing.T) {
			inScene(t, lnsConfig, func(s *scene) {
				cfg := load(2, 20)
				cfg.Duration, cfg.Churn = 30*time.Second, churn
				cfg.Progress = func(p Progress) {
					if p.At == 10*time.Second {
						go s.deleteTunnel()
					}
				}
				r := s.run(cfg)
				same(t, "dropped", r.Sessions.Dropped, 10)
				same(t, "lost tunnels", r.Tunnels.Lost, 1)
				last := r.Timeline.Points[25]
				want, cameUp := 10, uint64(20)
				if churn {
					want, cameUp = 20, 30
				}
				same(t, "sessions up in the end", last.UpNow, want)
				same(t, "sessions that came up", r.Sessions.CameUp, cameUp)
			})
		})
	}
}

// TestLostTunnel: the calls that wait for their turn in it are not placed any more.
func TestLostTunnel(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		cfg := load(1, 20)
		cfg.Rate = 0.9 // none is in set-up at that second
		cfg.Progress = func(p Progress) {
			if p.At == 5*time.Second && !p.Last {
				go s.deleteTunnel()
			}
		}
		r := s.run(cfg)
		same(t, "dropped", r.Sessions.Dropped, r.Sessions.CameUp)
		s.wantFailures(r, Failure{
			Phase: "tunnel", Cause: "its tunnel was lost", Count: 20 - r.Sessions.CameUp,
		})
	})
}

// deleteTunnel has the LNS end one tunnel.
func (s *scene) deleteTunnel() {
	list, err := s.lns.ListTunnels(s.Context(), management.Page{Limit: 1})
	if err != nil || len(list) != 1 {
		s.Errorf("ListTunnels = %v, %v", list, err)
		return
	}
	if _, err := s.lns.DeleteTunnel(s.Context(), &api.Tunnel{TunnelId: list[0].TunnelId}, "test"); err != nil {
		s.Error(err)
	}
}

// TestInterrupt: at whatever moment, all ends politely.
func TestInterrupt(t *testing.T) {
	for _, after := range []time.Duration{0, 35, 100, 150, 700, 5000} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			inScene(t, lnsConfig, func(s *scene) {
				s.lns.fake.SetHook(slowly(20 * time.Millisecond))
				ctx, cancel := context.WithTimeout(context.Background(), after*time.Millisecond)
				defer cancel()
				cfg := load(3, 30)
				cfg.Duration = time.Minute
				r := s.runUntil(ctx, cfg)
				same(t, "interrupted", r.Interrupted, true)
				same(t, "success", r.Succeeded(), true)
				same(t, "politely", r.Generator.Complete, true)
				same(t, "all", r.Sessions.Ended+r.Sessions.Cancelled+uint64(r.Sessions.Unplaced), 30)
				if r.Seconds > 10 {
					t.Errorf("the run took %v s", r.Seconds)
				}
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				s.lns.wantSessions(0)
			})
		})
	}
}

// TestInterruptWithSilentLNS: nobody is there to be told.
func TestInterruptWithSilentLNS(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		s.wire.Cut(lnsAddr.Addr())
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		r := s.runUntil(ctx, load(3, 30))
		same(t, "not placed", r.Sessions.Unplaced, 30)
		if r.Seconds > 4 {
			t.Errorf("the run took %v s, want 3", r.Seconds)
		}
	})
}

func TestEndings(t *testing.T) {
	for end, left := range map[Ending]int{EndCalls: 0, EndTunnels: 0, EndVanish: 10} {
		t.Run(string(end), func(t *testing.T) {
			inScene(t, lnsConfig, func(s *scene) {
				s.wire.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
				cdns := 0
				s.wire.Tap(func(src, _ netip.AddrPort, b []byte) bool {
					if src.Addr() == lacAddr && messageType(b) == l2tp.TypeCDN {
						cdns++
					}
					return true
				})
				cfg := load(2, 10)
				cfg.End = end
				r := s.run(cfg)
				time.Sleep(time.Second)
				synctest.Wait()
				s.lns.wantSessions(left)
				same(t, "ended", r.Sessions.Ended, 10)
				same(t, "politely", r.Generator.Complete, end != EndVanish)
				same(t, "torn down", r.TearDown.Sessions, uint64(10-left))
				same(t, "in some time", r.TearDown.Seconds > 0, end != EndVanish)
				same(t, "a CDN for each", cdns == 10, end == EndCalls)
			})
		})
	}
}

// TestLoss: what the wire loses is sent again, and counted.
func TestLoss(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		random := rand.New(rand.NewPCG(1, 2))
		s.net.lose = func([]byte) bool { return random.Float64() < 0.05 }
		r := s.run(load(4, 100))
		same(t, "sessions", r.Sessions.CameUp, 100)
		if r.Messages.AgainL2TP == 0 || r.Messages.AgainPPP == 0 {
			t.Errorf("sent again: %d control messages, %d frames, want some", r.Messages.AgainL2TP,
				r.Messages.AgainPPP)
		}
	})
}

// TestNoLCPBeforeICCN: an LNS that has not heard of a session would lose its first frame.
// With a window of 1 every ICCN waits.
func TestNoLCPBeforeICCN(t *testing.T) {
	inScene(t, lnsConfig+"tunnel profile modify profile_name=default rx_window_size=1\n", func(s *scene) {
		connected := make(map[l2tp.SessionID]bool)
		frames := 0
		s.wire.Tap(func(src, _ netip.AddrPort, b []byte) bool {
			h, _, err := l2tp.ParseHeader(b)
			switch {
			case err != nil || src.Addr() != lacAddr:
			case messageType(b) == l2tp.TypeICCN:
				connected[h.SessionID] = true
			case !h.Control:
				frames++
				if !connected[h.SessionID] {
					t.Errorf("data in session %d before its ICCN", h.SessionID)
				}
			}
			return true
		})
		r := s.run(load(1, 50))
		same(t, "sessions", r.Sessions.CameUp, 50)
		if frames < 300 {
			t.Errorf("%d frames were seen", frames)
		}
	})
}

// TestSharedPort: tunnels of one address and port open one after the other, and each
// of several addresses has its own.
func TestSharedPort(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		opening := make(map[netip.AddrPort]int)
		s.wire.Tap(func(src, dst netip.AddrPort, b []byte) bool {
			switch messageType(b) {
			case l2tp.TypeSCCRQ:
				if opening[src]++; opening[src] > 1 {
					t.Errorf("two tunnels open at once from %v", src)
				}
			case l2tp.TypeSCCCN:
				opening[src]--
			}
			return true
		})
		cfg := load(6, 60)
		var err error
		if cfg.Sources, err = ParseSources("192.0.2.10-192.0.2.12"); err != nil {
			t.Fatal(err)
		}
		cfg.SourcePort = 1701
		r := s.run(cfg)
		same(t, "sessions", r.Sessions.CameUp, 60)
		same(t, "tunnels", r.Tunnels.CameUp, 6)
		same(t, "sources", len(opening), 3)
	})
}

// TestTraffic: packets come back or are counted as lost, and copies are not counted twice.
func TestTraffic(t *testing.T) {
	t.Run("held", func(t *testing.T) { testTraffic(t, 0, 900) })
	t.Run("in sessions of 4 s", func(t *testing.T) { testTraffic(t, 4*time.Second, 600) })
}

func testTraffic(t *testing.T, hold time.Duration, least uint64) {
	came := 0
	copies := func(n int) int {
		came = n
		switch n % 10 {
		case 0:
			return 0
		case 5:
			return 2
		}
		return 1
	}
	inEchoScene(t, 200*time.Millisecond, copies, func(s *scene) {
		cfg := load(2, 20)
		cfg.Duration = 20 * time.Second
		cfg.Hold = hold
		cfg.Churn = hold > 0
		cfg.Traffic = Traffic{Sessions: 5, Rate: 10}
		f := s.run(cfg).Traffic
		same(t, "sent", f.Sent, uint64(came))
		if f.Sent < least || f.Sent > 1000 {
			t.Errorf("%d packets sent, want %d to 1000", f.Sent, least)
		}
		same(t, "lost", f.Lost, f.Sent/10)
		same(t, "twice", f.Duplicates, (f.Sent+5)/10)
		if f.Times.Min < 199 || f.Times.Max > 205 {
			t.Errorf("round trip of %v to %v ms, want 200", f.Times.Min, f.Times.Max)
		}
	})
}

// TestTrafficByWindow: packets go as fast as they come back, and what is lost does not
// stop them.
func TestTrafficByWindow(t *testing.T) {
	silent := false
	copies := func(n int) int {
		if n%100 == 0 || silent {
			return 0
		}
		return 1
	}
	inEchoScene(t, 10*time.Millisecond, copies, func(s *scene) {
		cfg := load(1, 2)
		cfg.Duration = 10 * time.Second
		cfg.Traffic = Traffic{Sessions: 2, Window: 8}
		cfg.Progress = func(p Progress) { silent = p.At == 5*time.Second } // for a second
		r := s.run(cfg)
		f := r.Traffic
		// 8 in each session every 10 ms, for 7 to 8 s.
		if f.Received < 2*8*100*7 || f.Received > 2*8*100*9 {
			t.Errorf("%d packets came back, want 16 every 10 ms", f.Received)
		}
		if f.Lost < f.Sent/100 || f.Lost > f.Sent/100+16+2 {
			t.Errorf("%d of %d lost, want one in a hundred and those of the pause", f.Lost, f.Sent)
		}
		same(t, "packets of the timeline", sumPackets(r), f.Received)
	})
}

func sumPackets(r *Report) (n uint64) {
	for _, p := range r.Timeline.Points {
		n += p.Packets
	}
	return n
}

// TestEcho: a session whose LNS is silent is dropped.
func TestEcho(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		cfg := load(1, 4)
		cfg.Duration, cfg.EchoInterval, cfg.EchoFailures = time.Minute, 5*time.Second, 3
		cfg.Progress = func(p Progress) {
			if p.At == 10*time.Second {
				s.net.lose = func(b []byte) bool { return b[0]&0x80 == 0 }
			}
		}
		r := s.run(cfg)
		// Neither an echo nor its repetition is a frame sent again.
		same(t, "frames sent again", r.Messages.AgainPPP, 0)
		same(t, "drops", fmt.Sprint(r.Drops), fmt.Sprint([]Failure{{
			Phase: "up", Cause: "no answer", Count: 4, Example: "LCP Echo-Requests went unanswered",
		}}))
	})
}

// TestTunnelsAlone: no sessions are asked for.
func TestTunnelsAlone(t *testing.T) {
	inScene(t, lnsConfig, func(s *scene) {
		cfg := load(100, 0)
		cfg.Duration = 5 * time.Second
		r := s.run(cfg)
		same(t, "tunnels", r.Tunnels, Tunnels{CameUp: 100, MostUp: 100})
		if r.Seconds < 5 || r.Seconds > 7 {
			t.Errorf("the run took %v s, want 5", r.Seconds)
		}
	})
}
