package commit

import (
	"context"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
)

// A plan is how one configuration takes the place of another. Profiles, users,
// pools and the system change with the store; tunnels and sessions are carried
// over one by one.
type plan struct {
	old, new *config.Snapshot
	changes  []*change

	// What is done to the backend, in this order. Sessions that go or change with
	// their tunnel are not among those that end.
	endSessions    []*api.Session
	endTunnels     []*api.Tunnel
	modifyTunnels  []*change
	modifySessions []*change
	makeTunnels    []*api.Tunnel
	makeSessions   []*api.Session
}

// newPlan compares two configurations.
func newPlan(old, new *config.Snapshot) *plan { return planOf(old, new, diff(old, new)) }

// withoutSecrets is the plan as if secrets made no difference: who must not know them
// must not learn either which ones are right.
func (p *plan) withoutSecrets() *plan {
	var changes []*change
	for _, c := range p.changes {
		if c = c.withoutSecrets(); c != nil {
			changes = append(changes, c)
		}
	}
	return planOf(p.old, p.new, changes)
}

func planOf(old, new *config.Snapshot, changes []*change) *plan {
	p := &plan{old: old, new: new, changes: changes}
	ended, made := p.planTunnels()
	p.planSessions(ended, made)
	return p
}

// planTunnels returns which tunnels of the old configuration end, and which of
// the new one are made.
func (p *plan) planTunnels() (ended, made map[*api.Tunnel]bool) {
	ended, made = make(map[*api.Tunnel]bool), make(map[*api.Tunnel]bool)
	for _, c := range p.changes {
		old, wasTunnel := c.old.(*api.Tunnel)
		new, isTunnel := c.new.(*api.Tunnel)
		if wasTunnel && c.ends() {
			ended[old] = true
			p.endTunnels = append(p.endTunnels, old)
		}
		if isTunnel && c.begins() {
			made[new] = true
			p.makeTunnels = append(p.makeTunnels, new)
		}
		if wasTunnel && c.action == api.ChangeAction_CHANGE_ACTION_MODIFY {
			p.modifyTunnels = append(p.modifyTunnels, c)
		}
	}
	return ended, made
}

// planSessions also makes the sessions anew that did not change themselves but
// whose tunnel does.
func (p *plan) planSessions(ended, made map[*api.Tunnel]bool) {
	for _, c := range p.changes {
		old, wasSession := c.old.(*api.Session)
		new, isSession := c.new.(*api.Session)
		if wasSession && c.ends() && !ended[p.old.TunnelOf(old)] {
			p.endSessions = append(p.endSessions, old)
		}
		if isSession && c.begins() && !made[p.new.TunnelOf(new)] {
			p.makeSessions = append(p.makeSessions, new)
		}
		if wasSession && c.action == api.ChangeAction_CHANGE_ACTION_MODIFY &&
			!made[p.new.TunnelOf(new)] {
			p.modifySessions = append(p.modifySessions, c)
		}
	}
	if len(made) == 0 {
		return
	}
	for _, m := range p.new.Sessions() {
		if made[p.new.TunnelOf(m)] {
			p.makeSessions = append(p.makeSessions, m)
		}
	}
}

// ends reports whether the old object ends.
func (c *change) ends() bool {
	return c.action == api.ChangeAction_CHANGE_ACTION_DELETE ||
		c.action == api.ChangeAction_CHANGE_ACTION_RECREATE
}

// begins reports whether the new object begins.
func (c *change) begins() bool {
	return c.action == api.ChangeAction_CHANGE_ACTION_CREATE ||
		c.action == api.ChangeAction_CHANGE_ACTION_RECREATE
}

// countDropped counts the live sessions that each change ends: those of a
// tunnel that ends at the tunnel, others at themselves.
func (p *plan) countDropped(ctx context.Context, b management.Backend) error {
	live := make(map[*api.Tunnel][]*api.Session)
	ending := make(map[*api.Tunnel]bool)
	for _, t := range p.endTunnels {
		ending[t] = true
	}
	for _, c := range p.changes {
		if !c.kind.Live || !c.ends() {
			continue
		}
		s, isSession := c.old.(*api.Session)
		t, _ := c.old.(*api.Tunnel)
		if isSession {
			t = p.old.TunnelOf(s)
		}
		if t == nil || isSession && ending[t] {
			continue
		}
		if _, known := live[t]; !known {
			var err error
			if live[t], err = sessionsOf(ctx, b, t); err != nil {
				return err
			}
		}
		c.dropped, live[t] = takeLive(live[t], s)
	}
	return nil
}

// sessionsOf lists the sessions of a tunnel that is to exist; it may have ended.
func sessionsOf(ctx context.Context, b management.Backend, t *api.Tunnel) ([]*api.Session, error) {
	key, err := tunnelKey(ctx, b, t)
	var all []*api.Session
	for page := (management.Page{Limit: pageSize}); err == nil; {
		var some []*api.Session
		some, err = b.ListSessions(ctx, key, page)
		if all = append(all, some...); err == nil && len(some) < pageSize {
			return all, nil
		}
		if err == nil {
			page = page.AfterSessions(some)
		}
	}
	if errors.Is(err, management.ErrNotFound) {
		return nil, nil
	}
	return nil, err
}

// pageSize is how many tunnels or sessions are asked for at once: what has them does
// nothing else meanwhile.
const pageSize = 1000

// takeLive counts the sessions whose call is established, all of them or the one that
// is s, which is left out of what it returns besides: another one in the same words may
// be counted too.
func takeLive(list []*api.Session, s *api.Session) (n int, rest []*api.Session) {
	for i, m := range list {
		state := m.GetStatus().GetState()
		if state != api.SessionState_SESSION_STATE_ESTABLISHED &&
			state != api.SessionState_SESSION_STATE_UP {
			continue
		}
		switch {
		case s == nil:
			n++
		case isOf(s, m):
			return 1, slices.Delete(list, i, i+1)
		}
	}
	return n, list
}

// isOf reports whether the live session m is the one that s declares.
func isOf(s, m *api.Session) bool {
	switch {
	case m.GetStatus().GetCreatedByPeer():
		return false
	case s.SessionName != nil:
		return m.GetSessionName() == s.GetSessionName()
	case s.SessionId != nil:
		return m.GetSessionId() == s.GetSessionId()
	}
	// Without a name it is one that was asked for in the same words.
	asked := proto.CloneOf(m)
	asked.Status, asked.SessionId = nil, nil
	asked.TunnelName, asked.TunnelId = s.TunnelName, s.TunnelId
	return asked.SessionName == nil && proto.Equal(asked, s)
}

// tunnelKey says by which name or identifier the backend knows a tunnel.
func tunnelKey(ctx context.Context, b management.Backend, t *api.Tunnel) (*api.Tunnel, error) {
	switch {
	case t.TunnelName != nil:
		return &api.Tunnel{TunnelName: t.TunnelName}, nil
	case t.TunnelId != nil:
		return &api.Tunnel{TunnelId: t.TunnelId}, nil
	}
	for page := (management.Page{Limit: pageSize}); ; {
		some, err := b.ListTunnels(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, m := range some {
			asked := proto.CloneOf(m)
			asked.Status, asked.TunnelId = nil, nil
			if !m.GetStatus().GetCreatedByPeer() && proto.Equal(asked, t) {
				return &api.Tunnel{TunnelId: m.TunnelId}, nil
			}
		}
		if len(some) < pageSize {
			return nil, management.Errorf(management.ErrNotFound,
				"tunnel: there is none as it was declared")
		}
		page.AfterTunnel = uint16(some[len(some)-1].GetTunnelId())
	}
}

// sessionKey says by which name or identifier the backend knows a session.
func sessionKey(ctx context.Context, b management.Backend, tunnel *api.Tunnel, s *api.Session) (
	*api.Session, error) {
	in, err := tunnelKey(ctx, b, tunnel)
	if err != nil {
		return nil, err
	}
	key := &api.Session{TunnelName: in.TunnelName, TunnelId: in.TunnelId,
		SessionName: s.SessionName}
	if s.SessionName != nil {
		return key, nil
	}
	key.SessionId = s.SessionId
	if s.SessionId != nil {
		return key, nil
	}
	all, err := sessionsOf(ctx, b, tunnel)
	if err != nil {
		return nil, err
	}
	waits := false
	for _, m := range all {
		switch {
		case !isOf(s, m) || closing(m):
		case m.SessionId == nil:
			waits = true
		default:
			key.SessionId = m.SessionId
			return key, nil
		}
	}
	if waits {
		return nil, management.Errorf(management.ErrUnavailable,
			"it waits for its call and has no name to say which: it goes with its tunnel")
	}
	return nil, management.Errorf(management.ErrNotFound, "session: there is none as it was declared")
}

// closing reports whether a session is closing already.
func closing(m *api.Session) bool {
	return m.GetStatus().GetState() == api.SessionState_SESSION_STATE_CLOSING
}
