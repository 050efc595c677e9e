package keeper

import (
	"sync"
	"sync/atomic"
)

// closers is how many descriptors are closed at a time. Closing the last one of a
// ppp channel or unit waits for the kernel's grace periods, some 20 ms, which
// those who wait together share. Each occupies a thread meanwhile.
const closers = 256

// A closer closes descriptors without holding up the one who says so.
type closer struct {
	closeFD func(fd int) error // syscall.Close

	mu      sync.Mutex // guards what follows
	queue   []closing
	workers int
	wg      sync.WaitGroup
}

// A closing is a descriptor to be closed.
type closing struct {
	fd   int
	part *part
}

// A part is a number of closings that somebody waits for.
type part struct {
	left atomic.Int64
	done func()
}

// close closes descriptors some time soon, and calls done after the last.
func (c *closer) close(fds []int32, done func()) {
	if len(fds) == 0 {
		done()
		return
	}
	p := &part{done: done}
	p.left.Store(int64(len(fds)))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, fd := range fds {
		c.queue = append(c.queue, closing{int(fd), p})
	}
	for c.workers < min(closers, len(c.queue)) {
		c.workers++
		c.wg.Go(c.work)
	}
}

// work closes what is queued, and ends when there is nothing.
func (c *closer) work() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.workers--
			c.queue = nil // a burst's memory is not kept
			c.mu.Unlock()
			return
		}
		job := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		_ = c.closeFD(job.fd) // the kernel closes it whatever it says
		if job.part.left.Add(-1) == 0 {
			job.part.done()
		}
	}
}

// wait waits until all is closed. Nothing may be added meanwhile.
func (c *closer) wait() { c.wg.Wait() }
