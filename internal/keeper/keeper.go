package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// DefaultSocket is where the keeper listens, and the client looks for it.
const DefaultSocket = "/run/culvert/keeper.sock"

// A Keeper holds descriptors for clients.
type Keeper struct {
	log      *slog.Logger
	listener *net.UnixListener
	kept     *kept

	clients sync.WaitGroup
	mu      sync.Mutex // guards what follows
	newest  *client
	all     map[*client]bool
	ended   bool
}

// A client is one connection of a [Client], as the keeper sees it.
type client struct {
	*socket
	pid  int32
	done chan struct{} // closed when nothing of it is read any more
	// until is when reading ends at the latest, zero before a newer client has come.
	// The one who reads has it.
	until time.Time
}

// Listen opens the socket at path, where no other keeper may serve. One that is left of a
// process that has died is replaced.
func Listen(path string, log *slog.Logger) (*Keeper, error) {
	l, err := listen(path)
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		log: log, listener: l, kept: newKept(),
		all: make(map[*client]bool),
	}
	return k, nil
}

func listen(path string) (*net.UnixListener, error) {
	addr := &net.UnixAddr{Name: path, Net: "unixpacket"}
	if c, err := net.DialUnix("unixpacket", nil, addr); err == nil {
		c.Close()
		return nil, fmt.Errorf("listening on %s: another keeper serves there", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing the socket of a keeper that has died: %w", err)
		}
	}
	// Nobody else can connect even for a moment: of others the credentials are refused too.
	mask := syscall.Umask(0o177)
	l, err := net.ListenUnix("unixpacket", addr)
	syscall.Umask(mask)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return l, nil
}

// Serve holds what clients give it until ctx is done. Then it closes everything, which
// ends what nobody else holds, and returns.
func (k *Keeper) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, k.stop)
	defer stop()
	var failed error
	for ctx.Err() == nil {
		c, err := k.listener.AcceptUnix()
		if err != nil {
			if failed = err; isPassing(err) {
				k.log.Error("accepting a client", "err", err)
				time.Sleep(100 * time.Millisecond)
				continue
			}
			break
		}
		k.accept(c)
	}
	k.stop()
	k.clients.Wait()
	k.log.Info("closing", "kept", k.kept.String())
	k.kept.end()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("accepting clients: %w", failed)
}

// isPassing tells whether accepting may work again soon.
func isPassing(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM) ||
		errors.Is(err, syscall.ECONNABORTED)
}

// stop ends listening and all connections.
func (k *Keeper) stop() {
	k.listener.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	for c := range k.all {
		c.Close()
	}
}

// accept serves a connection on a goroutine of its own.
func (k *Keeper) accept(conn *net.UnixConn) {
	c := &client{socket: newSocket(conn), done: make(chan struct{})}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		conn.Close()
		return
	}
	k.all[c] = true
	k.clients.Go(func() {
		err := k.serve(c)
		conn.Close()
		close(c.done)
		k.mu.Lock()
		delete(k.all, c)
		k.mu.Unlock()
		k.log.Info("client is gone", "pid", c.pid, "why", err, "kept", k.kept.String())
	})
}

// serve does what a client says until it is gone, or says nonsense.
func (k *Keeper) serve(c *client) error {
	if err := k.greet(c); err != nil {
		return err
	}
	for {
		m, fds, err := c.receive()
		switch {
		case errors.Is(err, errFull):
			k.log.Error("not kept: raise the limit of open files (LimitNOFILE)", "err", err)
			_ = c.send(message{op: opFull}) // a client that is gone need not know
			continue
		case errors.Is(err, os.ErrDeadlineExceeded) && c.until.IsZero():
			c.until = time.Now().Add(patience)
			if err := c.mayGoOn(); err != nil {
				return err
			}
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errNewer
		case errors.Is(err, io.EOF):
			return errors.New("it has ended")
		case err != nil:
			return err
		}
		if err := k.do(c, m, fds); err != nil {
			return err
		}
		if err := c.mayGoOn(); err != nil {
			return err
		}
	}
}

var errNewer = errors.New("a newer client has come")

// overlap is for how long a client that is still there must have said nothing when a
// newer one has come. One that has died is at its end before that.
const overlap = 200 * time.Millisecond

// mayGoOn ends a client that goes on for too long after a newer one has come.
func (c *client) mayGoOn() error {
	if c.until.IsZero() {
		return nil
	}
	if time.Now().After(c.until) {
		return errNewer
	}
	return c.SetReadDeadline(time.Now().Add(overlap))
}

// greet finds out who the client is, and makes it the one that is served.
func (k *Keeper) greet(c *client) error {
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	m, fds, err := c.receive()
	CloseAll(fds)
	if err != nil {
		return err
	}
	if m.op != opHello {
		return errors.New("it says no hello")
	}
	if m.version != version {
		return errors.Join(fmt.Errorf("its version is %d, and ours %d", m.version, version),
			c.send(message{op: opHello, version: version}))
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	k.mu.Lock()
	before := k.newest
	k.newest = c
	k.mu.Unlock()
	if before != nil {
		before.SetReadDeadline(time.Now()) // it looks up, and then reads on to the end
		<-before.done
	}
	k.log.Info("client has come", "pid", c.pid, "kept", k.kept.String())
	return c.send(message{op: opHello, version: version})
}

// authenticate lets this process's user in, and root.
func (c *client) authenticate() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var who *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		who, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("asking who connected: %w", err)
	}
	c.pid = who.Pid
	if who.Uid != 0 && int(who.Uid) != os.Geteuid() {
		return fmt.Errorf("user %d may not", who.Uid)
	}
	return nil
}

// do carries out what a client says.
func (k *Keeper) do(c *client, m message, fds []int) error {
	switch m.op {
	case opKeep:
		k.kept.keep(m.keys[0], fds)
	case opDrop:
		k.kept.drop(m.keys, func() {
			// A client that is gone does not wait any more.
			_ = c.send(message{op: opDropped, sequence: m.sequence})
		})
	case opList:
		return k.kept.list(c.socket)
	default:
		CloseAll(fds)
		return fmt.Errorf("it says %d, which is the keeper's", m.op)
	}
	return nil
}
