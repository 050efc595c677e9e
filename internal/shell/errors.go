package shell

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"connectrpc.com/connect"

	"culvert/internal/schema"
)

// Exit codes of the program.
const (
	ExitRefused     = 1 // the daemon refused, or what was asked for failed
	ExitUsage       = 2 // the command is wrong: nothing was asked of the daemon
	ExitUnreachable = 3 // there is no connection to the daemon
	ExitForbidden   = 4 // we may not do this
)

// An Error is why a command was not carried out.
type Error struct {
	Code int // of the Exit codes
	err  error
}

// Error is one line.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &Error{Code: ExitUsage, err: fmt.Errorf(format, args...)}
}

// Usage marks an error as one of the command line.
func Usage(err error) error { return &Error{ExitUsage, err} }

// ExitCode returns the exit code for what Run returned.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if _, ok := errors.AsType[*schema.SyntaxError](err); ok {
		return ExitUsage
	}
	return ExitRefused
}

// column returns where in its line a command is wrong, from 1, or 0.
func column(err error) int {
	if e, ok := errors.AsType[*schema.SyntaxError](err); ok {
		return e.Column
	}
	return 0
}

// Explain returns the lines that tell why the program failed, which was given
// args as its command. Somebody at a terminal is shown the place.
func (s *Shell) Explain(err error, args []string) []string {
	if errors.Is(err, errStopped) {
		return nil
	}
	text := "l2tpconfig: " + printable(err.Error())
	command := strings.Join(args, " ")
	if at := column(err); at > 0 && s.Terminal != nil && at+1 < s.Terminal.Width() &&
		visible(command)+2 <= s.Terminal.Width() {
		return []string{"  " + printable(command), strings.Repeat(" ", at+1) + "^", text}
	}
	return []string{text}
}

// errStopped ends a command whose output nobody wants to see any more.
var errStopped = errors.New("stopped")

// errDeclined is the answer no to a question.
var errDeclined = errors.New("nothing was changed")

// explain makes one line of a failed request: what the daemon said, or why it
// could not be asked.
func explain(server Server, err error) error {
	if errors.Is(err, context.Canceled) {
		return errStopped
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		code := ExitUnreachable
		if errors.Is(err, fs.ErrPermission) {
			code = ExitForbidden
		}
		return &Error{code, fmt.Errorf("connecting to %s: %s", server, noConnection(server, err))}
	}
	ce, answered := errors.AsType[*connect.Error](err)
	_, alert := errors.AsType[tls.AlertError](err)
	switch {
	case server.Host != "" && (alert || server.Cert == "" && codeOf(ce) == ExitUnreachable):
		// A daemon ends a connection, by an alert or without a word, where it
		// does not like our certificate.
		return &Error{ExitForbidden, fmt.Errorf("connecting to %s: expected --cert and --key with "+
			"a certificate that the daemon knows", server)}
	case errors.As(err, &network):
		return &Error{ExitUnreachable, fmt.Errorf("connecting to %s: %v", server, network.Err)}
	case answered:
		return &Error{codeOf(ce), refusal(server, ce)}
	}
	return err
}

func codeOf(err *connect.Error) int {
	if err == nil {
		return ExitRefused
	}
	if _, network := errors.AsType[*net.OpError](err); network {
		return ExitUnreachable
	}
	switch err.Code() {
	case connect.CodePermissionDenied, connect.CodeUnauthenticated:
		return ExitForbidden
	case connect.CodeUnavailable:
		return ExitUnreachable
	}
	return ExitRefused
}

func refusal(server Server, err *connect.Error) error {
	switch err.Code() {
	case connect.CodeUnavailable:
		return fmt.Errorf("connecting to %s: %s", server, err.Message())
	case connect.CodeUnimplemented:
		return errors.New("this daemon cannot do that: its version is another than the shell's")
	}
	return errors.New(err.Message())
}

func noConnection(server Server, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "permission denied: expected to be root, the user who runs culvertd, or in the socket's group"
	case server.Host != "":
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "culvertd is not running there: expected it to be started, or --socket PATH"
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		return "expected a path of at most 107 characters"
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
