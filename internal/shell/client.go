package shell

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"connectrpc.com/connect"

	"culvert/api/apiconnect"
)

// newClient returns a client of the daemon that listens on the Unix socket.
func newClient(socket string) apiconnect.ManagementClient {
	var d net.Dialer
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	}
	return apiconnect.NewManagementClient(&http.Client{Transport: transport}, "http://culvert")
}

// explain makes one line of a failed request: what the daemon said, or why it
// could not be asked.
func explain(socket string, err error) error {
	var connecting *net.OpError
	if errors.As(err, &connecting) && connecting.Op == "dial" {
		return fmt.Errorf("connecting to %s: %s", socket, noConnection(err))
	}
	if ce, ok := errors.AsType[*connect.Error](err); ok {
		return errors.New(ce.Message())
	}
	return err
}

func noConnection(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "permission denied: expected to be run by the user who runs culvertd"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "culvertd is not running there: expected it to be started, or --socket PATH"
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		return "expected a path of at most 107 characters"
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	return err.Error()
}
