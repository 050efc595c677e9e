package kernel

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Forward is Send for a data plane in this process: it allocates nothing, and its
// errors are bare.
func (s *Socket) Forward(b []byte) error {
	err := s.forward(b)
	if err != nil {
		s.notice()
	}
	return err
}

func (s *Socket) forward(b []byte) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fs.ErrClosed
	}
	_, err := unix.Write(s.fd, b)
	if err == unix.EINTR || isReported(err) { // see send
		s.judge(err)
		_, err = unix.Write(s.fd, b)
	}
	s.judge(err)
	return err
}

// ReadPeer is ReadBatch for a connected socket, once a ReadBatch has emptied it
// after it was connected: then all that comes is the peer's. Data given to
// receive is scratch, not to be kept. ReadPeer allocates nothing.
func (s *Socket) ReadPeer(scratch []byte, limit int, receive func(b []byte)) error {
	for range limit {
		n, err := s.readPeer(scratch)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR || passes(err):
			s.judge(err)
			s.notice()
			continue
		case err != nil:
			return opError("receive on "+s.local.String(), err)
		}
		receive(scratch[:n])
	}
	return nil
}

func (s *Socket) readPeer(b []byte) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, fs.ErrClosed
	}
	return unix.Read(s.fd, b)
}
