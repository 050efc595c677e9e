package bench

import (
	"context"
	"fmt"
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
