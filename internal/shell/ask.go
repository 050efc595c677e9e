package shell

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// sure asks whether to go ahead, if there is somebody to ask. A script goes
// ahead: those of openl2tp knew no questions.
func (s *Shell) sure(ctx context.Context, format string, args ...any) error {
	if s.Yes || s.Terminal == nil {
		return nil
	}
	answer, ok := s.Terminal.line(fmt.Sprintf(format+" Go ahead? [y/N] ", args...))
	if ok && strings.HasPrefix("yes", strings.ToLower(strings.TrimSpace(answer))) &&
		strings.TrimSpace(answer) != "" {
		return ctx.Err()
	}
	return errDeclined
}

// asks reports whether sure would ask: what is only needed for a question need
// not be looked up otherwise.
func (s *Shell) asks() bool { return !s.Yes && s.Terminal != nil }

// askBeforeDelete asks before something is deleted that carries sessions.
func (s *Shell) askBeforeDelete(ctx context.Context, m proto.Message) error {
	if _, err := s.daemon(); err != nil || !s.asks() {
		return err
	}
	switch m := m.(type) {
	case *api.Tunnel:
		return s.askAboutTunnel(ctx, m)
	case *api.Session:
		return s.askAboutSession(ctx, m)
	}
	tunnels, sessions, err := s.users(ctx, m)
	if err != nil || tunnels+sessions == 0 {
		return err
	}
	return s.sure(ctx, "%s is used by %s and %s.", schema.Label(m),
		count(tunnels, "tunnel"), count(sessions, "session"))
}

func (s *Shell) askAboutTunnel(ctx context.Context, m *api.Tunnel) error {
	r, err := s.ask(ctx, m)
	if err != nil {
		return nil // The answer to the deletion says what is wrong.
	}
	t := r.GetObject().GetTunnel()
	if n := t.GetStatus().GetSessionCount(); n > 0 {
		return s.sure(ctx, "tunnel %s has %s, which will be dropped.",
			quoted(tunnelName(t)), count(int(n), "session"))
	}
	return nil
}

func (s *Shell) askAboutSession(ctx context.Context, m *api.Session) error {
	r, err := s.ask(ctx, m)
	if err != nil {
		return nil
	}
	session := r.GetObject().GetSession()
	switch session.GetStatus().GetState() {
	case api.SessionState_SESSION_STATE_UP, api.SessionState_SESSION_STATE_ESTABLISHED:
		return s.sure(ctx, "session %s is %s and will be dropped.", quoted(sessionName(session)),
			schema.KindOf(session).Field("state").Shown(session))
	}
	return nil
}

// users counts the tunnels and sessions that name a profile or pool.
func (s *Shell) users(ctx context.Context, m proto.Message) (tunnels, sessions int, err error) {
	words, name := schema.KindOf(m).Words, schema.KindOf(m).Name(m)
	uses := func(o proto.Message) bool {
		for _, p := range schema.KindOf(o).Params {
			if p.RefersTo == words && p.Text(o) == name {
				return true
			}
		}
		return false
	}
	for _, live := range []struct {
		filter proto.Message
		n      *int
	}{{&api.Tunnel{}, &tunnels}, {&api.Session{}, &sessions}} {
		err := s.each(ctx, live.filter, func(objects []proto.Message) error {
			for _, o := range objects {
				if uses(o) {
					*live.n++
				}
			}
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return tunnels, sessions, nil
}

// count writes a number with its noun: 1 session, 2 sessions.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
