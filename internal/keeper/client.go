package keeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// A Client gives descriptors to a keeper. Its methods may be called from many
// goroutines.
//
// It remembers nothing of what it gave: after the keeper has died, and another one has
// come, its owner gives everything again; see Run.
type Client struct {
	path string

	// sending is held while something is sent: what a caller has sent before it goes on,
	// the keeper hears before what others send then.
	sending sync.Mutex

	mu       sync.Mutex  // guards what follows
	conn     *connection // nil: there is none
	last     *connection // that there was, of which Run tells how it ended
	closed   bool
	fault    error  // why something is not kept, though the keeper is there
	next     *batch // collects keys to drop until its leader sends it
	sequence uint32
	dropping map[uint32]*batch // by the sequence of the message
}

// A connection is a socket to a keeper, and how it ended.
type connection struct {
	*socket
	done chan struct{} // closed when nothing is read any more
	err  error         // why, then
}

// Dial connects to the keeper at path, and returns what it holds by key: the descriptors
// are the caller's. It waits for what an earlier client has said to be carried out.
func Dial(path string) (c *Client, kept map[string][]int, err error) {
	s, err := connect(path)
	if err != nil {
		return nil, nil, err
	}
	kept = make(map[string][]int)
	err = s.list(func(key string, fds []int) { kept[key] = fds })
	if err != nil {
		for _, fds := range kept {
			CloseAll(fds)
		}
		s.Close()
		return nil, nil, fmt.Errorf("asking the keeper what it holds: %w", err)
	}
	c = &Client{path: path, dropping: make(map[uint32]*batch)}
	c.use(s)
	return c, kept, nil
}

// connect connects, and is greeted.
func connect(path string) (*socket, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("connecting to the keeper: %w", err)
	}
	s := newSocket(conn)
	if err := s.hello(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting the keeper at %s: %w", path, err)
	}
	return s, nil
}

func (s *socket) hello() error {
	if err := s.send(message{op: opHello, version: version}); err != nil {
		return err
	}
	m, err := s.answer()
	switch {
	case err != nil:
		return err
	case m.op != opHello || m.version != version:
		return fmt.Errorf("it is version %d, and this is %d", m.version, version)
	}
	return nil
}

// answer waits for a message without descriptors.
func (s *socket) answer() (message, error) {
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return message{}, err
	}
	m, fds, err := s.receive()
	CloseAll(fds)
	return m, err
}

// list asks for everything, and calls f for each key. The descriptors are f's.
func (s *socket) list(f func(key string, fds []int)) error {
	if err := s.send(message{op: opList}); err != nil {
		return err
	}
	for {
		if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		m, fds, err := s.receive()
		switch {
		case err != nil:
			return err
		case m.op == opEnd:
			return nil
		case m.op != opKept:
			CloseAll(fds)
			return fmt.Errorf("it says %d", m.op)
		}
		for i, key := range m.keys {
			n := int(m.counts[i])
			f(key, fds[:n:n])
			fds = fds[n:]
		}
	}
}

// use makes s the connection, on which the keeper's answers are read from now on.
func (c *Client) use(s *socket) *connection {
	conn := &connection{socket: s, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		s.Close()
	} else {
		c.conn, c.last, c.fault = conn, conn, nil
	}
	go func() {
		conn.err = c.read(conn)
		c.lose(conn)
		close(conn.done)
	}()
	return conn
}

// read takes the keeper's answers.
func (c *Client) read(conn *connection) error {
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	for {
		m, fds, err := conn.receive()
		CloseAll(fds)
		if err != nil {
			return err
		}
		switch m.op {
		case opDropped:
			c.dropped(m.sequence)
		case opFull:
			c.isFull(conn)
		default:
			return fmt.Errorf("the keeper says %d", m.op)
		}
	}
}

// errNoRoom is the client's word for opFull.
var errNoRoom = errors.New("culvert-keeper may not have as many files open as that takes")

// isFull notes that a keeper does not hold all that it was given.
func (c *Client) isFull(conn *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == conn {
		c.fault = errNoRoom
	}
}

// Fault returns why not all is kept that was given to the keeper. That is over when another
// one has come: see Run.
func (c *Client) Fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// lose ends the use of a connection, and lets go who waits for it.
func (c *Client) lose(conn *connection) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == conn {
		c.conn = nil
	}
	for sequence, b := range c.dropping {
		delete(c.dropping, sequence)
		b.acknowledge()
	}
}

// current returns the connection, nil if there is none.
func (c *Client) current() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// Keep has the keeper hold copies of descriptors, 1 to 253 of them, under a key of
// 1 to 255 bytes, in place of what it has there. When it returns they are on their
// way, which the end of this process does not stop. Without a keeper nothing is kept.
func (c *Client) Keep(key string, fds ...int) {
	if len(key) == 0 || len(key) > maxKey || len(fds) == 0 || len(fds) > maxFDs {
		panic(fmt.Sprintf("keeper: %d descriptors for key %q", len(fds), key))
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	conn := c.current()
	if conn == nil {
		return // who comes is given everything
	}
	err := conn.send(message{op: opKeep, keys: []string{key}}, fds...)
	if err != nil && !errors.Is(err, syscall.EBADF) { // that is closed: nothing to keep
		conn.Close() // whereupon its reader ends, and Run knows
	}
}

// Run looks after the connection until ctx is done: when the keeper is gone, it calls
// changed with the cause, looks for another one, and calls changed with nil when that is
// there. It holds nothing then: changed must give it everything again, by Keep.
func (c *Client) Run(ctx context.Context, changed func(lost error)) error {
	c.mu.Lock()
	conn := c.last // perhaps it has ended already
	c.mu.Unlock()
	for conn != nil {
		select {
		case <-conn.done:
		case <-ctx.Done():
			return nil
		}
		if c.isClosed() {
			return nil
		}
		changed(fmt.Errorf("the keeper is gone: %w", conn.err))
		if conn = c.reconnect(ctx); conn != nil {
			changed(nil)
		}
	}
	return nil
}

// Between attempts to reconnect the client waits for a while, and longer each time.
const (
	firstWait = 20 * time.Millisecond
	lastWait  = 5 * time.Second
)

// reconnect tries until a keeper is there and empty, or ctx is done.
func (c *Client) reconnect(ctx context.Context) *connection {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		if s, err := connect(c.path); err == nil {
			if err = s.clear(); err == nil {
				return c.use(s)
			}
			s.Close()
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		if c.isClosed() {
			return nil
		}
	}
}

// clear has the keeper drop everything: if it is the same as before, and only the
// connection broke, it may hold what was closed meanwhile. Nothing ends by that, as this
// process holds all that there is.
func (s *socket) clear() error {
	var keys []string
	err := s.list(func(key string, fds []int) {
		keys = append(keys, key)
		CloseAll(fds)
	})
	if err != nil {
		return err
	}
	for sequence, m := range dropMessages(keys) {
		m.sequence = uint32(sequence)
		if err := s.send(m); err != nil {
			return err
		}
		if m, err := s.answer(); err != nil || m.op != opDropped {
			return errors.Join(err, errors.New("it did not drop what it held"))
		}
	}
	return nil
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Close ends the connection. The keeper holds what it has.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		conn.Close()
		<-conn.done
	}
	return nil
}
