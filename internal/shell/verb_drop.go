package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// dropVerbs end tunnels and sessions, many at once if need be.
func dropVerbs() []*verb {
	reason := arg{name: "reason", help: "Told to the peer", expected: "text"}
	tunnel := []arg{
		{name: "tunnel_id", help: "Sessions of this tunnel", expected: "a number",
			values: namesOf("tunnel", "tunnel_id")},
		{name: "tunnel_name", help: "Sessions of this tunnel", expected: "a name",
			values: namesOf("tunnel", "tunnel_name")},
		{name: "user_name", help: "Sessions of this user", expected: "a name", values: usersUp},
		reason,
	}
	return []*verb{
		{words: "drop session", rest: "[TUNNEL/SESSION | ID | NAME]... [all]", args: tunnel,
			values: sessionNames, run: (*Shell).dropSession,
			help: "End sessions: by ID or name, all of a tunnel or user, or all there are"},
		{words: "drop tunnel", rest: "[ID | NAME]... [all]", args: []arg{reason},
			values: tunnelNames, run: (*Shell).dropTunnel,
			help: "End tunnels, and their sessions with them"},
		{words: "drop user", rest: "NAME...", args: []arg{reason}, values: usersUp,
			run: (*Shell).dropUser, help: "End the sessions of a user"},
	}
}

func (s *Shell) dropSession(c *call) error {
	names, all := c.names()
	var found []*api.Session
	for _, name := range names {
		more, err := s.sessions(c.ctx, name)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	selected := c.has("tunnel_id") || c.has("tunnel_name") || c.has("user_name")
	switch {
	case len(names) > 0 && (selected || all):
		return usagef("drop session: expected names, or which sessions, not both")
	case len(names) == 0 && !selected && !all:
		return usagef("drop session: expected %s, tunnel_name=NAME or user_name=NAME", c.verb.rest)
	case len(names) == 0:
		var err error
		if found, err = s.selected(c); err != nil {
			return err
		}
	}
	return s.dropAll(c, asMessages(found), "session")
}

// names are the bare words of a drop, and whether all is among them.
func (c *call) names() (names []string, all bool) {
	for _, w := range c.rest {
		if w.Name == "all" && !w.Quoted {
			all = true
			continue
		}
		names = append(names, w.Name)
	}
	return names, all
}

// selected are the sessions that the parameters of a drop leave.
func (s *Shell) selected(c *call) ([]*api.Session, error) {
	filter := &api.Session{}
	for _, name := range []string{"tunnel_id", "tunnel_name"} {
		if text, ok := c.given[name]; ok {
			if err := schema.KindOf(filter).Param(name).Set(filter, text); err != nil {
				return nil, usagef("%v", err)
			}
		}
	}
	user, ofUser := c.given["user_name"]
	found, err := s.matching(c.ctx, filter, func(m *api.Session) bool {
		return !ofUser || m.GetStatus().GetUser() == user || m.GetUserName() == user
	})
	if err == nil && len(found) == 0 {
		err = errors.New("there is no such session")
	}
	return found, err
}

func (s *Shell) dropUser(c *call) error {
	if len(c.rest) == 0 {
		return usagef("drop user: expected %s", c.verb.rest)
	}
	var found []*api.Session
	for _, w := range c.rest {
		more, err := s.ofUser(c.ctx, w.Name)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			return fmt.Errorf("user %s has no session", quoted(w.Name))
		}
		found = append(found, more...)
	}
	return s.dropAll(c, asMessages(found), "session")
}

func (s *Shell) dropTunnel(c *call) error {
	names, all := c.names()
	if len(names) == 0 && !all {
		return usagef("drop tunnel: expected %s", c.verb.rest)
	}
	var found []proto.Message
	for _, name := range names {
		m := &api.Tunnel{}
		setKey(name, &m.TunnelId, &m.TunnelName)
		r, err := s.ask(c.ctx, m)
		if err != nil {
			return err
		}
		found = append(found, r.GetObject().GetTunnel())
	}
	if all {
		err := s.each(c.ctx, &api.Tunnel{}, func(objects []proto.Message) error {
			found = append(found, objects...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.dropAll(c, found, "tunnel")
}

// asMessages leaves out sessions that were named twice.
func asMessages(sessions []*api.Session) []proto.Message {
	var all []proto.Message
	seen := map[[2]uint32]bool{}
	for _, m := range sessions {
		id := [2]uint32{m.GetTunnelId(), m.GetSessionId()}
		if !seen[id] {
			all = append(all, m)
		}
		seen[id] = true
	}
	return all
}

// dropWorkers is how many deletions are on their way at once.
const dropWorkers = 16

// dropAll deletes tunnels or sessions after a question, and says how far it is.
func (s *Shell) dropAll(c *call, objects []proto.Message, noun string) error {
	if err := s.askBeforeDrop(c.ctx, objects, noun); err != nil {
		return err
	}
	var (
		mu       sync.Mutex
		done     int
		failures []string
	)
	p := s.progress("dropped")
	tasks, ctx := errgroup.WithContext(c.ctx)
	tasks.SetLimit(dropWorkers)
	for _, m := range objects {
		tasks.Go(func() error {
			err := s.drop(ctx, m, c.given["reason"])
			if errors.Is(err, errStopped) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, fmt.Sprintf("%s: %v", schema.Label(m), err))
				return nil
			}
			done++
			p.at(done, len(objects))
			return nil
		})
	}
	err := tasks.Wait()
	p.end()
	s.values.forget()
	return s.dropped(done, len(objects), noun, failures, err)
}

func (s *Shell) askBeforeDrop(ctx context.Context, objects []proto.Message, noun string) error {
	sessions := 0
	for _, m := range objects {
		if t, ok := m.(*api.Tunnel); ok {
			sessions += int(t.GetStatus().GetSessionCount())
		}
	}
	if noun == "tunnel" {
		return s.sure(ctx, "%s with %s will be dropped.", count(len(objects), noun),
			count(sessions, "session"))
	}
	if len(objects) == 1 {
		return s.sure(ctx, "%s will be dropped.", schema.Label(objects[0]))
	}
	return s.sure(ctx, "%s will be dropped.", count(len(objects), noun))
}

// drop deletes one. That it is gone already is no failure.
func (s *Shell) drop(ctx context.Context, m proto.Message, reason string) error {
	_, err := s.client.Delete(ctx, connect.NewRequest(
		&api.DeleteRequest{Object: schema.Wrap(key(m)), Reason: reason}))
	if connect.CodeOf(err) == connect.CodeNotFound {
		return nil
	}
	if err != nil {
		return explain(s.Server, err)
	}
	return nil
}

// key is the ID alone of a tunnel or session.
func key(m proto.Message) proto.Message {
	switch m := m.(type) {
	case *api.Tunnel:
		return &api.Tunnel{TunnelId: m.TunnelId}
	case *api.Session:
		return &api.Session{TunnelId: m.TunnelId, SessionId: m.SessionId}
	}
	return m
}

func (s *Shell) dropped(done, of int, noun string, failures []string, err error) error {
	for _, f := range failures[:min(len(failures), 10)] {
		fmt.Fprintln(s.Stderr, printable(f))
	}
	if e := s.say("dropped %s", count(done, noun)); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if len(failures) > 0 {
		return fmt.Errorf("%d of %s could not be dropped: %s", len(failures), count(of, noun),
			strings.TrimSpace(failures[0]))
	}
	return nil
}
