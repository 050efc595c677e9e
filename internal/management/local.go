package management

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"sync"

	"culvert/internal/config"
	"culvert/kernel"
)

// A local caller is a process of this machine, at the other end of the socket.
// Who that is the kernel says; what it may do follows from its user and groups.
type local struct {
	name  string
	creds kernel.Credentials

	mu     sync.Mutex
	groups map[string]int // numbers of the groups that were looked up, -1: there is none
}

// newLocal asks the kernel who has connected.
func newLocal(c *net.UnixConn) (caller, error) {
	creds, err := kernel.PeerCredentials(c)
	if err != nil {
		return nil, err
	}
	return &local{name: userName(creds.UID), creds: creds, groups: make(map[string]int)}, nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}

func (l *local) identity(sys config.System) Identity {
	id := Identity{Name: l.name}
	switch {
	case l.creds.UID == 0, l.creds.UID == os.Geteuid(), l.isIn(sys.APIGroup):
		id.Role = Admin
	case l.isIn(sys.APIReadersGroup):
		id.Role = Reader
	}
	return id
}

// isIn reports whether the process was in a group when it connected. A group
// is looked up once for each connection.
func (l *local) isIn(group string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	gid, ok := l.groups[group]
	if !ok {
		gid = groupID(group)
		l.groups[group] = gid
	}
	return gid >= 0 && l.creds.In(gid)
}

// groupID is a group's number, or -1 if there is no such group.
func groupID(name string) int {
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return gid
}

func (l *local) refusal(sys config.System) string {
	return fmt.Sprintf("user %s may not use the daemon's socket: expected %s, or of group %s to look",
		l.name, l.admins(sys), sys.APIReadersGroup)
}

func (l *local) admins(sys config.System) string {
	return "root or a member of group " + sys.APIGroup
}

// strangersMax is how many connections of users without a role may be open at
// once. Each is told why it is refused; more are closed at once, since they would
// use up descriptors that tunnels need.
const strangersMax = 32

// A doorkeeper is the socket's listener. It asks the kernel who connects.
type doorkeeper struct {
	net.Listener
	s         *Server
	strangers chan struct{}
}

func newDoorkeeper(l net.Listener, s *Server) *doorkeeper {
	return &doorkeeper{Listener: l, s: s, strangers: make(chan struct{}, strangersMax)}
}

// Accept waits for a connection whose requests are to be answered.
func (d *doorkeeper) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		unix, ok := c.(*net.UnixConn)
		if !ok {
			return &known{Conn: c, caller: nobody{}}, nil
		}
		who, err := newLocal(unix)
		if err != nil {
			d.s.log().Warn("refusing a connection to the socket", "err", err)
			c.Close()
			continue
		}
		k := &known{Conn: c, caller: who}
		if who.identity(d.s.Store.Snapshot().System()).Role == NoRole {
			select {
			case d.strangers <- struct{}{}:
				k.leave = func() { <-d.strangers }
			default:
				c.Close()
				continue
			}
		}
		return k, nil
	}
}

// A known connection is one whose other end is known.
type known struct {
	net.Conn
	caller caller
	leave  func()
	once   sync.Once
}

// Close closes the connection and gives its place free.
func (k *known) Close() error {
	if k.leave != nil {
		k.once.Do(k.leave)
	}
	return k.Conn.Close()
}

// withCaller is the context of a connection's requests.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	if k, ok := c.(*known); ok {
		return context.WithValue(ctx, callerKey{}, k.caller)
	}
	return ctx
}
