package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
	"culvert/l2tp"
)

var _ management.Backend = (*Engine)(nil)

// errFault is the answer of a shard that struck a fault of ours while it answered.
var errFault = errors.New("internal fault, see the log")

// ask runs f on a shard and returns its result.
func ask[T any](ctx context.Context, s *shard, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	s.mail.post(func() {
		a := answer{err: errFault}
		defer func() { answers <- a }()
		a.value, a.err = f()
	})
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	case <-s.ended:
		var zero T
		return zero, management.Errorf(management.ErrUnavailable, "the daemon is stopping")
	}
}

// createDeclared makes what the configuration file declares, but for what is there.
func (e *Engine) createDeclared(there map[proto.Message]bool) {
	snapshot := e.store.Snapshot()
	for _, t := range snapshot.Tunnels() {
		if there[t] {
			continue
		}
		if _, err := e.CreateTunnel(context.Background(), t); err != nil {
			e.log.Error("creating configured tunnel", "name", t.GetTunnelName(), "err", err)
		}
	}
	for _, s := range snapshot.Sessions() {
		if there[s] {
			continue
		}
		if _, err := e.CreateSession(context.Background(), s); err != nil {
			e.log.Error("creating configured session", "tunnel", s.GetTunnelName(),
				"name", s.GetSessionName(), "err", err)
		}
	}
}

// CreateTunnel begins to open a tunnel.
func (e *Engine) CreateTunnel(ctx context.Context, asked *api.Tunnel) (*api.Tunnel, error) {
	if err := e.mayCreate(); err != nil {
		return nil, err
	}
	resolved, err := e.store.Snapshot().ResolveTunnel(asked)
	if err != nil {
		return nil, err
	}
	d := newDialer(e.shardFor(resolved.Dest.Addr), proto.CloneOf(asked), resolved)
	if resolved.ID != 0 {
		d.shard = e.shardOf(l2tp.TunnelID(resolved.ID))
	}
	if err := e.names.add(d); err != nil {
		return nil, err
	}
	return ask(ctx, d.shard, func() (*api.Tunnel, error) { return d.begin(time.Now()) })
}

// mayCreate says why no tunnel may be created by command, or nil.
func (e *Engine) mayCreate() error {
	sys := e.store.Snapshot().System()
	if sys.DenyLocalTunnelCreates {
		return management.Errorf(management.ErrRefused, "system: deny_local_tunnel_creates is yes")
	}
	return e.mayOpen(sys)
}

// mayOpen says why no tunnel of ours may be opened, or nil.
func (e *Engine) mayOpen(sys config.System) error {
	switch {
	case e.stopping.Load():
		return management.Errorf(management.ErrUnavailable, "the daemon is stopping")
	case sys.DrainTunnels:
		return management.Errorf(management.ErrRefused, "system: drain_tunnels is yes")
	case sys.MaxTunnels > 0 && e.count.tunnels.Load() >= int64(sys.MaxTunnels):
		return management.Errorf(management.ErrRefused,
			"system: max_tunnels is %d, and so many exist", sys.MaxTunnels)
	}
	return nil
}

// maySetUp says why no session of ours may be set up, or nil.
func (e *Engine) maySetUp(sys config.System) error {
	switch {
	case sys.DrainTunnels:
		return management.Errorf(management.ErrRefused, "system: drain_tunnels is yes")
	case sys.MaxSessions > 0 && e.count.sessions.Load() >= int64(sys.MaxSessions):
		return management.Errorf(management.ErrRefused,
			"system: max_sessions is %d, and so many exist", sys.MaxSessions)
	}
	return nil
}

// begin enters the dialer into its shard and starts its first attempt.
func (d *dialer) begin(now time.Time) (*api.Tunnel, error) {
	err := d.shard.engine.mayCreate() // again: the daemon may be stopping since
	id := d.nextID()
	if err == nil && (id == 0 || d.shard.isTaken(id)) {
		err = management.Errorf(management.ErrExists, "tunnel_id %d: in use", id)
	}
	if err != nil {
		d.shard.engine.names.remove(d)
		return nil, err
	}
	d.take(id)
	d.shard.dialers[d] = struct{}{}
	d.dial(now)
	return d.status(now), nil
}

// A subject is the tunnel that a key names: a dialer, a running tunnel, or both.
type subject struct {
	dialer *dialer
	tunnel *tunnel
}

// onTunnel runs f on the shard of the tunnel that a key names.
func onTunnel[T any](
	ctx context.Context, e *Engine, name string, id uint32, f func(subject) (T, error),
) (T, error) {
	s := e.shardOf(l2tp.TunnelID(id))
	named := e.names.find(name)
	if named != nil {
		s = named.shard
	}
	return ask(ctx, s, func() (T, error) {
		var found subject
		switch {
		case named != nil && named.isForgotten(): // since it was found
		case named != nil:
			found = subject{named, named.tunnel}
		case name == "":
			found = s.subject(l2tp.TunnelID(id))
		}
		if !found.exists() {
			var zero T
			return zero, management.Errorf(management.ErrNotFound, "tunnel %s: no such tunnel",
				either(name, id))
		}
		return f(found)
	})
}

// either is how a message names what has a name or an identifier.
func either(name string, id uint32) string {
	if name != "" {
		return name
	}
	return fmt.Sprint(id)
}

// DeleteTunnel ends a tunnel and its sessions.
func (e *Engine) DeleteTunnel(
	ctx context.Context, key *api.Tunnel, reason string,
) (*api.Tunnel, error) {
	name, id := key.GetTunnelName(), key.GetTunnelId()
	return onTunnel(ctx, e, name, id, func(found subject) (*api.Tunnel, error) {
		now := time.Now()
		status := found.status(now)
		if found.dialer != nil {
			found.dialer.delete(now, reason)
		} else {
			found.tunnel.close(now, l2tp.Result{Code: l2tp.StopGeneral, Message: reason})
		}
		return status, nil
	})
}

// ShowTunnel describes a tunnel.
func (e *Engine) ShowTunnel(ctx context.Context, key *api.Tunnel) (management.Shown, error) {
	name, id := key.GetTunnelName(), key.GetTunnelId()
	return onTunnel(ctx, e, name, id, func(found subject) (management.Shown, error) {
		return found.explain(time.Now()), nil
	})
}

// ListTunnels describes the tunnels after a given one.
func (e *Engine) ListTunnels(ctx context.Context, page management.Page) ([]*api.Tunnel, error) {
	var all []*api.Tunnel
	for _, s := range e.shards {
		some, err := ask(ctx, s, func() ([]*api.Tunnel, error) { return s.list(page), nil })
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b *api.Tunnel) int {
		return cmp.Compare(a.GetTunnelId(), b.GetTunnelId())
	})
	return all[:min(len(all), page.Limit)], nil
}

// list describes a page of the shard's tunnels.
func (s *shard) list(page management.Page) []*api.Tunnel {
	now := time.Now()
	var tunnels []*api.Tunnel
	for found := range s.from(int(page.AfterTunnel) + 1) {
		if len(tunnels) == page.Limit {
			break
		}
		tunnels = append(tunnels, found.status(now))
	}
	return tunnels
}

// subject is the tunnel of an identifier: one that runs, or one that waits for
// its next attempt. One that lingers is none.
func (s *shard) subject(id l2tp.TunnelID) subject {
	if d := s.wanted[id]; d != nil {
		return subject{d, d.tunnel}
	}
	if t := s.tunnels[id]; t != nil && t.end == nil {
		return subject{t.dialer, t}
	}
	return subject{}
}

func (f subject) exists() bool { return f.dialer != nil || f.tunnel != nil }

// from returns the shard's tunnels whose identifiers are not less than first,
// in order. To try them all costs less than to sort those that are there.
func (s *shard) from(first int) iter.Seq[subject] {
	n := len(s.engine.shards)
	first += (s.index - first%n + n) % n
	return func(yield func(subject) bool) {
		for id := first; id < 1<<16; id += n {
			if found := s.subject(l2tp.TunnelID(id)); found.exists() && !yield(found) {
				return
			}
		}
	}
}

// SystemStatus describes the daemon.
func (e *Engine) SystemStatus(ctx context.Context) (*api.SystemStatus, error) {
	st := e.systemStatus(time.Now())
	st.Warnings = e.inert(e.store.Snapshot())
	return st, e.addStatistics(ctx, st)
}

// PoolStatus describes what is given out of a pool.
func (e *Engine) PoolStatus(_ context.Context, name string) (*api.PoolStatus, error) {
	return e.poolStatus(name), nil
}
