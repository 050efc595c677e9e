package soak

import (
	"math/rand/v2"
	"testing"
)

// made are readings of lives of so many cycles, each of 1000 sessions, by a function of the
// sessions that the life had.
func made(lives, cycles int, value func(life int, work float64) float64) (all []reading) {
	for life := range lives {
		for i := range cycles {
			work := float64(1000 * (i + 1))
			all = append(all, reading{life, work, value(life, work)})
		}
	}
	return all
}

func TestGrowth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func() float64 { return 20_000 * (random.Float64() - 0.5) }
	spike := func(work float64) float64 {
		if work == 3000 || work == 9000 {
			return 5e6
		}
		return 0
	}
	of := allowance{each: 2, once: 30_000}
	for _, test := range []struct {
		name     string
		readings []reading
		want     bool
	}{
		{"flat", made(1, 10, func(int, float64) float64 { return 1e6 }), false},
		{"noise", made(1, 10, func(int, float64) float64 { return 1e6 + noise() }), false},
		{"two far off", made(1, 10, func(_ int, work float64) float64 { return 1e6 + spike(work) }), false},
		{"shrinks", made(1, 10, func(_ int, work float64) float64 { return 1e6 - 100*work }), false},
		{"leak", made(1, 10, func(_ int, work float64) float64 { return 1e6 + 16*work + noise() }), true},
		{"leak and far off", made(1, 10, func(_ int, work float64) float64 {
			return 1e6 + 16*work - spike(work)
		}), true},
		{"within the allowance", made(1, 10, func(_ int, work float64) float64 { return 2 * work }), false},
		{"each life begins higher", made(4, 3, func(life int, _ float64) float64 {
			return 1e6 * float64(life)
		}), false},
		{"leak in each life", made(4, 3, func(life int, work float64) float64 {
			return 1e7*float64(4-life) + 32*work
		}), true},
		{"two readings", made(1, 2, func(_ int, work float64) float64 { return 1000 * work }), false},
		{"lives of one reading", made(9, 1, func(life int, _ float64) float64 { return 1e6 * float64(life) }), false},
		{"a life of two readings, and one of one", append(made(1, 2, func(_ int, work float64) float64 {
			return 1000 * work
		}), reading{1, 1000, 0}), false},
		{"none", nil, false},
	} {
		if g := growthOf(test.readings); g.exceeds(of) != test.want {
			t.Errorf("%s: %v: exceeds the allowance: %v, want %v", test.name, g, !test.want, test.want)
		}
	}
}

func TestJudged(t *testing.T) {
	for cycles, want := range map[int]bool{0: false, 1: false, 2: false, 3: true} {
		g := growthOf(made(1, cycles, func(int, float64) float64 { return 1 }))
		if g.judged() != want {
			t.Errorf("%d readings: judged %v, want %v", cycles, !want, want)
		}
	}
}
