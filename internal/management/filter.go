package management

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
	"culvert/internal/schema"
)

// agrees reports whether m has every parameter that filter sets. Secrets are
// not compared: a listing must not answer what they are.
func agrees(m, filter proto.Message) bool {
	for _, p := range schema.KindOf(m).Params {
		if p.Has(filter) && (p.Secret || p.Text(m) != p.Text(filter)) {
			return false
		}
	}
	return true
}

// agreesInStatus reports whether what is known of m at run time is as filter
// says: sessions of one user, or those that are up.
func agreesInStatus(m, filter proto.Message) bool {
	field := filter.ProtoReflect().Descriptor().Fields().ByName("status")
	if field == nil || !filter.ProtoReflect().Has(field) {
		return true
	}
	if of, ok := m.(*api.Session); ok && of.Status != nil && of.Status.User == "" {
		// The user of a session of ours is the one as whom we sign in.
		of = proto.CloneOf(of)
		of.Status.User = of.GetUserName()
		m = of
	}
	return covers(m.ProtoReflect().Get(field).Message(), filter.ProtoReflect().Get(field).Message())
}

// covers reports whether m has every value that is set in filter.
func covers(m, filter protoreflect.Message) bool {
	same := true
	filter.Range(func(fd protoreflect.FieldDescriptor, want protoreflect.Value) bool {
		got := m.Get(fd)
		if fd.Kind() == protoreflect.MessageKind && !fd.IsList() {
			same = covers(got.Message(), want.Message())
		} else {
			same = got.Equal(want)
		}
		return same
	})
	return same
}

// agreesLive is agrees for a tunnel or session, which has set little itself: what
// it runs with is asked for where the filter needs that.
func (s *Server) agreesLive(ctx context.Context, m, filter proto.Message) (bool, error) {
	if !agreesInStatus(m, filter) {
		return false, nil
	}
	effective := m
	for _, p := range schema.KindOf(m).Params {
		switch {
		case !p.Has(filter):
			continue
		case p.Secret:
			return false, nil
		}
		if !p.Has(effective) && effective == m && !p.Key {
			var err error
			if effective, err = s.effective(ctx, m); err != nil {
				return false, err
			}
		}
		if p.Text(effective) != p.Text(filter) {
			return false, nil
		}
	}
	return true, nil
}

// effective is what a tunnel or session runs with, or m itself if that is not known or
// it is gone.
func (s *Server) effective(ctx context.Context, m proto.Message) (proto.Message, error) {
	var all Shown
	var err error
	switch m := m.(type) {
	case *api.Tunnel:
		all, err = s.Backend.ShowTunnel(ctx, keyOf(m))
	case *api.Session:
		all, err = s.Backend.ShowSession(ctx, sessionKeyOf(m))
	}
	if errors.Is(err, ErrNotFound) {
		return m, nil
	}
	if err != nil || all.Effective == nil {
		return m, err
	}
	return all.Effective, nil
}

// keyOf is what names a listed tunnel.
func keyOf(t *api.Tunnel) *api.Tunnel {
	if t.TunnelId != nil {
		return &api.Tunnel{TunnelId: t.TunnelId}
	}
	return &api.Tunnel{TunnelName: t.TunnelName}
}

// sessionKeyOf is what names a listed session, which has a name if it has no identifier.
func sessionKeyOf(m *api.Session) *api.Session {
	key := &api.Session{TunnelId: m.TunnelId}
	if m.TunnelId == nil {
		key.TunnelName = m.TunnelName
	}
	if m.SessionId != nil && m.GetSessionId() != 0 {
		key.SessionId = m.SessionId
	} else {
		key.SessionName = m.SessionName
	}
	return key
}
