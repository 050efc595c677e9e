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
		t := e.tables[k]
		e.tables[k] = &table{slices.Clone(t.order), maps.Clone(t.byName)}
		e.copied[k] = true
	}
	return e.tables[k]
}

func (t *table) put(name string, m proto.Message) {
	if _, ok := t.byName[name]; !ok {
		t.order = append(t.order, name)
	}
	t.byName[name] = m
}

func (t *table) remove(name string) {
	delete(t.byName, name)
	t.order = slices.DeleteFunc(t.order, func(n string) bool { return n == name })
}

// name is what an object is called in its table.
func name(m proto.Message) string { return schema.KindOf(m).Name(m) }

func (e *edit) apply(c schema.Command) error {
	t := e.table(c.Object)
	n, exists := t.find(c)
	if exists == (c.Op == schema.Create) && n != "" {
		if exists {
			return Errorf(ErrExists, "%s exists already", schema.Label(c.Object))
		}
		return Errorf(ErrNotFound, "there is no %s%s", schema.Label(c.Object),
			schema.DidYouMean(n, t.order))
	}
	switch c.Op {
	case schema.Create:
		n = e.create(t, c.Object)
	case schema.Modify, schema.Unset:
		m := proto.Clone(t.byName[n])
		schema.Update(m, c.Object, c.Unset)
		schema.ClearActions(m)
		n = e.replace(t, n, m)
	case schema.Delete:
		return e.delete(c, n)
	default:
		return Errorf(ErrInvalid, "%s %s does not change the configuration", c.Kind.Words, c.Op)
	}
	e.note(c, n)
	return nil
}

// find finds the object that a command names and returns what it is called in the
// table; if it is not there, what it would be called. One that has a name may be named
// by its ID too.
func (t *table) find(c schema.Command) (n string, ok bool) {
	n = name(c.Object)
	if _, ok := t.byName[n]; ok || c.Op == schema.Create || !hasID(c.Object) {
		return n, ok
	}
	for _, other := range t.order {
		if schema.Names(t.byName[other], c.Object) {
			return other, true
		}
	}
	return n, false
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
		t.byName[n] = m
		return n
	}
	tunnel, _ := t.byName[n].(*api.Tunnel)
	t.rename(n, next, m)
	if tunnel != nil && tunnel.TunnelName != nil {
		sessions := e.table(&api.Session{})
		for _, n := range slices.Clone(sessions.order) {
			s := sessions.byName[n].(*api.Session)
			if s.TunnelName != nil && s.GetTunnelName() == tunnel.GetTunnelName() {
				s = proto.CloneOf(s)
				s.TunnelName = m.(*api.Tunnel).TunnelName
				sessions.rename(n, strings.Replace(n, tunnel.GetTunnelName(), s.GetTunnelName(), 1), s)
			}
		}
	}
	return next
}

func (t *table) rename(n, next string, m proto.Message) {
	delete(t.byName, n)
	t.order[slices.Index(t.order, n)] = next
	t.byName[next] = m
}

// note keeps the warnings about a command that was carried out.
func (e *edit) note(c schema.Command, n string) {
	m := e.table(c.Object).byName[n]
	for _, w := range c.Warnings {
		param := ""
		for name, at := range c.ParamAt {
			if at.Offset <= w.Offset && (param == "" || c.ParamAt[param].Offset < at.Offset) {
				param = name
			}
		}
		if p := c.Kind.Param(param); p != nil {
			e.notes = append(e.notes,
				note{c.Kind, n, param, p.Text(m), warning(m, "%s", w.Msg)})
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
			if _, taken := t.byName[n]; !taken {
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
	m := e.table(c.Object).byName[n]
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
			for _, m := range e.tables[other].byName {
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
	for n, m := range maps.Clone(sessions.byName) {
		if schema.Names(t, tunnelKey(m.(*api.Session))) {
			sessions.remove(n)
		}
	}
}
