package engine

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A workload is workers whose jobs each take a second of the test's time.
type workload struct {
	workers
	mu      sync.Mutex
	running [2]int
	ended   []urgency
}

func (w *workload) add(u urgency, n int) {
	for range n {
		w.run(u, func() {
			w.mu.Lock()
			w.running[u.side()]++
			w.mu.Unlock()
			time.Sleep(time.Second)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.running[u.side()]--
			w.ended = append(w.ended, u)
		})
	}
}

// after lets time pass and checks how many jobs of each kind run.
func (w *workload) after(t *testing.T, d time.Duration, setup, teardown int) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got, want := w.running, [2]int{setup, teardown}; got != want {
		t.Errorf("%d set-ups and %d teardowns run, want %d and %d", got[0], got[1], want[0], want[1])
	}
}

// TestWorkersShare has a mass of teardowns take every worker, and then a mass of
// set-ups come: as soon as workers are free each has half of them, and all
// of them once the other is done.
func TestWorkersShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &workload{workers: workers{limit: 8}}
		w.add(forTeardown, 28)
		w.after(t, time.Millisecond, 0, 8)
		w.add(forSetup, 100)
		w.after(t, time.Millisecond, 0, 8)
		for range 5 { // 20 teardowns are left
			w.after(t, time.Second, 4, 4)
		}
		w.after(t, time.Second, 8, 0)
		w.add(forTeardown, 1) // one does not wait behind the set-ups
		w.after(t, time.Second, 7, 1)
		w.wait()
		if len(w.ended) != 129 {
			t.Errorf("%d jobs ended, want 129", len(w.ended))
		}
	})
}

// TestWorkersLeave: workers without a job stay for a while, take the next one, and go.
func TestWorkersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &workload{workers: workers{limit: 8}}
		parked := func() int {
			w.workers.mu.Lock()
			defer w.workers.mu.Unlock()
			return len(w.parked)
		}
		w.add(forSetup, 3)
		w.after(t, time.Second+parkTime/2, 0, 0)
		if n := parked(); n != 3 {
			t.Errorf("%d workers are parked, want 3", n)
		}
		w.add(forSetup, 2)
		if n := parked(); n != 1 {
			t.Errorf("%d workers are parked while two of three have a job, want 1", n)
		}
		w.after(t, time.Second+parkTime*2, 0, 0)
		if n := parked(); n != 0 {
			t.Errorf("%d workers are parked after their time, want none", n)
		}
	})
}
