package kernel

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An OpError is what the kernel said to one request.
//
// Ask it with errors.Is: for fs.ErrNotExist, fs.ErrExist, fs.ErrPermission,
// fs.ErrClosed, errors.ErrUnsupported or the errno itself.
type OpError struct {
	Op      string // what was being done, with the name of the thing
	Err     error  // mostly an errno
	Message string // the kernel's extended acknowledgement, often empty
}

// Error returns one line: what was being done, the cause, and the kernel's own words.
func (e *OpError) Error() string {
	if e.Message != "" {
		return e.Op + ": " + e.Err.Error() + " (" + e.Message + ")"
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Is adds to what an errno answers by itself the numbers that netlink, sockets
// and ppp use for the same conditions.
func (e *OpError) Is(target error) bool {
	errno, ok := errors.AsType[unix.Errno](e.Err)
	if !ok {
		return false
	}
	switch target {
	case fs.ErrNotExist:
		return errno == unix.ENODEV || errno == unix.ESRCH || errno == unix.ENXIO ||
			errno == unix.ENOTCONN
	case errors.ErrUnsupported:
		return errno == unix.EAFNOSUPPORT || errno == unix.EPROTONOSUPPORT ||
			errno == unix.ESOCKTNOSUPPORT || errno == unix.ENOTTY
	}
	return false
}

// opError wraps err, nil for nil. It lifts the extended acknowledgement out of
// the netlink package's error.
func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	if ne, ok := errors.AsType[*netlink.OpError](err); ok {
		cause := ne.Err
		if errno, ok := errors.AsType[unix.Errno](ne.Err); ok {
			cause = errno
		}
		return &OpError{Op: op, Err: cause, Message: ne.Message}
	}
	return &OpError{Op: op, Err: err}
}

// opErrorf is opError for what is done for every session: what was being done is put into
// words only if it failed.
func opErrorf(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return opError(fmt.Sprintf(format, args...), err)
}
