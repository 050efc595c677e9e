package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
)

// declared says of what the last process has left which of it the configuration declares, and
// what that says now.
type declared struct {
	tunnels  map[*dialerRecord]*api.Tunnel
	sessions map[*callRecord]*api.Session
}

func newDeclared(snapshot *config.Snapshot, in inheritance) declared {
	d := declared{make(map[*dialerRecord]*api.Tunnel), make(map[*callRecord]*api.Session)}
	d.findTunnels(snapshot, in)
	d.findSessions(snapshot, in)
	return d
}

func (d *declared) findTunnels(snapshot *config.Snapshot, in inheritance) {
	var left, now []subjectOf[*api.Tunnel]
	var records []*dialerRecord
	for t := range in.inOrder() {
		if r := t.Dialer; r != nil && !r.Adopted && !r.Deleted {
			if asked, err := r.askedTunnel(); err == nil {
				left, records = append(left, asTunnel(asked)), append(records, r)
			}
		}
	}
	for _, t := range snapshot.Tunnels() {
		now = append(now, asTunnel(t))
	}
	for i, t := range match(left, now) {
		d.tunnels[records[i]] = t
	}
}

func (d *declared) findSessions(snapshot *config.Snapshot, in inheritance) {
	var left, now []subjectOf[*api.Session]
	var records []*callRecord
	for t := range in.inOrder() {
		if t.Dialer == nil || t.Dialer.Deleted {
			continue
		}
		tunnel := d.tunnels[t.Dialer]
		if tunnel == nil {
			tunnel, _ = t.Dialer.askedTunnel() // or nothing, and it cannot be taken over
		}
		for _, s := range t.sessions {
			if s.Wanted == nil {
				continue
			}
			if asked, err := askedSession(s.Wanted.Asked); err == nil {
				left, records = append(left, asSession(tunnel, asked)), append(records, s.Wanted)
			}
		}
	}
	for _, s := range snapshot.Sessions() {
		now = append(now, asSession(snapshot.TunnelOf(s), s))
	}
	for i, s := range match(left, now) {
		d.sessions[records[i]] = s
	}
}

// lacks reports whether the configuration has a tunnel no more. It never had one
// that a command created without a name.
func (d *declared) lacks(r *dialerRecord, asked *api.Tunnel) bool {
	return asked.GetTunnelName() != "" && d.tunnels[r] == nil
}

// inOrder yields the tunnels, and their sessions, in the order of their identifiers.
func (in *inheritance) inOrder() func(yield func(*inheritedTunnel) bool) {
	return func(yield func(*inheritedTunnel) bool) {
		for _, id := range slices.Sorted(maps.Keys(in.tunnels)) {
			t := in.tunnels[id]
			slices.SortFunc(t.sessions, func(a, b *sessionRecord) int {
				return cmp.Compare(a.Core.Session, b.Core.Session)
			})
			if !yield(t) {
				return
			}
		}
	}
}

// A subjectOf is a tunnel or session of ours by what names it.
type subjectOf[M proto.Message] struct {
	object M
	key    string
	named  bool // no other has the key
}

// asTunnel names a tunnel: by its name or identifier, or else by what tells it from others.
func asTunnel(t *api.Tunnel) subjectOf[*api.Tunnel] {
	s := subjectOf[*api.Tunnel]{object: t, key: t.GetTunnelName(), named: true}
	if s.key == "" {
		s.named = t.GetTunnelId() != 0
		s.key = fmt.Sprintf("%d %s %d", t.GetTunnelId(), t.GetDestIpaddr(), t.GetConfigId())
	}
	if !s.named {
		s.key += " " + t.GetProfileName()
	}
	return s
}

// asSession names a session likewise, within its tunnel.
func asSession(t *api.Tunnel, s *api.Session) subjectOf[*api.Session] {
	if t == nil {
		t = &api.Tunnel{TunnelName: s.TunnelName, TunnelId: s.TunnelId}
	}
	of := subjectOf[*api.Session]{object: s, named: s.GetSessionName() != "" || s.GetSessionId() != 0}
	of.key = fmt.Sprintf("%s / %s %d", asTunnel(t).key, s.GetSessionName(), s.GetSessionId())
	if !of.named {
		of.key += " " + s.GetUserName()
	}
	return of
}

// whole is the key of one with exactly these parameters. It may have secrets in it.
func (s subjectOf[M]) whole() string {
	if s.named {
		return s.key
	}
	return s.key + "\n" + schema.Format(schema.Create, s.object)
}

// match finds what is now of each of those that are left, in their order: nil if there is none.
// Those without a name are the same if they are alike; one that a command or an editor has
// changed is one that is the same but for that.
func match[M proto.Message](left, now []subjectOf[M]) []M {
	found := make([]M, len(left))
	done, used := make([]bool, len(left)), make([]bool, len(now))
	for _, name := range []func(subjectOf[M]) string{
		subjectOf[M].whole, func(s subjectOf[M]) string { return s.key }} {
		free := make(map[string][]int)
		for i, s := range now {
			if !used[i] {
				free[name(s)] = append(free[name(s)], i)
			}
		}
		for i, s := range left {
			if n := name(s); !done[i] && len(free[n]) > 0 {
				at := free[n][0]
				found[i], free[n] = now[at].object, free[n][1:]
				done[i], used[at] = true, true
			}
		}
	}
	return found
}
