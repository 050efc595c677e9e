package commit

import (
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
)

// A change is what becomes of one object.
type change struct {
	action   api.ChangeAction
	kind     *schema.Kind
	old, new proto.Message // nil where there is none
	params   []*schema.Param
	dropped  int // sessions that it ends
}

// diff finds what is different in b from a, in the order of schema.Kinds: of
// each kind first what goes, and then what comes or is modified.
func diff(a, b *config.Snapshot) []*change {
	if a == b {
		return nil
	}
	var all []*change
	for _, k := range schema.Kinds() {
		all = append(all, diffKind(k, a.Objects(k), b.Objects(k))...)
	}
	return all
}

func diffKind(k *schema.Kind, a, b []proto.Message) []*change {
	old := index(k, a)
	var gone, come []*change
	for _, m := range b {
		was := old.take(k, m)
		if was != nil && (was == m || proto.Equal(was, m)) {
			continue
		}
		if c := compare(k, was, m); c != nil {
			come = append(come, c)
		}
	}
	for _, m := range a {
		if old.has(k, m) {
			gone = append(gone, compare(k, m, nil))
		}
	}
	return append(gone, come...)
}

// compare says what becomes of one object, or returns nil if that is nothing.
func compare(k *schema.Kind, a, b proto.Message) *change {
	c := &change{kind: k, old: a, new: b, action: api.ChangeAction_CHANGE_ACTION_MODIFY}
	for _, p := range k.Params {
		if a != nil && b != nil && p.Equal(a, b) || !has(p, a) && !has(p, b) {
			continue
		}
		c.params = append(c.params, p)
		if k.Live && (p.Key || p.CreateOnly) {
			c.action = api.ChangeAction_CHANGE_ACTION_RECREATE
		}
	}
	switch {
	case a == nil:
		c.action = api.ChangeAction_CHANGE_ACTION_CREATE
	case b == nil:
		c.action = api.ChangeAction_CHANGE_ACTION_DELETE
	case len(c.params) == 0:
		return nil
	}
	return c
}

func has(p *schema.Param, m proto.Message) bool { return m != nil && p.Has(m) }

// objects finds those of one configuration that have no counterpart yet in another.
type objects map[string][]proto.Message

func index(k *schema.Kind, list []proto.Message) objects {
	o := make(objects, len(list))
	for _, m := range list {
		key := identity(k, m)
		o[key] = append(o[key], m)
	}
	return o
}

// take removes the counterpart of m and returns it, or nil.
func (o objects) take(k *schema.Kind, m proto.Message) proto.Message {
	key := identity(k, m)
	found := o[key]
	if len(found) == 0 {
		return nil
	}
	o[key] = found[1:]
	return found[0]
}

// has reports whether m has no counterpart. Of several that are equal it does not
// matter which are said to have none: each call takes one.
func (o objects) has(k *schema.Kind, m proto.Message) bool { return o.take(k, m) != nil }

// identity is what makes an object the same in two configurations: its name,
// or for a tunnel or session without one, everything.
func identity(k *schema.Kind, m proto.Message) string {
	if isNamed(m) {
		return k.Name(m)
	}
	return "\n" + schema.Format(schema.Create, m)
}

// isNamed reports whether a command can say which object is meant.
func isNamed(m proto.Message) bool {
	switch m := m.(type) {
	case *api.Tunnel:
		return m.TunnelName != nil || m.TunnelId != nil
	case *api.Session:
		return m.SessionName != nil || m.SessionId != nil
	}
	return true
}

// message is the change as the API tells it, without secrets.
func (c *change) message() *api.Change {
	m := &api.Change{
		Action:          c.action,
		Kind:            c.kind.Words,
		Name:            c.kind.Name(c.object()),
		SessionsDropped: uint32(c.dropped),
	}
	for _, p := range c.params {
		m.Params = append(m.Params, &api.ParamChange{
			Name: p.Name, Old: text(p, c.old), New: text(p, c.new)})
	}
	return m
}

// object is the object as it will be, or as it was if it goes.
func (c *change) object() proto.Message {
	if c.new != nil {
		return c.new
	}
	return c.old
}

func text(p *schema.Param, m proto.Message) string {
	switch {
	case !has(p, m):
		return ""
	case p.Secret:
		return schema.Masked
	}
	return p.Text(m)
}

func messages(changes []*change) []*api.Change {
	var all []*api.Change
	for _, c := range changes {
		all = append(all, c.message())
	}
	return all
}
