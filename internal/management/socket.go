package management

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"culvert/api"
	"culvert/api/apiconnect"
)

// DefaultSocket is where the daemon listens if nothing else is said.
const DefaultSocket = api.DefaultSocket

// Listen opens the socket, for its owner alone. It makes the folder if need
// be, replaces a socket on which nobody listens any more, and refuses one on
// which somebody does.
func Listen(path string) (net.Listener, error) {
	if err := clear(path); err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	// The mask makes the socket private from the moment it exists. It is
	// process-wide, but nothing else is created while the daemon starts.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
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

// Serve answers requests on l until ctx is done, then closes l and waits a
// little for requests under way.
func Serve(ctx context.Context, l net.Listener, s *Server) error {
	mux := http.NewServeMux()
	mux.Handle(apiconnect.NewManagementHandler(handler{s: s}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serving the management API: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return srv.Close()
	}
	return nil
}
