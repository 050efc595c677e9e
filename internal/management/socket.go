package management

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"culvert/api"
)

// DefaultSocket is where the daemon listens if nothing else is said.
const DefaultSocket = api.DefaultSocket

// Listen opens the socket. Everybody may connect: who asks is seen by the
// credentials of the process, and refused with a word on why, which the socket's mode could
// not say. It makes the folder if need be, replaces a socket on which nobody
// listens any more, and refuses one on which somebody does.
func Listen(path string) (net.Listener, error) {
	if err := clear(path); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, reason(err))
	}
	return l, nil
}

// reason takes away the layers of net's errors, which repeat the path.
func reason(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}

// clear makes place for a socket.
func clear(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return reason(err)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return reason(err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return errors.New("a file that is not a socket is there")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return errors.New("another daemon is listening there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return reason(err)
	}
	return os.Remove(path)
}
