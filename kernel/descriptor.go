package kernel

import (
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"
)

// A descriptor is a file descriptor that may be used by one goroutine while
// another one closes it: the number is given back to the system only after the
// last use, so that no use ever meets a stranger's descriptor.
//
// The descriptors of this package are not in Go's poller one by one; a [Poller]
// waits for many of them.
type descriptor struct {
	mu     sync.RWMutex
	fd     int
	closed bool
}

// use calls f with the number, or returns fs.ErrClosed.
func (d *descriptor) use(f func(fd int) error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return fs.ErrClosed
	}
	return f(d.fd)
}

// FD returns the number for a Poller or for handing it to another process, -1
// after Close. It stays valid only until Close.
func (d *descriptor) FD() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return -1
	}
	return d.fd
}

// Close closes the descriptor after waiting for the uses under way. Closing it
// again does nothing, and does not wait for the one who closes it.
func (d *descriptor) Close() error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	d.mu.Unlock()
	if !first {
		return nil
	}
	// With no lock held: the kernel may wait for grace periods in here, and
	// uses that begin now are to fail at once.
	return unix.Close(d.fd)
}

// retry calls f again while a signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
