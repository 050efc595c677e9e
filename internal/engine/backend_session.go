package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// CreateSession begins to place a call in a tunnel, whoever opened that.
func (e *Engine) CreateSession(ctx context.Context, asked *api.Session) (*api.Session, error) {
	if err := e.maySetUp(e.store.Snapshot().System()); err != nil {
		return nil, err
	}
	name, id := asked.GetTunnelName(), asked.GetTunnelId()
	return onTunnel(ctx, e, name, id, func(found subject) (*api.Session, error) {
		return found.owner().addCall(time.Now(), proto.CloneOf(asked))
	})
}

// addCall enters a call and places it if the tunnel is up.
func (d *dialer) addCall(now time.Time, asked *api.Session) (*api.Session, error) {
	resolved, err := d.shard.engine.store.Snapshot().ResolveSession(d.resolved, asked)
	if err != nil {
		return nil, err
	}
	if resolved.Name != "" && (subject{d, d.tunnel}).has(resolved.Name) {
		return nil, management.Errorf(management.ErrExists,
			"session %s: exists already in tunnel %s", resolved.Name, d)
	}
	if id := resolved.ID; id != 0 && (d.callOf("", uint32(id)) != nil || d.sessionOf(id) != nil) {
		return nil, management.Errorf(management.ErrExists,
			"session_id %d: in use in tunnel %s", id, d)
	}
	c := &call{dialer: d, asked: asked}
	c.enter()
	if d.isUp() {
		c.placeCall(now)
	}
	return c.status(now), nil
}

// String names the dialer's tunnel in messages.
func (d *dialer) String() string { return either(d.asked.GetTunnelName(), uint32(d.id)) }

func (d *dialer) sessionOf(id uint16) *session {
	if d.tunnel == nil {
		return nil
	}
	return d.tunnel.sessions[l2tp.SessionID(id)]
}

// A sessionSubject is the session that a key names: a call, a running session, or both.
type sessionSubject struct {
	call    *call
	session *session
}

// onSession runs f on the shard of the session that a key names.
func onSession[T any](
	ctx context.Context, e *Engine, key *api.Session, f func(sessionSubject) (T, error),
) (T, error) {
	name, id := key.GetSessionName(), key.GetSessionId()
	return onTunnel(ctx, e, key.GetTunnelName(), key.GetTunnelId(), func(in subject) (T, error) {
		found := in.find(name, l2tp.SessionID(id))
		if found.call == nil && (found.session == nil || found.session.phase == gone) {
			var zero T
			return zero, management.Errorf(management.ErrNotFound,
				"session %s: no such session in tunnel %s",
				either(name, id), either(key.GetTunnelName(), key.GetTunnelId()))
		}
		return f(found)
	})
}

// find finds a session by its name or its identifier.
func (f subject) find(name string, id l2tp.SessionID) sessionSubject {
	if f.dialer != nil {
		if c := f.dialer.callOf(name, uint32(id)); c != nil {
			return sessionSubject{c, c.session}
		}
	}
	if f.tunnel == nil {
		return sessionSubject{}
	}
	if name != "" {
		id = f.tunnel.named(name)
	}
	return sessionSubject{session: f.tunnel.sessions[id]}
}

// has reports whether a session has the name.
func (f subject) has(name string) bool {
	found := f.find(name, 0)
	return found.call != nil || found.session != nil
}

// named finds a session that the peer began by the name that it was given since, or 0.
func (t *tunnel) named(name string) l2tp.SessionID {
	for id, asked := range t.changed {
		if asked.GetSessionName() == name {
			return id
		}
	}
	return 0
}

// name is the tunnel's name, if it has one.
func (f subject) name() string {
	if f.dialer == nil {
		return ""
	}
	return f.dialer.asked.GetTunnelName()
}

// DeleteSession ends a session.
func (e *Engine) DeleteSession(
	ctx context.Context, key *api.Session, reason string,
) (*api.Session, error) {
	return onSession(ctx, e, key, func(found sessionSubject) (*api.Session, error) {
		now := time.Now()
		status := found.status(now)
		if found.call != nil {
			found.call.delete(now, reason)
		} else {
			found.session.hangUp(now, reason)
		}
		return status, nil
	})
}

// ShowSession describes a session, with its counters as the data plane has them.
func (e *Engine) ShowSession(ctx context.Context, key *api.Session) (management.Shown, error) {
	counted := make(chan dataplane.Counters, 1)
	shown, err := onSession(ctx, e, key, func(found sessionSubject) (management.Shown, error) {
		found.countInto(counted)
		return found.explain(time.Now()), nil
	})
	if err != nil {
		return management.Shown{}, err
	}
	select {
	case c := <-counted:
		shown.Object.(*api.Session).Status.Counters = countersStatus(c)
		return shown, nil
	case <-ctx.Done():
		return management.Shown{}, ctx.Err()
	}
}

// countInto reads the session's counters on a worker. What has none gives zeros.
func (f sessionSubject) countInto(counted chan<- dataplane.Counters) {
	s := f.session
	if s == nil || s.path == nil || s.phase == gone {
		counted <- dataplane.Counters{}
		return
	}
	var c dataplane.Counters
	s.shard().do(&s.jobs, job{
		run: func(ctx context.Context) (err error) {
			c, err = s.path.Counters(ctx)
			return err
		},
		done: func(err error) {
			s.warn("reading counters")(err)
			counted <- c
		},
	})
}

// ListSessions describes the sessions after a given one: of one tunnel, or of all.
func (e *Engine) ListSessions(
	ctx context.Context, in *api.Tunnel, page management.Page,
) ([]*api.Session, error) {
	if name, id := in.GetTunnelName(), in.GetTunnelId(); name != "" || id != 0 {
		return onTunnel(ctx, e, name, id, func(found subject) ([]*api.Session, error) {
			return found.sessions(time.Now(), page), nil
		})
	}
	var all []*api.Session
	for _, s := range e.shards {
		some, err := ask(ctx, s, func() ([]*api.Session, error) {
			return s.listSessions(page), nil
		})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b *api.Session) int {
		return cmp.Compare(a.GetTunnelId(), b.GetTunnelId())
	})
	return all[:min(len(all), page.Limit)], nil
}

// listSessions describes a page of the shard's sessions.
func (s *shard) listSessions(page management.Page) []*api.Session {
	var sessions []*api.Session
	now, limit := time.Now(), page.Limit
	for found := range s.from(max(1, int(page.AfterTunnel))) { // the last one may have more
		if uint16(found.id()) != page.AfterTunnel {
			page = management.Page{}
		}
		page.Limit = limit - len(sessions)
		if sessions = append(sessions, found.sessions(now, page)...); len(sessions) >= limit {
			break
		}
	}
	return sessions
}

// id is our Tunnel ID.
func (f subject) id() l2tp.TunnelID {
	if f.dialer != nil {
		return f.dialer.id
	}
	return f.tunnel.core.ID()
}

// sessions describes a page of the tunnel's sessions: first the calls that
// have no session now, then the others by their identifiers.
func (f subject) sessions(now time.Time, page management.Page) []*api.Session {
	var sessions []*api.Session
	if page.AfterSession == 0 {
		sessions = f.waiting(now, page)
	}
	if f.tunnel == nil {
		return sessions
	}
	limit := page.Limit - len(sessions)
	for _, s := range f.tunnel.after(l2tp.SessionID(page.AfterSession), limit) {
		sessions = append(sessions, sessionSubject{s.wanted, s}.status(now))
	}
	return sessions
}

// waiting describes calls that have no session now.
func (f subject) waiting(now time.Time, page management.Page) []*api.Session {
	if f.dialer == nil {
		return nil
	}
	var sessions []*api.Session
	for _, c := range f.dialer.calls {
		switch {
		case c.session != nil:
		case page.Waiting > 0:
			page.Waiting--
		case len(sessions) < page.Limit:
			sessions = append(sessions, c.status(now))
		}
	}
	return sessions
}

// after returns up to limit sessions that have not ended, whose identifiers
// are greater than last, in order. In a full tunnel the next ones are found at once;
// in one that is not, there are few to sort.
func (t *tunnel) after(last l2tp.SessionID, limit int) []*session {
	const many = 4096
	var found []*session
	if len(t.sessions) < many {
		for id, s := range t.sessions {
			if id > last && s.phase != gone {
				found = append(found, s)
			}
		}
		slices.SortFunc(found, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
		return found[:min(len(found), limit)]
	}
	for id := int(last) + 1; id < 1<<16 && len(found) < limit; id++ {
		if s := t.sessions[l2tp.SessionID(id)]; s != nil && s.phase != gone {
			found = append(found, s)
		}
	}
	return found
}
