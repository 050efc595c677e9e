package management

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
)

// The requests about whole configurations are the Configurator's to answer.

var errNoConfigurator = connect.NewError(connect.CodeUnimplemented,
	errors.New("this daemon loads no configurations"))

// configure has the Configurator answer a request.
func configure[Req, Res any](ctx context.Context, s *Server, r *connect.Request[Req],
	f func(context.Context, *Req) (*Res, error)) (*connect.Response[Res], error) {
	if s.Config == nil {
		return nil, errNoConfigurator
	}
	return answer(ctx, r, f)
}

func (h handler) CheckConfig(ctx context.Context, r *connect.Request[api.CheckConfigRequest]) (
	*connect.Response[api.CheckConfigResponse], error) {
	return configure(ctx, h.s, r, func(ctx context.Context, r *api.CheckConfigRequest) (
		*api.CheckConfigResponse, error) {
		return h.s.Config.Check(ctx, r)
	})
}

func (h handler) LoadConfig(ctx context.Context, r *connect.Request[api.LoadConfigRequest]) (
	*connect.Response[api.LoadConfigResponse], error) {
	return configure(ctx, h.s, r, func(ctx context.Context, r *api.LoadConfigRequest) (
		*api.LoadConfigResponse, error) {
		return h.s.Config.Load(ctx, IdentityOf(ctx).Name, r)
	})
}

func (h handler) ConfirmConfig(ctx context.Context,
	r *connect.Request[api.ConfirmConfigRequest]) (
	*connect.Response[api.ConfirmConfigResponse], error) {
	return configure(ctx, h.s, r, func(ctx context.Context, _ *api.ConfirmConfigRequest) (
		*api.ConfirmConfigResponse, error) {
		return h.s.Config.Confirm(ctx, IdentityOf(ctx).Name)
	})
}

func (h handler) WriteConfig(ctx context.Context, r *connect.Request[api.WriteConfigRequest]) (
	*connect.Response[api.WriteConfigResponse], error) {
	return configure(ctx, h.s, r, func(ctx context.Context, r *api.WriteConfigRequest) (
		*api.WriteConfigResponse, error) {
		return h.s.Config.Write(ctx, IdentityOf(ctx).Name, r)
	})
}

func (h handler) ListRevisions(ctx context.Context,
	r *connect.Request[api.ListRevisionsRequest]) (
	*connect.Response[api.ListRevisionsResponse], error) {
	return configure(ctx, h.s, r, func(ctx context.Context, _ *api.ListRevisionsRequest) (
		*api.ListRevisionsResponse, error) {
		return h.s.Config.Revisions(ctx)
	})
}

func (h handler) GetRevision(ctx context.Context, r *connect.Request[api.GetRevisionRequest]) (
	*connect.Response[api.GetRevisionResponse], error) {
	return configure(ctx, h.s, r, func(ctx context.Context, r *api.GetRevisionRequest) (
		*api.GetRevisionResponse, error) {
		return h.s.Config.Revision(ctx, r)
	})
}

// addRevision says which revision runs, on one line.
func (s *Server) addRevision(ctx context.Context, st *api.SystemStatus) error {
	if s.Config == nil || st == nil {
		return nil
	}
	all, err := s.Config.Revisions(ctx)
	if err != nil || len(all.Revisions) == 0 {
		return err
	}
	newest := all.Revisions[0]
	st.Revision = fmt.Sprint(newest.Number)
	if !newest.Running {
		st.Revision += ", changed since by commands"
	}
	if at := newest.RevertsAt; at != nil {
		st.Revision += ", goes back unless confirmed until " + at.AsTime().Format(time.RFC3339)
	}
	return nil
}
