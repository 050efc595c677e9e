package management

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/config"
	"culvert/internal/schema"
)

// readersMay lists what those who may only look may call. What is not listed is
// for admins.
var readersMay = map[string]bool{
	apiconnect.ManagementVersionProcedure:       true,
	apiconnect.ManagementShowProcedure:          true,
	apiconnect.ManagementListProcedure:          true,
	apiconnect.ManagementSaveProcedure:          true, // with mask_secrets
	apiconnect.ManagementGetRevisionProcedure:   true, // with mask_secrets
	apiconnect.ManagementCheckConfigProcedure:   true,
	apiconnect.ManagementListRevisionsProcedure: true,
	apiconnect.ManagementWatchProcedure:         true,
	apiconnect.ManagementTraceProcedure:         true,
}

// roleFor is the role that a request needs. The message is nil for a stream, which
// is admitted before it is read.
func roleFor(procedure string, message any) Role {
	if !readersMay[procedure] {
		return Admin
	}
	if m, ok := message.(interface{ GetMaskSecrets() bool }); ok && !m.GetMaskSecrets() {
		return Admin
	}
	return Reader
}

// A caller is whoever is at the other end of a connection.
type caller interface {
	// identity says who that is and what it may do, by what is configured now.
	identity(sys config.System) Identity
	// refusal says why somebody without a role has none, and who would have one.
	refusal(sys config.System) string
	// admins says who may change everything.
	admins(sys config.System) string
}

type callerKey struct{}

// callerOf returns who made the connection of a request.
func callerOf(ctx context.Context) caller {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok {
		return nobody{}
	}
	return c
}

// nobody is who is at the other end of a connection that tells nothing.
type nobody struct{}

func (nobody) identity(config.System) Identity { return Identity{} }
func (nobody) refusal(config.System) string    { return "it is not known who asks" }
func (nobody) admins(config.System) string     { return "nobody on such a connection" }

// admit returns the context of a request with who makes it, or an error if they
// may not.
func (s *Server) admit(ctx context.Context, procedure string, message any) (
	context.Context, error) {
	sys, c := s.Store.Snapshot().System(), callerOf(ctx)
	id := c.identity(sys)
	need := roleFor(procedure, message)
	switch {
	case id.Role >= need:
		return WithIdentity(ctx, id), nil
	case id.Role == NoRole:
		return nil, connect.NewError(connect.CodePermissionDenied, errors.New(c.refusal(sys)))
	case readersMay[procedure]:
		return nil, connect.NewError(connect.CodePermissionDenied, fmt.Errorf(
			"%s: %s may only look, and see no secrets: expected mask_secrets, or %s",
			path.Base(procedure), id.Name, c.admins(sys)))
	}
	return nil, connect.NewError(connect.CodePermissionDenied, fmt.Errorf(
		"%s: %s may only look: expected %s", path.Base(procedure), id.Name, c.admins(sys)))
}

// gate admits requests and logs them. It is the interceptor of every RPC.
type gate struct{ s *Server }

// WrapUnary admits and logs requests with one answer.
func (g gate) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		procedure := r.Spec().Procedure
		admitted, err := g.s.admit(ctx, procedure, r.Any())
		if err != nil {
			g.s.logRequest(ctx, procedure, r.Any(), err)
			return nil, err
		}
		res, err := next(admitted, r)
		g.s.logRequest(admitted, procedure, r.Any(), err)
		return res, err
	}
}

// WrapStreamingClient is for clients, which we are not.
func (g gate) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler admits and logs requests with many answers. They end when
// their listener does, and when the caller's role is taken away.
func (g gate) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		procedure := conn.Spec().Procedure
		admitted, err := g.s.admit(ctx, procedure, nil)
		g.s.logRequest(ctx, procedure, nil, err)
		if err != nil {
			return err
		}
		until, cancel := context.WithCancelCause(admitted)
		defer cancel(nil)
		defer context.AfterFunc(endingOf(ctx), func() { cancel(errStopping) })()
		err = next(until, guarded{conn, func() error {
			_, err := g.s.admit(ctx, procedure, nil)
			return err
		}})
		if context.Cause(until) == errStopping {
			return connect.NewError(connect.CodeUnavailable, errStopping)
		}
		return err
	}
}

// errStopping is told to whoever watches when no more is to come.
var errStopping = errors.New("the daemon stops, or serves no longer there")

// A guarded stream sends nothing to whom has lost the role for it.
type guarded struct {
	connect.StreamingHandlerConn
	check func() error
}

// Send sends a message if the caller may still have it.
func (g guarded) Send(m any) error {
	if err := g.check(); err != nil {
		return err
	}
	return g.StreamingHandlerConn.Send(m)
}

// logRequest logs who changed what, without the parameters.
func (s *Server) logRequest(ctx context.Context, procedure string, message any, err error) {
	sys := s.Store.Snapshot().System()
	id := callerOf(ctx).identity(sys)
	s.traceRequest(sys, id, procedure, message, err)
	if roleFor(procedure, message) == Reader {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", path.Base(procedure)),
		slog.String("who", id.Name),
	}
	if label := labelOf(message); label != "" {
		attrs = append(attrs, slog.String("object", label))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	s.log().LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

// labelOf names the object that a request is about, if it is about one.
func labelOf(message any) string {
	m, ok := message.(interface{ GetObject() *api.Object })
	if !ok {
		return ""
	}
	if o := schema.Unwrap(m.GetObject()); o != nil {
		return schema.Label(o)
	}
	return ""
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}
