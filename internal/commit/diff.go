package commit

import (
	"slices"

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
	was := make([]proto.Message, len(b))
	for i, m := range b {
		was[i] = old.takeEqual(k, m)
	}
	var gone, come []*change
	for i, m := range b {
		if was[i] == nil {
			if c := compare(k, old.take(k, m), m); c != nil {
				come = append(come, c)
			}
		}
	}
	for _, m := range a {
		if old.left[m] {
			gone = append(gone, compare(k, m, nil))
		}
	}
	return append(gone, come...)
}

// compare says what becomes of one object, or returns nil if that is nothing.
func compare(k *schema.Kind, a, b proto.Message) *change {
	c := &change{kind: k, old: a, new: b}
	for _, p := range k.Params {
		if a != nil && b != nil && p.Equal(a, b) || !has(p, a) && !has(p, b) {
			continue
		}
		c.params = append(c.params, p)
	}
	return c.decide()
}

// decide sets the action by the parameters that differ, or returns nil if none do.
func (c *change) decide() *change {
	switch {
	case c.old == nil:
		c.action = api.ChangeAction_CHANGE_ACTION_CREATE
	case c.new == nil:
		c.action = api.ChangeAction_CHANGE_ACTION_DELETE
	case len(c.params) == 0:
		return nil
	case c.kind.Live && slices.ContainsFunc(c.params, isFixed):
		c.action = api.ChangeAction_CHANGE_ACTION_RECREATE
	default:
		c.action = api.ChangeAction_CHANGE_ACTION_MODIFY
	}
	return c
}

// isFixed reports whether the parameter of a tunnel or session cannot change while
// that runs.
func isFixed(p *schema.Param) bool { return p.Key || p.CreateOnly }

// withoutSecrets is the change as if secrets made no difference.
func (c *change) withoutSecrets() *change {
	less := *c
	less.params = slices.DeleteFunc(slices.Clone(c.params),
		func(p *schema.Param) bool { return p.Secret })
	return less.decide()
}

func has(p *schema.Param, m proto.Message) bool { return m != nil && p.Has(m) }

// objects finds those of one configuration that have no counterpart yet in another.
// Thousands without a name may be alike: no list is looked through more than once.
type objects struct {
	left map[proto.Message]bool
	by   map[string][]proto.Message // by identity; those in front may be gone
	same map[string][]proto.Message // by all that is said of them; likewise
}

func index(k *schema.Kind, list []proto.Message) objects {
	o := objects{
		left: make(map[proto.Message]bool, len(list)),
		by:   make(map[string][]proto.Message, len(list)),
		same: make(map[string][]proto.Message),
	}
	for _, m := range list {
		o.left[m] = true
		key := identity(k, m)
		o.by[key] = append(o.by[key], m)
		if !isNamed(m) {
			key = schema.Format(schema.Create, m)
			o.same[key] = append(o.same[key], m)
		}
	}
	return o
}

// takeEqual removes an object that is the same as m in everything and returns it, or nil.
func (o objects) takeEqual(k *schema.Kind, m proto.Message) proto.Message {
	if !isNamed(m) {
		return o.first(o.same, schema.Format(schema.Create, m))
	}
	for _, was := range o.by[k.Name(m)] { // there is one
		if was == m || proto.Equal(was, m) {
			return o.take(k, m)
		}
	}
	return nil
}

// take removes a counterpart of m and returns it, or nil.
func (o objects) take(k *schema.Kind, m proto.Message) proto.Message {
	return o.first(o.by, identity(k, m))
}

// first removes the first object of a list that is left and returns it, or nil.
func (o objects) first(lists map[string][]proto.Message, key string) proto.Message {
	for list := lists[key]; len(list) > 0; {
		was := list[0]
		list = list[1:]
		lists[key] = list
		if o.left[was] {
			delete(o.left, was)
			return was
		}
	}
	return nil
}

// identity is what makes an object the same in two configurations: its name,
// or for a tunnel or session without one, everything but secrets.
func identity(k *schema.Kind, m proto.Message) string {
	if isNamed(m) {
		return k.Name(m)
	}
	m = proto.Clone(m)
	schema.Mask(m)
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
