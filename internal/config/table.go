package config

import (
	"iter"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
)

// A table has the objects of one kind by name, in the order of their creation. Once it
// is in a Snapshot it never changes: a change is made to a copy.
//
// Most changes are of one object of perhaps 50,000. So a copy shares its base with the
// table that it was made of, and what is different stands apart until that is much.
type table struct {
	base *stratum
	// over has what is not as in base.
	over map[string]entry
	late []string // the names that come after those of base
}

// A stratum is what tables share. It never changes.
type stratum struct {
	order  []string
	byName map[string]proto.Message
}

// An entry stands for what base has under the same name.
type entry struct {
	m    proto.Message // nil: it was removed
	late bool          // it has its place in late, wherever base has it
}

// maxOver is how many entries are copied at most with each copy of a table.
const maxOver = 256

var noObjects = &stratum{byName: make(map[string]proto.Message)}

func newTable() *table { return &table{base: noObjects, over: make(map[string]entry)} }

// clone returns a copy for writing.
func (t *table) clone() *table {
	if len(t.over) <= maxOver {
		return &table{t.base, maps.Clone(t.over), slices.Clone(t.late)}
	}
	return t.flat()
}

// flat returns a copy with nothing that stands apart.
func (t *table) flat() *table {
	s := &stratum{byName: make(map[string]proto.Message, len(t.base.order)+len(t.late))}
	for n, m := range t.all() {
		s.order = append(s.order, n)
		s.byName[n] = m
	}
	return &table{base: s, over: make(map[string]entry)}
}

// get returns the object of a name, or nil.
func (t *table) get(name string) proto.Message {
	if e, ok := t.over[name]; ok {
		return e.m
	}
	return t.base.byName[name]
}

// all returns the objects with their names, in order.
func (t *table) all() iter.Seq2[string, proto.Message] {
	return func(yield func(string, proto.Message) bool) {
		for _, n := range t.base.order {
			e, ok := t.over[n]
			switch {
			case !ok:
				e.m = t.base.byName[n]
			case e.m == nil || e.late:
				continue
			}
			if !yield(n, e.m) {
				return
			}
		}
		for _, n := range t.late {
			if !yield(n, t.over[n].m) {
				return
			}
		}
	}
}

// names returns the names in order.
func (t *table) names() []string {
	names := make([]string, 0, len(t.base.order)+len(t.late))
	for n := range t.all() {
		names = append(names, n)
	}
	return names
}

// put puts an object in the place of the one of that name, or else at the end.
func (t *table) put(name string, m proto.Message) {
	e := t.over[name]
	if t.get(name) == nil {
		e.late = true
		t.late = append(t.late, name)
	}
	e.m = m
	t.over[name] = e
}

func (t *table) remove(name string) {
	if e := t.over[name]; e.late && e.m != nil {
		t.late = slices.DeleteFunc(t.late, func(n string) bool { return n == name })
	}
	delete(t.over, name)
	if t.base.byName[name] != nil {
		t.over[name] = entry{}
	}
}

// rename gives the object called name another one, and puts m in its place.
func (t *table) rename(name, next string, m proto.Message) {
	s := t.flat().base // of nobody else yet
	delete(s.byName, name)
	s.byName[next] = m
	s.order[slices.Index(s.order, name)] = next
	*t = table{base: s, over: make(map[string]entry)}
}
