package bench

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"culvert/internal/dataplane"
)

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
