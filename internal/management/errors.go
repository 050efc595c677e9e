package management

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"culvert/internal/config"
)

// Kinds of failure that a Backend reports, with fmt.Errorf("...: %w", NotFound) or
// by wrapping with Errorf.
var (
	NotFound    = config.NotFound    // the object does not exist
	Exists      = config.Exists      // an object of this name exists
	Invalid     = config.Invalid     // a parameter or a reference is wrong
	Refused     = config.Refused     // not allowed by a limit or a setting
	Unavailable = errors.New("unavailable") // not possible now
)

// Errorf makes an error of a kind, whose text is the formatted text alone.
func Errorf(kind error, format string, args ...any) error {
	return config.Errorf(kind, format, args...)
}

// code finds the Connect code of an error.
func code(err error) connect.Code {
	switch {
	case errors.Is(err, NotFound):
		return connect.CodeNotFound
	case errors.Is(err, Exists):
		return connect.CodeAlreadyExists
	case errors.Is(err, Invalid):
		return connect.CodeInvalidArgument
	case errors.Is(err, Refused):
		return connect.CodeFailedPrecondition
	case errors.Is(err, Unavailable):
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
