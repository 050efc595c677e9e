package keeper

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestClosingIsWide closes descriptors that take as long as ppp's: hundreds at a time,
// and what is told meanwhile is not held up.
func TestClosingIsWide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, each = 3000, 20 * time.Millisecond
		var now, most, all atomic.Int64
		k := newKept()
		k.closer.closeFD = func(fd int) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(each)
			now.Add(-1)
			all.Add(1)
			return nil
		}
		begin := time.Now()
		var acked atomic.Int64
		for i := range n {
			key := fmt.Sprint(i)
			k.keep(key, []int{i})
			k.drop([]string{key}, func() { acked.Add(1) })
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("saying so took %v", took)
		}
		k.end()
		rounds := time.Duration((n + closers - 1) / closers)
		if took := time.Since(begin); took > rounds*each {
			t.Errorf("closing took %v, want at most %v", took, rounds*each)
		}
		if all.Load() != n || acked.Load() != n || most.Load() > closers {
			t.Errorf("%d closed, %d acknowledged, up to %d at a time; want %d and up to %d",
				all.Load(), acked.Load(), most.Load(), n, closers)
		}
	})
}

// TestManyDescriptors holds those of 50,000 sessions, or as many as may be open here,
// and says what one costs.
func TestManyDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	sessions := min(50_000, (limit.Cur-200)/3)
	p := started(t)
	c, _ := p.dial()
	pipe := newPipe(t)
	defer CloseAll([]int{pipe.r, pipe.w})
	before, began := heap(), time.Now()
	for i := range sessions {
		c.Keep(fmt.Sprint("session/7/", i), pipe.w, pipe.w)
		c.Keep(fmt.Sprint("unit/7/", i), pipe.w)
	}
	c.Drop(t.Context(), "nothing") // it has read everything
	cost := (heap() - before) / (3 * sessions)
	t.Logf("%d B a descriptor; %v to keep %v", cost, time.Since(began), p.kept)
	if cost > 80 {
		t.Errorf("a descriptor costs %d B, want at most 80", cost)
	}
	if keys, fds := p.kept.count(); keys != int(2*sessions) || fds != int(3*sessions) {
		t.Errorf("%d keys with %d descriptors, want %d with %d", keys, fds, 2*sessions, 3*sessions)
	}
	began = time.Now()
	p.end()
	t.Logf("%v to close them", time.Since(began))
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
