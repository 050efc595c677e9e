package config

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"culvert/internal/schema"
)

// A Store holds the configuration. Reading is by Snapshot; changes are made
// one batch at a time. It may be used by many goroutines.
type Store struct {
	current atomic.Pointer[Snapshot]

	mu          sync.Mutex // held while a change is made
	subscribers []func(old, new *Snapshot)
}

// NewStore returns a store in which nothing is set. The host name is what
// tunnels announce when nothing else is configured.
func NewStore(hostName string) *Store { return newStore(host{name: hostName}) }

// NewStoreWithLookup is NewStore with a way to find the addresses of hosts that a file
// names where addresses stand. It may block: only those wait who load a text.
func NewStoreWithLookup(hostName string, lookup schema.Lookup) *Store {
	return newStore(host{hostName, lookup})
}

func newStore(h host) *Store {
	tables := make(map[*schema.Kind]*table)
	for _, k := range schema.Kinds() {
		tables[k] = newTable()
		if k.Singleton || k.Builtin != "" {
			m := k.New()
			if k.Builtin != "" {
				setName(m, k.Builtin)
			}
			tables[k].put(name(m), m)
		}
	}
	snapshot, broken := newSnapshot(h, tables)
	if len(broken) > 0 {
		panic("config: built-in configuration: " + broken[0].Error())
	}
	s := &Store{}
	s.current.Store(snapshot)
	return s
}

func setName(m proto.Message, name string) {
	if err := schema.KindOf(m).Keys()[0][0].Set(m, name); err != nil {
		panic("config: " + err.Error())
	}
}

// Snapshot returns the configuration as it is now.
func (s *Store) Snapshot() *Snapshot { return s.current.Load() }

// Subscribe has f called after each change, in order, until the end of the
// program. It must not block and must not change the configuration.
func (s *Store) Subscribe(f func(old, new *Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers = append(s.subscribers, f)
}

// LoadFile applies the commands in a file. If anything is wrong in it nothing
// changes, and the error begins with path:line:column.
func (s *Store) LoadFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	return s.Load(path, text)
}

// Load applies the commands in text, as LoadFile does.
func (s *Store) Load(name string, text []byte) error {
	cmds, err := s.Parse(text)
	if err == nil {
		err = s.Apply(cmds...)
	}
	if err != nil {
		return InFile(name, err)
	}
	return nil
}

// Parse is Parse with what the store looks names of hosts up by.
func (s *Store) Parse(text []byte) ([]schema.Command, error) {
	return Parse(text, s.Snapshot().host.lookup)
}

// Apply carries out commands, all of them or, if one fails, none. The commands
// create, modify, unset and delete are known here; of tunnels and sessions it
// is recorded that they are to exist.
func (s *Store) Apply(cmds ...schema.Command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.next(cmds)
	if err != nil {
		return err
	}
	s.publish(s.Snapshot(), next)
	return nil
}

// Check reports what Apply would, and changes nothing.
func (s *Store) Check(cmds ...schema.Command) error {
	_, err := s.next(cmds)
	return err
}

// next returns the configuration as it will be after the commands. The error
// has all faults that were found.
func (s *Store) next(cmds []schema.Command) (*Snapshot, error) {
	old := s.Snapshot()
	e := newEdit(old)
	var fs faults
	for _, c := range cmds {
		if _, err := e.apply(c); err != nil {
			fs = append(fs, &fault{at: keyAt(c), err: err})
		}
	}
	if len(fs) > 0 {
		return nil, fs
	}
	next, broken := newSnapshot(old.host, e.tables)
	next.notes = noted(e.notes, e.tables)
	for _, err := range append(broken, next.strictly(cmds)...) {
		fs = append(fs, &fault{at: blame(cmds, err), err: err})
	}
	slices.SortStableFunc(fs, func(a, b *fault) int { return cmp.Compare(a.at.Offset, b.at.Offset) })
	return next, fs.orNil()
}

// Declare records that a tunnel or session is to exist, as m says, in place
// of what was recorded of it. One without a name is not recorded. The caller
// has resolved it.
func (s *Store) Declare(m proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name(m) == "" {
		return
	}
	s.replace(func(e *edit) { e.table(m).put(name(m), proto.Clone(m)) })
}

// Rename is Declare for a tunnel or session that key named before: what is recorded of
// it, and of a tunnel's sessions, is recorded under its new name.
func (s *Store) Rename(key, m proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(func(e *edit) {
		if t := e.table(m); t.get(name(key)) != nil {
			e.replace(t, name(key), proto.Clone(m))
		}
	})
}

// Forget makes tunnels or sessions be no longer recorded. What is not recorded
// is passed over.
func (s *Store) Forget(keys ...proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(func(e *edit) {
		for _, key := range keys {
			e.forget(key)
		}
	})
}

// replace changes only which tunnels and sessions are recorded. Those were
// checked, and nothing follows from them: so it costs little however much
// is configured.
func (s *Store) replace(f func(*edit)) {
	old := s.Snapshot()
	e := newEdit(old)
	f(e)
	next := *old
	next.tables = e.tables
	s.publish(old, &next)
}

func (s *Store) publish(old, next *Snapshot) {
	s.current.Store(next)
	for _, f := range s.subscribers {
		f(old, next)
	}
}

// keyAt is where a command names its object.
func keyAt(c schema.Command) schema.Position {
	for _, p := range c.Kind.Params {
		if at, ok := c.ParamAt[p.Name]; ok && p.Key {
			return at
		}
	}
	return c.At
}

// strictly finds what commands name that does not exist, where only a file may.
func (s *Snapshot) strictly(cmds []schema.Command) (broken []*objectError) {
	for _, c := range cmds {
		if c.Lenient || c.Op != schema.Create && c.Op != schema.Modify {
			continue
		}
		for _, fault := range s.checkReferences(c.Object, false) {
			if c.Kind.Param(fault.param).Lenient {
				broken = append(broken, fault)
			}
		}
	}
	return broken
}

// blame finds the place in commands of a fault of the whole: where the object was
// last given the parameter, else the last command about the object.
func blame(cmds []schema.Command, oe *objectError) schema.Position {
	k := schema.KindOf(oe.object)
	var about *schema.Command
	for i := len(cmds) - 1; i >= 0; i-- {
		c := &cmds[i]
		if c.Kind != k || name(c.Object) != name(oe.object) {
			continue
		}
		if at, ok := c.ParamAt[oe.param]; ok {
			return at
		}
		if about == nil {
			about = c
		}
	}
	switch {
	case about != nil:
		return about.At
	case len(cmds) > 0:
		return cmds[len(cmds)-1].At
	}
	return schema.Position{}
}
