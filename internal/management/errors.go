package management

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"culvert/internal/config"
)

// Kinds of failure that a Backend reports, with fmt.Errorf("...: %w", ErrNotFound) or
// by wrapping with Errorf.
var (
	ErrNotFound    = config.ErrNotFound        // the object does not exist
	ErrExists      = config.ErrExists          // an object of this name exists
	ErrInvalid     = config.ErrInvalid         // a parameter or a reference is wrong
	ErrRefused     = config.ErrRefused         // not allowed by a limit or a setting
	ErrUnavailable = errors.New("unavailable") // not possible now
)

// Errorf makes an error of a kind, whose text is the formatted text alone.
func Errorf(kind error, format string, args ...any) error {
	return config.Errorf(kind, format, args...)
}

// code finds the Connect code of an error.
func code(err error) connect.Code {
	switch {
	case errors.Is(err, ErrNotFound):
		return connect.CodeNotFound
	case errors.Is(err, ErrExists):
		return connect.CodeAlreadyExists
	case errors.Is(err, ErrInvalid):
		return connect.CodeInvalidArgument
	case errors.Is(err, ErrRefused):
		return connect.CodeFailedPrecondition
	case errors.Is(err, ErrUnavailable):
		return connect.CodeUnavailable
	}
	return connect.CodeInternal
}

func connectError(err error) error {
	if err == nil {
		return nil
	}
	return connect.NewError(code(err), fmt.Errorf("%w", err))
}
