package management

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/config"
	"culvert/internal/event"
	"culvert/internal/schema"
	"culvert/internal/trace"
)

// APIVersion counts the changes of the schema that an older client cannot read.
const APIVersion = 1

// A Server answers the requests of the management service.
type Server struct {
	Store   *config.Store
	Backend Backend
	Version string
	// Config checks and loads whole configurations; without it those requests
	// are not implemented.
	Config Configurator
	// Events is what Watch sends.
	Events *event.Log
	Trace  *trace.Recorder
	// Metrics answers requests for /metrics; without it there are none.
	Metrics http.Handler
	Log     *slog.Logger

	warnings warnings
	tracing  sync.Mutex // held while trace flags are changed
}

// Version says which daemon this is.
func (s *Server) version(context.Context, *api.VersionRequest) (*api.VersionResponse, error) {
	return &api.VersionResponse{Version: s.Version, ApiVersion: APIVersion}, nil
}

// command makes a checked command of a request.
func command(op schema.Op, o *api.Object, unset []string) (schema.Command, error) {
	m := schema.Unwrap(o)
	if m == nil {
		return schema.Command{}, Errorf(ErrInvalid, "%s: expected an object", op)
	}
	c := schema.Command{Op: op, Kind: schema.KindOf(m), Object: m, Unset: unset}
	if err := c.Check(); err != nil {
		return c, Errorf(ErrInvalid, "%w", err)
	}
	return c, nil
}

func (s *Server) create(ctx context.Context, r *api.CreateRequest) (*api.CreateResponse, error) {
	c, err := command(schema.Create, r.GetObject(), nil)
	if err != nil {
		return nil, err
	}
	var made proto.Message
	switch m := c.Object.(type) {
	case *api.Tunnel:
		made, err = s.createTunnel(ctx, m)
	case *api.Session:
		made, err = s.createSession(ctx, m)
	default:
		made, err = c.Object, s.Store.Apply(c)
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateResponse{Object: masked(made)}, nil
}

// createTunnel validates the tunnel, has it made and records it.
func (s *Server) createTunnel(ctx context.Context, t *api.Tunnel) (proto.Message, error) {
	if _, err := s.Store.Snapshot().ResolveTunnel(t); err != nil {
		return nil, err
	}
	made, err := s.Backend.CreateTunnel(ctx, proto.CloneOf(t))
	if err != nil {
		return nil, err
	}
	s.Store.Declare(t)
	return made, nil
}

func (s *Server) createSession(ctx context.Context, m *api.Session) (proto.Message, error) {
	if _, err := s.Store.Snapshot().ResolveSession(config.Tunnel{}, m); err != nil {
		return nil, err
	}
	made, err := s.Backend.CreateSession(ctx, proto.CloneOf(m))
	if err != nil {
		return nil, err
	}
	s.declareSession(m)
	return made, nil
}

// declareSession records a session of a tunnel that is recorded, which one
// that the peer opened is not.
func (s *Server) declareSession(m *api.Session) {
	_, recorded := s.Store.Snapshot().Object(
		&api.Tunnel{TunnelName: m.TunnelName, TunnelId: m.TunnelId})
	if recorded && m.SessionName != nil {
		s.Store.Declare(m)
	}
}

func (s *Server) modify(ctx context.Context, r *api.ModifyRequest) (*api.ModifyResponse, error) {
	c, err := command(schema.Modify, r.GetObject(), r.GetUnset())
	if err != nil {
		return nil, err
	}
	was, err := s.called(ctx, c)
	if err != nil {
		return nil, err
	}
	var made proto.Message
	switch m := c.Object.(type) {
	case *api.Tunnel:
		made, err = s.Backend.ModifyTunnel(ctx, proto.CloneOf(m), c.Unset)
	case *api.Session:
		made, err = s.Backend.ModifySession(ctx, proto.CloneOf(m), c.Unset)
	default:
		if err := s.Store.Apply(c); err != nil {
			return nil, err
		}
		if system, ok := m.(*api.System); ok && system.GetResetStatistics() {
			err = s.Backend.ResetStatistics(ctx)
		}
		made, _ = s.Store.Snapshot().Object(m)
	}
	if err != nil {
		return nil, err
	}
	if c.Kind.Live {
		s.record(c, was, made)
	}
	return &api.ModifyResponse{Object: masked(made)}, nil
}

// called is the key under which a live object that c renames is recorded, if it is;
// nil if c renames nothing.
func (s *Server) called(ctx context.Context, c schema.Command) (proto.Message, error) {
	switch m := c.Object.(type) {
	case *api.Tunnel:
		if m.TunnelId != nil && m.TunnelName != nil {
			shown, err := s.Backend.ShowTunnel(ctx, &api.Tunnel{TunnelId: m.TunnelId})
			return recordedAs(shown, err)
		}
	case *api.Session:
		if m.SessionId != nil && m.SessionName != nil {
			shown, err := s.Backend.ShowSession(ctx, &api.Session{TunnelId: m.TunnelId,
				TunnelName: m.TunnelName, SessionId: m.SessionId})
			return recordedAs(shown, err)
		}
	}
	return nil, nil
}

func recordedAs(s Shown, err error) (proto.Message, error) {
	if err != nil {
		return nil, err
	}
	return proto.Clone(nameOnly(s.Object)), nil
}

// record changes what is recorded of a tunnel or session as c says; was is its key
// before, if c renames it.
func (s *Server) record(c schema.Command, was, made proto.Message) {
	key := nameOnly(made)
	if was != nil {
		key = was
	}
	recorded, ok := s.Store.Snapshot().Object(key)
	if !ok {
		return
	}
	next := proto.Clone(recorded)
	change := proto.Clone(c.Object)
	for _, p := range c.Kind.Params {
		if p.Key {
			p.Clear(change)
		}
	}
	schema.Update(next, change, c.Unset)
	if was == nil {
		s.Store.Declare(next)
		return
	}
	switch m := c.Object.(type) {
	case *api.Tunnel:
		next.(*api.Tunnel).TunnelName = m.TunnelName
	case *api.Session:
		next.(*api.Session).SessionName = m.SessionName
	}
	s.Store.Rename(was, next)
}

// nameOnly returns the key under which a live object would be recorded: its
// names, without the IDs that it happens to have.
func nameOnly(m proto.Message) proto.Message {
	switch m := m.(type) {
	case *api.Tunnel:
		if m.TunnelName != nil {
			return &api.Tunnel{TunnelName: m.TunnelName}
		}
	case *api.Session:
		if m.TunnelName != nil && m.SessionName != nil {
			return &api.Session{TunnelName: m.TunnelName, SessionName: m.SessionName}
		}
	}
	return m
}

func (s *Server) delete(ctx context.Context, r *api.DeleteRequest) (*api.DeleteResponse, error) {
	c, err := command(schema.Delete, r.GetObject(), nil)
	if err != nil {
		return nil, err
	}
	gone := c.Object
	switch m := c.Object.(type) {
	case *api.Tunnel:
		gone, err = s.Backend.DeleteTunnel(ctx, m, r.GetReason())
	case *api.Session:
		gone, err = s.Backend.DeleteSession(ctx, m, r.GetReason())
	default:
		err = s.Store.Apply(c)
	}
	// What has ended by itself is still recorded, and would be back at the next start.
	if recorded, ok := s.Store.Snapshot().Object(c.Object); ok && errors.Is(err, ErrNotFound) {
		gone, err = recorded, nil
	}
	if err != nil {
		return nil, err
	}
	if c.Kind.Live {
		s.Store.Forget(c.Object, nameOnly(gone))
	}
	return &api.DeleteResponse{Object: masked(gone)}, nil
}

func (s *Server) show(ctx context.Context, r *api.ShowRequest) (*api.ShowResponse, error) {
	c, err := command(schema.Show, r.GetObject(), nil)
	if err != nil {
		return nil, err
	}
	switch m := c.Object.(type) {
	case *api.Peer:
		p, err := s.peer(ctx, m)
		return shown(Shown{Object: p}, err)
	case *api.Tunnel:
		t, err := s.Backend.ShowTunnel(ctx, m)
		return shown(t, err)
	case *api.Session:
		t, err := s.Backend.ShowSession(ctx, m)
		return shown(t, err)
	case *api.User:
		u, err := s.user(ctx, m)
		return shown(u, err)
	}
	snapshot := s.Store.Snapshot()
	m, ok := snapshot.Object(c.Object)
	if !ok {
		return nil, Errorf(ErrNotFound, "there is no %s", schema.Label(c.Object))
	}
	m = proto.Clone(m)
	if err := s.addStatus(ctx, m); err != nil {
		return nil, err
	}
	e := snapshot.Explain(m)
	return shown(Shown{Object: m, Effective: e.Effective, Origins: e.Origins}, nil)
}

func shown(all Shown, err error) (*api.ShowResponse, error) {
	if err != nil {
		return nil, err
	}
	r := &api.ShowResponse{Object: masked(all.Object), Origins: all.Origins}
	if all.Effective != nil {
		r.Effective = masked(all.Effective)
	}
	if all.Link != nil {
		r.Link, r.LinkOrigins = masked(all.Link), all.LinkOrigins
	}
	return r, nil
}

// addStatus adds what is known at run time to an object of the store.
func (s *Server) addStatus(ctx context.Context, m proto.Message) (err error) {
	switch m := m.(type) {
	case *api.System:
		if m.Status, err = s.Backend.SystemStatus(ctx); err == nil {
			m.Status.Warnings = append(m.Status.Warnings, s.allWarnings()...)
			m.Status.Warnings = append(m.Status.Warnings, s.Store.Snapshot().Warnings()...)
			err = s.addRevision(ctx, m.Status)
		}
	case *api.Pool:
		m.Status, err = s.Backend.PoolStatus(ctx, m.GetPoolName())
	}
	return err
}

func (s *Server) save(_ context.Context, r *api.SaveRequest) (*api.SaveResponse, error) {
	format := config.Format
	if r.GetMaskSecrets() {
		format = config.FormatMasked
	}
	return &api.SaveResponse{Text: string(format(s.Store.Snapshot()))}, nil
}

// masked wraps a copy of an object without its secrets.
func masked(m proto.Message) *api.Object {
	m = proto.Clone(m)
	schema.Mask(m)
	return schema.Wrap(m)
}

// A handler adapts the Server's methods to Connect.
type handler struct {
	apiconnect.UnimplementedManagementHandler
	s *Server
}

func answer[Req, Res any](ctx context.Context, r *connect.Request[Req],
	f func(context.Context, *Req) (*Res, error)) (*connect.Response[Res], error) {
	res, err := f(ctx, r.Msg)
	if err != nil {
		return nil, connectError(err)
	}
	return connect.NewResponse(res), nil
}

func (h handler) Version(ctx context.Context, r *connect.Request[api.VersionRequest]) (
	*connect.Response[api.VersionResponse], error) {
	return answer(ctx, r, h.s.version)
}

func (h handler) Create(ctx context.Context, r *connect.Request[api.CreateRequest]) (
	*connect.Response[api.CreateResponse], error) {
	return answer(ctx, r, h.s.create)
}

func (h handler) Modify(ctx context.Context, r *connect.Request[api.ModifyRequest]) (
	*connect.Response[api.ModifyResponse], error) {
	return answer(ctx, r, h.s.modify)
}

func (h handler) Delete(ctx context.Context, r *connect.Request[api.DeleteRequest]) (
	*connect.Response[api.DeleteResponse], error) {
	return answer(ctx, r, h.s.delete)
}

func (h handler) Show(ctx context.Context, r *connect.Request[api.ShowRequest]) (
	*connect.Response[api.ShowResponse], error) {
	return answer(ctx, r, h.s.show)
}

func (h handler) List(ctx context.Context, r *connect.Request[api.ListRequest]) (
	*connect.Response[api.ListResponse], error) {
	return answer(ctx, r, h.s.list)
}

func (h handler) Save(ctx context.Context, r *connect.Request[api.SaveRequest]) (
	*connect.Response[api.SaveResponse], error) {
	return answer(ctx, r, h.s.save)
}
