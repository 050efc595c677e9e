package shell

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

func number(name string, n uint32, at schema.Position) schema.Word {
	return schema.Word{Position: at, ValueAt: at, Name: name, Value: strconv.FormatUint(uint64(n), 10), HasValue: true}
}

// theSession finds the only session of that ID, name or user.
func (s *Shell) theSession(ctx context.Context, name string) (*api.Session, error) {
	found, err := s.sessions(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	var can []string
	for _, m := range found[:min(len(found), 8)] {
		can = append(can, sessionName(m))
	}
	return nil, usagef("session %s is ambiguous: it can be %s", quoted(name), orList(can))
}

// sessions finds the sessions that name means: TUNNEL/SESSION, or else the ID,
// name or user of a session.
func (s *Shell) sessions(ctx context.Context, name string) ([]*api.Session, error) {
	if tunnel, session, ok := strings.Cut(name, "/"); ok {
		m := &api.Session{}
		setKey(tunnel, &m.TunnelId, &m.TunnelName)
		setKey(session, &m.SessionId, &m.SessionName)
		r, err := s.ask(ctx, m)
		if err != nil {
			return nil, err
		}
		return []*api.Session{r.GetObject().GetSession()}, nil
	}
	filter := &api.Session{}
	setKey(name, &filter.SessionId, &filter.SessionName)
	found, err := s.matching(ctx, filter, nil)
	if err == nil && len(found) == 0 {
		found, err = s.ofUser(ctx, name)
	}
	if err == nil && len(found) == 0 {
		err = &Error{ExitRefused, fmt.Errorf("there is no session %s: expected "+
			"TUNNEL/SESSION, or the ID, name or user of one", quoted(name))}
	}
	return found, err
}

// setKey sets the ID if the text is a number, else the name.
func setKey(text string, id **uint32, name **string) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
		*id = new(uint32(n))
		return
	}
	*name = &text
}

// ofUser finds the sessions of a user.
func (s *Shell) ofUser(ctx context.Context, user string) ([]*api.Session, error) {
	return s.matching(ctx, &api.Session{}, func(m *api.Session) bool {
		return m.GetStatus().GetUser() == user || m.GetUserName() == user
	})
}

// matching collects the sessions that agree with filter and keep.
func (s *Shell) matching(
	ctx context.Context, filter *api.Session, keep func(*api.Session) bool,
) (found []*api.Session, err error) {
	err = s.each(ctx, filter, func(objects []proto.Message) error {
		for _, m := range objects {
			if session, ok := m.(*api.Session); ok && (keep == nil || keep(session)) {
				found = append(found, session)
			}
		}
		return nil
	})
	return found, err
}

// sessionName is a session as it can be typed.
func sessionName(m *api.Session) string {
	return or(m.GetTunnelName(), m.GetTunnelId()) + "/" + or(m.GetSessionName(), m.GetSessionId())
}

func tunnelName(m *api.Tunnel) string { return or(m.GetTunnelName(), m.GetTunnelId()) }

func or(name string, id uint32) string {
	if name != "" {
		return name
	}
	return strconv.FormatUint(uint64(id), 10)
}
