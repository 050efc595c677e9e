package commit

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/management"
	"culvert/internal/schema"
)

// reason is what peers are told of a tunnel or session that a new configuration ends.
const reason = "configuration changed"

// What takes the place of something that ends waits for that: it is tried every
// tryInterval for at most patience.
const (
	tryInterval = 50 * time.Millisecond
	patience    = 5 * time.Second
)

// carry does to the tunnels and sessions what a plan says, and returns what went
// wrong, one line each. The store has the new configuration already.
func carry(ctx context.Context, b management.Backend, p *plan) (failures []string) {
	c := &carrier{ctx: ctx, backend: b, plan: p, making: make(map[*api.Session]bool)}
	for _, s := range p.makeSessions {
		c.making[s] = true
	}
	for _, s := range p.endSessions {
		c.note(s, "ending", c.endSession(s))
	}
	for _, t := range p.endTunnels {
		c.note(t, "ending", c.endTunnel(t))
	}
	for _, m := range p.modifyTunnels {
		c.note(m.new, "modifying", c.modifyTunnel(m))
	}
	for _, m := range p.modifySessions {
		c.note(m.new, "modifying", c.modifySession(m))
	}
	ended := len(p.endSessions)+len(p.endTunnels) > 0
	c.doAll(ended, tunnelTasks(c, p.makeTunnels))
	c.doAll(ended, sessionTasks(c, p.makeSessions))
	return c.failures
}

// A carrier carries out one plan.
type carrier struct {
	ctx      context.Context
	backend  management.Backend
	plan     *plan
	making   map[*api.Session]bool // plan.makeSessions
	failed   []*api.Tunnel         // that could not be made
	failures []string
}

func (c *carrier) note(m proto.Message, doing string, err error) {
	if err != nil {
		c.failures = append(c.failures, doing+" "+schema.Label(m)+": "+err.Error())
	}
}

// endTunnel ends a tunnel. One that has ended by itself is none to end.
func (c *carrier) endTunnel(t *api.Tunnel) error {
	key, err := tunnelKey(c.ctx, c.backend, t)
	if err == nil {
		_, err = c.backend.DeleteTunnel(c.ctx, key, reason)
	}
	return orGone(err)
}

func (c *carrier) endSession(s *api.Session) error {
	key, err := sessionKey(c.ctx, c.backend, c.plan.old.TunnelOf(s), s)
	if err == nil {
		_, err = c.backend.DeleteSession(c.ctx, key, reason)
	}
	return orGone(err)
}

func orGone(err error) error {
	if errors.Is(err, management.ErrNotFound) {
		return nil
	}
	return err
}

// modifyTunnel changes a tunnel that goes on. One that has ended by itself begins anew,
// with its sessions.
func (c *carrier) modifyTunnel(m *change) error {
	old, t := m.old.(*api.Tunnel), m.new.(*api.Tunnel)
	key, err := tunnelKey(c.ctx, c.backend, old)
	if err == nil {
		set, unset := m.settings()
		tunnel := set.(*api.Tunnel)
		tunnel.TunnelName, tunnel.TunnelId = key.TunnelName, key.TunnelId
		_, err = c.backend.ModifyTunnel(c.ctx, tunnel, unset)
	}
	if !errors.Is(err, management.ErrNotFound) {
		return err
	}
	c.plan.makeTunnels = append(c.plan.makeTunnels, t)
	for _, s := range c.plan.new.Sessions() {
		if c.plan.new.TunnelOf(s) == t {
			c.makeSession(s)
		}
	}
	return nil
}

func (c *carrier) makeSession(s *api.Session) {
	if !c.making[s] {
		c.making[s] = true
		c.plan.makeSessions = append(c.plan.makeSessions, s)
	}
}

func (c *carrier) modifySession(m *change) error {
	s := m.new.(*api.Session)
	if c.making[s] {
		return nil // its tunnel had ended
	}
	key, err := sessionKey(c.ctx, c.backend, c.plan.new.TunnelOf(s), m.old.(*api.Session))
	if err == nil {
		set, unset := m.settings()
		session := set.(*api.Session)
		session.TunnelName, session.TunnelId = key.TunnelName, key.TunnelId
		session.SessionName, session.SessionId = key.SessionName, key.SessionId
		_, err = c.backend.ModifySession(c.ctx, session, unset)
	}
	if !errors.Is(err, management.ErrNotFound) {
		return err
	}
	c.makeSession(s)
	return nil
}

// settings is the change as a modification: what to set, and what to unset.
func (c *change) settings() (set proto.Message, unset []string) {
	set = c.kind.New()
	for _, p := range c.params {
		if p.Has(c.new) {
			p.Copy(set, c.new)
		} else {
			unset = append(unset, p.Name)
		}
	}
	return set, unset
}

// A task makes one tunnel or session.
type task struct {
	object proto.Message
	do     func() error
}

func tunnelTasks(c *carrier, list []*api.Tunnel) []task {
	var tasks []task
	for _, t := range list {
		tasks = append(tasks, task{t, func() error {
			_, err := c.backend.CreateTunnel(c.ctx, proto.CloneOf(t))
			return err
		}})
	}
	return tasks
}

// sessionTasks leaves out the sessions of tunnels that could not be made.
func sessionTasks(c *carrier, list []*api.Session) []task {
	var tasks []task
	for _, s := range list {
		if slices.Contains(c.failed, c.plan.new.TunnelOf(s)) {
			continue
		}
		tasks = append(tasks, task{s, func() error {
			_, err := c.backend.CreateSession(c.ctx, proto.CloneOf(s))
			return err
		}})
	}
	return tasks
}

// doAll does the tasks. If something has ended just now, what its name or a limit
// forbids is tried again until that is gone.
func (c *carrier) doAll(ended bool, tasks []task) {
	limit := time.Now().Add(patience)
	for len(tasks) > 0 {
		again := ended && time.Now().Before(limit)
		tasks = c.try(tasks, again)
		if len(tasks) > 0 {
			time.Sleep(tryInterval)
		}
	}
}

// try returns the tasks that are to be tried again.
func (c *carrier) try(tasks []task, again bool) (later []task) {
	for _, t := range tasks {
		err := t.do()
		if again && (errors.Is(err, management.ErrExists) || errors.Is(err, management.ErrRefused)) {
			later = append(later, t)
			continue
		}
		c.note(t.object, "making", err)
		if tunnel, ok := t.object.(*api.Tunnel); ok && err != nil {
			c.failed = append(c.failed, tunnel)
		}
	}
	return later
}
