package engine

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
	"culvert/internal/schema"
	"culvert/l2tp"
)

// tunnelChanges says, for each parameter that can change while a tunnel runs, what
// of the tunnel it is. All else stays as it was when the tunnel began, whatever has
// become of its profiles since.
var tunnelChanges = map[string]func(to, from *config.Tunnel){
	"peer_profile_name": func(to, from *config.Tunnel) {
		to.PeerProfileName, to.Role = from.PeerProfileName, from.Role
		to.SessionProfileName, to.PPPProfileName = from.SessionProfileName, from.PPPProfileName
	},
	"session_profile_name": func(to, from *config.Tunnel) {
		to.SessionProfileName = from.SessionProfileName
	},
	"ppp_profile_name": func(to, from *config.Tunnel) { to.PPPProfileName = from.PPPProfileName },
	"use_udp_checksums": func(to, from *config.Tunnel) {
		to.Parameters.UseUDPChecksums = from.Parameters.UseUDPChecksums
	},
	"persist": func(to, from *config.Tunnel) { to.Parameters.Persist = from.Parameters.Persist },
	"persist_delay": func(to, from *config.Tunnel) {
		to.Parameters.PersistDelay = from.Parameters.PersistDelay
	},
	"persist_max_delay": func(to, from *config.Tunnel) {
		to.Parameters.PersistMaxDelay = from.Parameters.PersistMaxDelay
		to.Parameters.PersistDelay = from.Parameters.PersistDelay
	},
	"hello_timeout": func(to, from *config.Tunnel) {
		to.Parameters.HelloTimeout = from.Parameters.HelloTimeout
	},
	"max_retries": func(to, from *config.Tunnel) {
		to.Parameters.MaxRetries = from.Parameters.MaxRetries
	},
	"retry_timeout": func(to, from *config.Tunnel) {
		to.Parameters.RetryTimeout = from.Parameters.RetryTimeout
	},
	"idle_timeout": func(to, from *config.Tunnel) {
		to.Parameters.IdleTimeout = from.Parameters.IdleTimeout
	},
	"max_sessions": func(to, from *config.Tunnel) {
		to.Parameters.MaxSessions = from.Parameters.MaxSessions
	},
	"mtu":         func(to, from *config.Tunnel) { to.Parameters.MTU = from.Parameters.MTU },
	"trace_flags": func(to, from *config.Tunnel) { to.Parameters.Trace = from.Parameters.Trace },
	"interface_name": func(to, from *config.Tunnel) {
		to.Parameters.InterfaceName = from.Parameters.InterfaceName
	},
}

// sessionChanges is the same of a session.
var sessionChanges = map[string]func(to, from *config.Session){
	"sequencing_required": func(to, from *config.Session) {
		to.Parameters.SequencingRequired = from.Parameters.SequencingRequired
	},
	"use_sequence_numbers": func(to, from *config.Session) {
		to.Parameters.UseSequenceNumbers = from.Parameters.UseSequenceNumbers
	},
	"reorder_timeout": func(to, from *config.Session) {
		to.Parameters.ReorderTimeout = from.Parameters.ReorderTimeout
	},
	"trace_flags": func(to, from *config.Session) { to.Parameters.Trace = from.Parameters.Trace },
}

// changed returns what runs with the parameters that a command names as they
// are resolved now.
func changed[T any](
	runs, resolved T, of map[string]func(to, from *T), change proto.Message, unset []string,
) T {
	k := schema.KindOf(change)
	for name := range maps.Keys(of) {
		if k.Param(name).Has(change) || slices.ContainsFunc(unset, func(u string) bool {
			return k.Param(u) == k.Param(name)
		}) {
			of[name](&runs, &resolved)
		}
	}
	return runs
}

// ModifyTunnel changes a tunnel, one that a peer opened too.
func (e *Engine) ModifyTunnel(
	ctx context.Context, t *api.Tunnel, unset []string,
) (*api.Tunnel, error) {
	name, id := t.GetTunnelName(), t.GetTunnelId()
	if id != 0 {
		name = "" // that is the new one, if any
	}
	return onTunnel(ctx, e, name, id, func(found subject) (*api.Tunnel, error) {
		return found.owner().modify(time.Now(), t, unset)
	})
}

// owner is the dialer that holds what commands say of the tunnel.
func (f subject) owner() *dialer {
	if f.dialer != nil {
		return f.dialer
	}
	return f.tunnel.adopt()
}

// modify changes what a tunnel is to be like: what can be changed while it
// runs takes effect at once.
func (d *dialer) modify(now time.Time, change *api.Tunnel, unset []string) (*api.Tunnel, error) {
	asked := proto.CloneOf(d.asked)
	schema.Update(asked, change, unset)
	asked.TunnelId = d.asked.TunnelId
	if change.TunnelId == nil {
		asked.TunnelName = d.asked.TunnelName
	}
	snapshot := d.shard.engine.store.Snapshot()
	resolved, err := d.resolve(snapshot, asked, d.peer())
	if err == nil && d.adopted && change.GetParameters().GetPersist() {
		err = management.Errorf(management.ErrRefused,
			"tunnel %s: it was opened by the peer: persist can only be no", d)
	}
	if err == nil && !d.shard.engine.names.rename(d, asked.GetTunnelName()) {
		err = management.Errorf(management.ErrExists, "tunnel %s: exists already",
			asked.GetTunnelName())
	}
	if err != nil {
		return nil, err
	}
	d.asked = asked
	d.resolved = changed(d.resolved, resolved, tunnelChanges, change, unset)
	if d.tunnel != nil {
		d.tunnel.touch()
		d.tunnel.reconfigure(
			d.shard.settings.tunnel(snapshot, d.resolved, d.tunnel.settings.local()))
	}
	status := d.status(now)
	if !d.persists() {
		d.stopWaiting(now)
	}
	return status, nil
}

// peer is the address of the tunnel that is there, if one is.
func (d *dialer) peer() netip.Addr {
	if d.tunnel == nil {
		return netip.Addr{}
	}
	return d.tunnel.peer.Addr()
}

// stopWaiting gives up what waits for its next attempt.
func (d *dialer) stopWaiting(now time.Time) {
	for _, c := range slices.Clone(d.calls) {
		if !c.retry.at.IsZero() {
			c.failed(now, c.cause)
		}
	}
	if !d.retry.at.IsZero() {
		d.failed(now, errors.New(d.cause))
	}
}

// ModifySession changes a session, one that a peer began too.
func (e *Engine) ModifySession(
	ctx context.Context, m *api.Session, unset []string,
) (*api.Session, error) {
	key := proto.CloneOf(m)
	if key.GetSessionId() != 0 {
		key.SessionName = nil // that is the new one, if any
	}
	return onSession(ctx, e, key, func(found sessionSubject) (*api.Session, error) {
		if err := found.modify(m, unset); err != nil {
			return nil, err
		}
		return found.status(time.Now()), nil
	})
}

// modify changes what a session is to be like, and at once what it is like if it runs.
func (f sessionSubject) modify(change *api.Session, unset []string) error {
	was := f.asked()
	if was == nil {
		was = &api.Session{}
	}
	asked := proto.CloneOf(was)
	schema.Update(asked, change, unset)
	asked.TunnelName, asked.TunnelId, asked.SessionId = was.TunnelName, was.TunnelId, was.SessionId
	if change.SessionId == nil {
		asked.SessionName = was.SessionName
	}
	resolved, err := f.resolve(asked)
	if err != nil {
		return err
	}
	if name := asked.GetSessionName(); name != "" && name != was.GetSessionName() && f.in().has(name) {
		return management.Errorf(management.ErrExists, "session %s: exists already in tunnel %s",
			name, either(f.in().name(), uint32(f.in().id())))
	}
	f.note(asked)
	if s := f.session; s != nil && s.phase != gone {
		s.reconfigure(changed(s.settings.Session, resolved, sessionChanges, change, unset))
	}
	return nil
}

// in is the session's tunnel.
func (f sessionSubject) in() subject {
	if f.call != nil {
		return subject{f.call.dialer, f.call.dialer.tunnel}
	}
	return subject{f.session.tunnel.dialer, f.session.tunnel}
}

// asked is what commands have said of the session.
func (f sessionSubject) asked() *api.Session {
	if f.call != nil {
		return f.call.asked
	}
	return f.session.tunnel.changed[f.session.id] // nil: nothing
}

// note keeps what commands say of the session.
func (f sessionSubject) note(asked *api.Session) {
	if f.call != nil {
		f.call.rename(asked)
		return
	}
	f.session.tunnel.note(f.session.id, asked)
}

// note keeps what commands say of a session that the peer began.
func (t *tunnel) note(id l2tp.SessionID, asked *api.Session) {
	if t.changed == nil {
		t.changed = make(map[l2tp.SessionID]*api.Session)
	}
	t.changed[id] = asked
	if s := t.sessions[id]; s != nil {
		s.touch()
	}
}

// resolve says what the session is to be like.
func (f sessionSubject) resolve(asked *api.Session) (config.Session, error) {
	if f.call != nil {
		d := f.call.dialer
		return d.shard.engine.store.Snapshot().ResolveSession(d.resolved, asked)
	}
	s := f.session
	return s.engine().store.Snapshot().IncomingSession(
		s.tunnel.settings.resolved, sessionType(s.kind), asked), nil
}

// reconfigure gives a running session other parameters.
func (s *session) reconfigure(to config.Session) {
	was := s.spec()
	s.settings = s.shard().settings.session(s.engine().store.Snapshot(), to, s.wanted == nil)
	if s.path != nil && s.spec() != was {
		s.modifyPath("changing sequence numbers")
	}
}

// modifyPath tells the data plane how data messages look now.
func (s *session) modifyPath(doing string) {
	spec := s.spec()
	s.plane.begin()
	s.touchIfUp()
	s.do(doing+": data session, "+textOfSession(spec), job{
		run: func(ctx context.Context) error { return s.path.Modify(ctx, spec) },
		done: func(err error) {
			s.plane.end(err == nil)
			s.touchIfUp()
			s.warn(doing)(err)
		},
	})
}
