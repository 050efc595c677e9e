package keeper

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// patience is how long a message may take to go into the socket, and an answer
// that needs no work to come.
const patience = 5 * time.Second

// A socket is one end of a connection. Sending and receiving may go on at once.
type socket struct {
	*net.UnixConn
	in, rights []byte // what is received; used by the one who receives
}

func newSocket(c *net.UnixConn) *socket {
	return &socket{
		UnixConn: c,
		in:       make([]byte, maxMessage+1),
		rights:   make([]byte, syscall.CmsgSpace(4*maxFDs)),
	}
}

// send sends a message, whose descriptors stay the caller's. A peer that does not
// read for long is an error.
func (s *socket) send(m message, fds ...int) error {
	b := m.append(make([]byte, 0, 64))
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	deadline := time.Now().Add(patience)
	if err := s.SetWriteDeadline(deadline); err != nil {
		return err
	}
	// "ETOOMANYREFS: This error can occur for sendmsg(2) when sending a file
	// descriptor as ancillary data over a UNIX domain socket [...]. It occurs if the
	// number of "in-flight" file descriptors exceeds the RLIMIT_NOFILE resource
	// limit": the receiver takes them out soon.
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 50*time.Millisecond) {
		_, _, err := s.WriteMsgUnix(b, rights, nil)
		if !errors.Is(err, syscall.ETOOMANYREFS) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(wait)
	}
}

// errFull is a message whose descriptors could not all be received: this
// process, or the system, may have no more.
var errFull = errors.New("descriptors are lost: no more can be open")

// receive waits for a message. Its descriptors are the caller's. With an error there
// are none, and only after errFull can the connection be used.
func (s *socket) receive() (m message, fds []int, err error) {
	n, rights, flags, _, err := s.ReadMsgUnix(s.in, s.rights)
	if errors.Is(err, syscall.ECONNRESET) {
		// The peer has died and not read all that it was sent. The kernel says so once,
		// ahead of what the peer had sent before.
		n, rights, flags, _, err = s.ReadMsgUnix(s.in, s.rights)
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	if err != nil {
		return m, nil, err
	}
	fds, err = parseRights(s.rights[:rights])
	if err == nil {
		m, err = parse(s.in[:n])
	}
	switch {
	case err != nil:
	case flags&syscall.MSG_TRUNC != 0:
		err = errLong
	case flags&syscall.MSG_CTRUNC != 0:
		err = errFull
	case len(fds) != m.descriptors() && m.op != opKeep, len(fds) == 0 && m.op == opKeep:
		err = fmt.Errorf("%d descriptors came with it", len(fds))
	}
	if err != nil {
		CloseAll(fds)
		return m, nil, fmt.Errorf("not a message: %w", err)
	}
	return m, fds, nil
}

// descriptors is how many come with a message, if its text tells.
func (m message) descriptors() (n int) {
	for _, count := range m.counts {
		n += int(count)
	}
	return n
}

// parseRights returns the descriptors of a packet, of which the caller must close
// those that it does not use, also after an error.
func parseRights(b []byte) (fds []int, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	messages, err := syscall.ParseSocketControlMessage(b)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		more, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return fds, err
		}
		fds = append(fds, more...)
	}
	return fds, nil
}

// CloseAll closes descriptors, whatever becomes of them.
func CloseAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
