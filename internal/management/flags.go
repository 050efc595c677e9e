package management

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// SetTrace changes some trace flags of an object.
func (h handler) SetTrace(ctx context.Context, r *connect.Request[api.SetTraceRequest]) (
	*connect.Response[api.SetTraceResponse], error) {
	return answer(ctx, r, h.s.setTrace)
}

// ResetStatistics sets the counters of the system to zero.
func (h handler) ResetStatistics(ctx context.Context,
	r *connect.Request[api.ResetStatisticsRequest]) (
	*connect.Response[api.ResetStatisticsResponse], error) {
	return answer(ctx, r, func(ctx context.Context, _ *api.ResetStatisticsRequest) (
		*api.ResetStatisticsResponse, error) {
		return &api.ResetStatisticsResponse{}, h.s.Backend.ResetStatistics(ctx)
	})
}

// setTrace reads the flags of an object, changes those of the mask, and modifies the object.
func (s *Server) setTrace(ctx context.Context, r *api.SetTraceRequest) (
	*api.SetTraceResponse, error) {
	key := schema.Unwrap(r.GetObject())
	if key == nil {
		return nil, Errorf(ErrInvalid, "set trace: expected an object")
	}
	param := schema.KindOf(key).Param("trace_flags")
	switch {
	case param == nil:
		return nil, Errorf(ErrInvalid, "%s has no trace_flags: expected system, a tunnel, a session, "+
			"or a profile of them or of ppp", schema.Label(key))
	case schema.TraceFlags(r.GetMask()|r.GetFlags())&^schema.TraceAll != 0:
		return nil, Errorf(ErrInvalid, "set trace: mask %#x and flags %#x: expected flags up to %#x",
			r.GetMask(), r.GetFlags(), uint32(schema.TraceAll))
	}
	s.tracing.Lock()
	defer s.tracing.Unlock()
	old, err := s.traceFlags(ctx, key, param)
	if err != nil {
		return nil, err
	}
	flags := old&^schema.TraceFlags(r.GetMask()) | schema.TraceFlags(r.GetFlags()&r.GetMask())
	change := proto.Clone(key)
	if err := param.Set(change, flags.String()); err != nil {
		return nil, Errorf(ErrInvalid, "%w", err)
	}
	_, err = s.modify(ctx, &api.ModifyRequest{Object: schema.Wrap(change)})
	if err != nil {
		return nil, err
	}
	return &api.SetTraceResponse{Flags: uint32(flags)}, nil
}

// traceFlags are the flags of an object as they hold now.
func (s *Server) traceFlags(ctx context.Context, key proto.Message, param *schema.Param) (
	schema.TraceFlags, error) {
	shown, err := s.show(ctx, &api.ShowRequest{Object: schema.Wrap(key)})
	if err != nil {
		return 0, err
	}
	m := schema.Unwrap(shown.GetEffective())
	if m == nil {
		m = schema.Unwrap(shown.GetObject())
	}
	if !param.Has(m) {
		return 0, nil
	}
	flags, err := schema.ParseTraceFlags(param.Text(m))
	if err != nil {
		return 0, Errorf(ErrInvalid, "%s: %w", schema.Label(key), err)
	}
	return flags, nil
}
