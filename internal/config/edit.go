package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// An edit is a configuration in the making. Tables are copied when they are
// first written to, objects always.
type edit struct {
	tables map[*schema.Kind]*table
	copied map[*schema.Kind]bool
	serial int
	notes  []note
}

func newEdit(s *Snapshot) *edit {
	return &edit{tables: maps.Clone(s.tables), copied: make(map[*schema.Kind]bool),
		notes: slices.Clone(s.notes)}
}

// table returns the table for objects like m, for writing.
func (e *edit) table(m proto.Message) *table {
	k := schema.KindOf(m)
	if !e.copied[k] {
		e.tables[k] = e.tables[k].clone()
		e.copied[k] = true
	}
	return e.tables[k]
}

// name is what an object is called in its table.
func name(m proto.Message) string { return schema.KindOf(m).Name(m) }

// apply carries out a command, and returns what the object is called in its table
// then.
func (e *edit) apply(c schema.Command) (n string, err error) {
	t := e.table(c.Object)
	n, exists := e.find(t, c)
	if exists == (c.Op == schema.Create) && n != "" {
		if exists {
			return n, Errorf(ErrExists, "%s exists already", schema.Label(c.Object))
		}
		return n, Errorf(ErrNotFound, "there is no %s%s", schema.Label(c.Object),
			schema.DidYouMean(n, t.names()))
	}
	switch c.Op {
	case schema.Create:
		n = e.create(t, c.Object)
	case schema.Modify, schema.Unset:
		m := proto.Clone(t.get(n))
		schema.Update(m, change(c), c.Unset)
		schema.ClearActions(m)
		if t.get(name(m)) != nil && name(m) != n {
			return n, Errorf(ErrExists, "%s exists already", schema.Label(m))
		}
		n = e.replace(t, n, m)
	case schema.Delete:
		return n, e.delete(c, n)
	default:
		return n, Errorf(ErrInvalid, "%s %s does not change the configuration", c.Kind.Words, c.Op)
	}
	e.note(c, n)
	return n, nil
}

// change is what a command changes of an object: not its keys, but its name if that
// stands beside the ID.
func change(c schema.Command) proto.Message {
	m := proto.Clone(c.Object)
	renames := renamed(c)
	for _, p := range c.Kind.Params {
		if p.Key && p != renames {
			p.Clear(m)
		}
	}
	return m
}

// renamed returns the key that the command gives a new value, or nil. Beside an ID a
// name is one to be given.
func renamed(c schema.Command) *schema.Param {
	groups := c.Kind.Keys()
	if !c.Kind.Live || c.Op != schema.Modify {
		return nil
	}
	own := groups[len(groups)-1]
	if own[0].Has(c.Object) && own[len(own)-1].Has(c.Object) {
		return own[0]
	}
	return nil
}

// find finds the object that a command names and returns what it is called in the
// table; if it is not there, what it would be called. One that has a name may be named
// by its ID too.
func (e *edit) find(t *table, c schema.Command) (n string, ok bool) {
	key := c.Object
	if p := renamed(c); p != nil {
		key = proto.Clone(key)
		p.Clear(key)
	}
	n = name(key)
	if ok := t.get(n) != nil; ok || c.Op == schema.Create {
		return n, ok
	}
	key = e.withTunnel(key)
	if !hasID(key) {
		return n, false
	}
	for other, m := range t.all() {
		if schema.Names(m, key) {
			return other, true
		}
	}
	return n, false
}

// withTunnel adds to the key of a session both the name and the ID of its tunnel.
func (e *edit) withTunnel(key proto.Message) proto.Message {
	s, ok := key.(*api.Session)
	if !ok {
		return key
	}
	for _, m := range e.tables[schema.KindOf(&api.Tunnel{})].all() {
		if t := m.(*api.Tunnel); schema.Names(t, tunnelKey(s)) {
			return &api.Session{TunnelName: t.TunnelName, TunnelId: t.TunnelId,
				SessionName: s.SessionName, SessionId: s.SessionId}
		}
	}
	return key
}

// hasID reports whether a key has an ID of ours.
func hasID(key proto.Message) bool {
	switch key := key.(type) {
	case *api.Tunnel:
		return key.TunnelId != nil
	case *api.Session:
		return key.TunnelId != nil || key.SessionId != nil
	}
	return false
}

// replace puts an object in the place of the one called n, and returns what it is
// called now: a modification may rename it. The sessions of a tunnel follow it.
func (e *edit) replace(t *table, n string, m proto.Message) string {
	next := name(m)
	if next == n || next == "" || strings.HasPrefix(n, next+"/#") {
		t.put(n, m)
		return n
	}
	tunnel, _ := t.get(n).(*api.Tunnel)
	t.rename(n, next, m)
	if tunnel != nil && tunnel.TunnelName != nil {
		sessions := e.table(&api.Session{})
		old, now := name(&api.Session{TunnelName: tunnel.TunnelName}),
			name(&api.Session{TunnelName: m.(*api.Tunnel).TunnelName})
		for _, n := range sessions.names() {
			s := sessions.get(n).(*api.Session)
			if s.TunnelName != nil && s.GetTunnelName() == tunnel.GetTunnelName() {
				s = proto.CloneOf(s)
				s.TunnelName = m.(*api.Tunnel).TunnelName
				sessions.rename(n, now+strings.TrimPrefix(n, old), s)
			}
		}
	}
	return next
}

// note keeps the warnings about a command that was carried out.
func (e *edit) note(c schema.Command, n string) {
	m := e.table(c.Object).get(n)
	for _, w := range c.Warnings {
		param := ""
		for name, at := range c.ParamAt {
			if at.Offset <= w.Offset && (param == "" || c.ParamAt[param].Offset < at.Offset) {
				param = name
			}
		}
		if p := c.Kind.Param(param); p != nil {
			said := note{c.Kind, n, param, p.Text(m), warning(m, "%s", w.Msg)}
			if !slices.Contains(e.notes, said) {
				e.notes = append(e.notes, said)
			}
		}
	}
}

// create puts an object into its table. A tunnel or session may have no name:
// it is kept under one that no command can say.
func (e *edit) create(t *table, m proto.Message) string {
	n := name(m)
	s, isSession := m.(*api.Session)
	if n == "" || isSession && s.SessionName == nil && s.SessionId == nil {
		for {
			e.serial++
			n = name(m) + "/#" + strconv.Itoa(e.serial)
			if t.get(n) == nil {
				break
			}
		}
	}
	m = proto.Clone(m)
	schema.ClearActions(m)
	t.put(n, m)
	return n
}

func (e *edit) delete(c schema.Command, n string) error {
	if c.Kind.Builtin == n {
		return Errorf(ErrRefused, "%s cannot be deleted, only modified", schema.Label(c.Object))
	}
	if user := e.referrer(c.Kind, n); user != nil {
		return Errorf(ErrRefused, "%s is in use by %s", schema.Label(c.Object), schema.Label(user))
	}
	m := e.table(c.Object).get(n)
	e.forget(m)
	e.table(m).remove(n)
	return nil
}

// referrer finds an object that names the object n of kind k, or returns nil.
func (e *edit) referrer(k *schema.Kind, n string) proto.Message {
	for _, other := range schema.Kinds() {
		for _, p := range other.Params {
			if p.RefersTo != k.Words {
				continue
			}
			for _, m := range e.tables[other].all() {
				if p.Text(m) == n {
					return m
				}
			}
		}
	}
	return nil
}

// forget removes an object, and with a tunnel its sessions.
func (e *edit) forget(key proto.Message) {
	e.table(key).remove(name(key))
	t, ok := key.(*api.Tunnel)
	if !ok {
		return
	}
	sessions := e.table(&api.Session{})
	for _, n := range sessions.names() {
		if schema.Names(t, tunnelKey(sessions.get(n).(*api.Session))) {
			sessions.remove(n)
		}
	}
}
