package kernel

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// connections is how many netlink sockets of a kind serve all workers. A
// request occupies a thread while it waits for the kernel's own mutex (genl_mutex,
// RTNL), so that more sockets would only mean more waiting threads.
const connections = 16

// A pool is netlink sockets, each used by one request at a time.
//
// All are opened at once, by the opener's thread: a socket belongs to the
// network namespace it was made in.
type pool struct {
	free   chan *netlink.Conn
	closed chan struct{}
	once   sync.Once
	all    []*netlink.Conn
}

func newPool(family int) (*pool, error) {
	p := &pool{free: make(chan *netlink.Conn, connections), closed: make(chan struct{})}
	for range connections {
		c, err := netlink.Dial(family, &netlink.Config{Strict: true})
		if err != nil {
			p.close()
			return nil, opError("open netlink", err)
		}
		p.all = append(p.all, c)
		p.free <- c
	}
	return p, nil
}

// do calls f with a socket that nobody else uses.
func (p *pool) do(ctx context.Context, f func(*netlink.Conn) error) error {
	select {
	case <-p.closed:
		return fs.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case c := <-p.free:
		defer func() { p.free <- c }()
		err := f(c)
		if mayBeAnswers(err) {
			drain(c)
		}
		return err
	}
}

// mayBeAnswers tells whether after err answers may still come, which the next
// request would take for its own: anything but what the kernel answered.
func mayBeAnswers(err error) bool {
	if err == nil {
		return false
	}
	errno, ok := errors.AsType[unix.Errno](err)
	return !ok || errno == unix.ENOBUFS
}

// drainTime is how long answers may keep coming: the kernel gives them, all but
// dumps, before it returns from taking the request.
const drainTime = 100 * time.Millisecond

// drain throws away what a socket has received.
func drain(c *netlink.Conn) {
	if c.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return
	}
	for range 10 * maxBatch {
		_, err := c.Receive()
		if _, isErrno := errors.AsType[unix.Errno](err); err != nil && !isErrno {
			break // the time is up, or the socket is closed
		}
	}
	c.SetReadDeadline(time.Time{})
}

func (p *pool) close() {
	p.once.Do(func() {
		close(p.closed)
		for _, c := range p.all {
			c.Close()
		}
	})
}

// execute sends one request and returns what it answers.
func (p *pool) execute(ctx context.Context, m netlink.Message) (got []netlink.Message, err error) {
	err = p.do(ctx, func(c *netlink.Conn) error {
		got, err = c.Execute(m)
		return err
	})
	return got, err
}

// maxBatch is how many requests go at once: their acknowledgements wait in the
// socket, whose room the system sets to that for some 200. What has no room is
// lost, and would be waited for in vain.
const maxBatch = 64

// answerRoom is for the acknowledgements of a batch, whatever the system gives a socket.
const answerRoom = 1 << 20

// answerTime is how long acknowledgements may take. The kernel gives them before it returns
// from taking the requests.
const answerTime = 5 * time.Second

// dialRoute opens a socket of rtnetlink with room for the acknowledgements of a batch.
func dialRoute() (*netlink.Conn, error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Strict: true})
	if err != nil {
		return nil, opError("open netlink", err)
	}
	_ = c.SetReadBuffer(answerRoom) // more than the system allows takes rights
	return c, nil
}

// exchange sends requests in one go, so that the kernel works on them back to back,
// and calls done with the outcome of each. Each is acknowledged apart. Once an
// acknowledgement is lost it is not known whose the others are.
func exchange(c *netlink.Conn, ms []netlink.Message, done func(i int, err error)) error {
	defer c.SetReadDeadline(time.Time{})
	i := 0
	for chunk := range slices.Chunk(ms, maxBatch) {
		sent, err := c.SendMessages(chunk)
		if err == nil {
			err = c.SetReadDeadline(time.Now().Add(answerTime))
		}
		if err != nil {
			return err
		}
		for range sent {
			_, err := c.Receive()
			if mayBeAnswers(err) {
				return err
			}
			done(i, err)
			i++
		}
	}
	return nil
}

// attributes encodes what f puts in. Encoding fails only for values that we
// would never build, such as one longer than 64 KiB.
func attributes(f func(*netlink.AttributeEncoder)) []byte {
	ae := netlink.NewAttributeEncoder()
	f(ae)
	b, err := ae.Encode()
	if err != nil {
		panic("kernel: " + err.Error())
	}
	return b
}

// eachAttribute calls f for each attribute of a message.
func eachAttribute(b []byte, f func(*netlink.AttributeDecoder)) error {
	ad, err := netlink.NewAttributeDecoder(b)
	if err != nil {
		return err
	}
	for ad.Next() {
		f(ad)
	}
	return ad.Err()
}

// uintAttribute returns an unsigned number of whatever size the attribute has.
func uintAttribute(ad *netlink.AttributeDecoder) uint64 {
	switch len(ad.Bytes()) {
	case 1:
		return uint64(ad.Uint8())
	case 2:
		return uint64(ad.Uint16())
	case 4:
		return uint64(ad.Uint32())
	case 8:
		return ad.Uint64()
	}
	return 0
}

const (
	request = netlink.Request
	command = netlink.Request | netlink.Acknowledge
	create  = command | netlink.Create
	dump    = netlink.Request | netlink.Dump
)

// isGone reports whether err says that what was to be deleted is not there.
func isGone(err error) bool {
	e, ok := err.(*OpError)
	return ok && (e.Is(fs.ErrNotExist) || e.Err == unix.ENOENT || e.Err == unix.EADDRNOTAVAIL)
}
