package kernel

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// TestCombiner has many callers at once: each is served once, before its call returns,
// one round at a time, in rounds that weigh no more than they may.
func TestCombiner(t *testing.T) {
	const limit, callers, each = 10, 50, 100
	type item struct{ weight, served int }
	var serving atomic.Int32
	c := combiner[*item]{
		limit:  limit,
		weight: func(i *item) int { return i.weight },
		serve: func(round []*item) {
			if serving.Add(1) > 1 {
				t.Error("two rounds at a time")
			}
			sum := 0
			for _, i := range round {
				sum += i.weight
				i.served++
			}
			if sum > limit && len(round) > 1 {
				t.Errorf("a round of %d requests weighs %d, want %d at most", len(round), sum, limit)
			}
			serving.Add(-1)
		},
	}
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			for range each {
				i := &item{weight: 1 + n%(limit+2)} // some weigh more than a round may
				if c.do(i); i.served != 1 {
					t.Errorf("served %d times, want once", i.served)
				}
			}
		})
	}
	wg.Wait()
	if c.leading || len(c.waiting) > 0 {
		t.Errorf("%d requests wait, and somebody leads: %v", len(c.waiting), c.leading)
	}
}

// TestCombinerGathers has callers wait for a round that takes long: the next ones serve as
// many of them as they may.
func TestCombinerGathers(t *testing.T) {
	const callers, limit = 20, 8
	begun, proceed := make(chan bool), make(chan bool)
	var rounds []int
	c := combiner[int]{limit: limit, weight: func(int) int { return 1 }}
	c.serve = func(round []int) {
		rounds = append(rounds, len(round))
		if len(rounds) == 1 {
			begun <- true
			<-proceed
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { c.do(0) })
	<-begun
	for i := range callers {
		wg.Go(func() { c.do(i) })
	}
	waiting := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.waiting)
	}
	for waiting() < callers {
		runtime.Gosched()
	}
	proceed <- true
	wg.Wait()
	if want := []int{1, 8, 8, 4}; !slices.Equal(rounds, want) {
		t.Errorf("rounds of %v requests, want %v", rounds, want)
	}
}
