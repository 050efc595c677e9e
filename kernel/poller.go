package kernel

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Poller waits for many descriptors with one goroutine and no thread: they
// are in one epoll set, and the set itself is in Go's own poller.
//
// Callbacks run one after the other on the poller's goroutine and must not
// block. Readiness is level-triggered: what a callback leaves unread calls it again.
type Poller struct {
	file *os.File
	done chan struct{}

	mu   sync.Mutex // guards what follows
	last uint32     // turn of the last registration
	byFD map[int32]*registration
}

// A registration is one descriptor. By its turn an event that was fetched before a Remove
// is told from one of the next descriptor with the number. There are two for each
// session: so this is small.
type registration struct {
	fd      int32
	turn    uint32
	onReady func()

	mu    sync.Mutex // held while onReady runs
	muted bool       // not in the set any more; guarded by the poller's mu
	gone  bool       // guarded by mu
}

// NewPoller starts a poller.
func NewPoller() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, opError("create epoll", err)
	}
	// os.NewFile takes only non-blocking descriptors into Go's poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, opError("create epoll", err)
	}
	p := &Poller{
		file: os.NewFile(uintptr(fd), "epoll"),
		done: make(chan struct{}),
		byFD: make(map[int32]*registration),
	}
	go p.run()
	return p, nil
}

// Add calls onReady whenever fd can be read, has an error or is hung up.
func (p *Poller) Add(fd int, onReady func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byFD == nil {
		return opError("add to poller", fs.ErrClosed)
	}
	if p.byFD[int32(fd)] != nil {
		return opError("add to poller", unix.EEXIST)
	}
	p.last++
	r := &registration{fd: int32(fd), turn: p.last, onReady: onReady}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: r.fd, Pad: int32(r.turn)}
	if err := p.control(unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return opError("add to poller", err)
	}
	p.byFD[r.fd] = r
	return nil
}

// Remove ends the callbacks of fd, to be called before fd is closed. It waits
// for one that is running: after Remove none runs nor will. A callback must
// not remove itself (see Mute). Removing what is not there does nothing.
func (p *Poller) Remove(fd int) {
	p.mu.Lock()
	r := p.byFD[int32(fd)]
	if r != nil {
		delete(p.byFD, r.fd)
		p.mute(r)
	}
	p.mu.Unlock()
	if r != nil {
		r.mu.Lock()
		r.gone = true
		r.mu.Unlock()
	}
}

// Mute ends the callbacks of fd without waiting, for use in its callback: a
// descriptor that is hung up would call back forever. Remove is still due.
func (p *Poller) Mute(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.byFD[int32(fd)]; r != nil {
		p.mute(r)
	}
}

// mute takes r out of the set. p.mu is held.
func (p *Poller) mute(r *registration) {
	if !r.muted {
		r.muted = true
		p.control(unix.EPOLL_CTL_DEL, int(r.fd), nil) // an error means that fd is closed
	}
}

// control changes the set. p.mu is held.
func (p *Poller) control(op, fd int, ev *unix.EpollEvent) error {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(epfd uintptr) { err = unix.EpollCtl(int(epfd), op, fd, ev) })
	return errors.Join(cerr, err)
}

// Close ends all callbacks and waits for one that is running. It must not be
// called from a callback. The descriptors stay open.
func (p *Poller) Close() error {
	p.mu.Lock()
	p.byFD = nil
	p.mu.Unlock()
	err := p.file.Close()
	<-p.done
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

func (p *Poller) run() {
	defer close(p.done)
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 256)
	for {
		n := 0
		err := raw.Read(func(epfd uintptr) bool {
			retry(func() (err error) { n, err = unix.EpollWait(int(epfd), events, 0); return err })
			return n > 0
		})
		if err != nil {
			return // closed
		}
		for i := range n {
			p.dispatch(events[i].Fd, uint32(events[i].Pad))
		}
	}
}

func (p *Poller) dispatch(fd int32, turn uint32) {
	p.mu.Lock()
	r := p.byFD[fd]
	ours := r != nil && r.turn == turn && !r.muted
	p.mu.Unlock()
	if !ours {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.gone {
		r.onReady()
	}
}
