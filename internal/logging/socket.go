package logging

import (
	"net"
	"time"
)

// A socket is a Unix socket to which datagrams are sent. It is opened when it is
// needed, and again when who reads it has started anew.
type socket struct {
	path string
	conn net.Conn
}

// sendLimit is how long a daemon that reads its socket may take to make room.
const sendLimit = 5 * time.Second

// Write sends a datagram.
func (s *socket) Write(b []byte) (n int, err error) {
	for range 2 { // the first may only tell that the other end is gone
		if s.conn == nil {
			if s.conn, err = s.dial(); err != nil {
				return 0, err
			}
		}
		s.conn.SetWriteDeadline(time.Now().Add(sendLimit))
		if n, err = s.conn.Write(b); err == nil {
			return n, nil
		}
		s.conn.Close()
		s.conn = nil
	}
	return 0, err
}

func (s *socket) dial() (net.Conn, error) {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil { // or c would be an interface that is not nil
		return nil, err
	}
	return c, nil
}
