package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"culvert/api"
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
func NewStore(hostName string) *Store {
	tables := make(map[*schema.Kind]*table)
	for _, k := range schema.Kinds() {
		tables[k] = &table{byName: make(map[string]proto.Message)}
		if k.Singleton || k.Builtin != "" {
			m := k.New()
			if k.Builtin != "" {
				setName(m, k.Builtin)
			}
			tables[k].put(name(m), m)
		}
	}
	snapshot, err := newSnapshot(hostName, tables)
	if err != nil {
		panic("config: built-in configuration: " + err.Error())
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
// changes, and the error begins with path:line.
func (s *Store) LoadFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	return s.Load(path, text)
}

// Load applies the commands in text, as LoadFile does.
func (s *Store) Load(name string, text []byte) error {
	cmds, err := Parse(text)
	if err == nil {
		err = s.Apply(cmds...)
	}
	if err != nil {
		return inFile(name, err)
	}
	return nil
}

func inFile(name string, err error) error {
	if se, ok := errors.AsType[*schema.SyntaxError](err); ok {
		return Errorf(ErrInvalid, "%s:%d: %s", name, se.Line, se.Msg)
	}
	if ce, ok := errors.AsType[*commandError](err); ok {
		return fmt.Errorf("%s:%d: %w", name, ce.line, ce.err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// A commandError is the failure of one command of a batch.
type commandError struct {
	line int
	err  error
}

func (e *commandError) Error() string { return e.err.Error() }
func (e *commandError) Unwrap() error { return e.err }

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

// next returns the configuration as it will be after the commands.
func (s *Store) next(cmds []schema.Command) (*Snapshot, error) {
	old := s.Snapshot()
	e := newEdit(old)
	for _, c := range cmds {
		if err := e.apply(c); err != nil {
			return nil, &commandError{c.Line, err}
		}
	}
	next, err := newSnapshot(old.hostName, e.tables)
	return next, located(cmds, err)
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

// located finds the command that is to blame for a fault of the whole: the last one
// that gave the object the parameter, else the last one about the object.
func located(cmds []schema.Command, err error) error {
	oe, ok := errors.AsType[*objectError](err)
	if !ok {
		return err
	}
	k, line := schema.KindOf(oe.object), 0
	p := k.Field(oe.param)
	for _, c := range slices.Backward(cmds) {
		if c.Kind != k || name(c.Object) != name(oe.object) {
			continue
		}
		if line == 0 {
			line = c.Line
		}
		if p != nil && p.Has(c.Object) {
			line = c.Line
			break
		}
	}
	if line == 0 && len(cmds) > 0 {
		line = cmds[len(cmds)-1].Line
	}
	return &commandError{line, err}
}

// An edit is a configuration in the making. Tables are copied when they are
// first written to, objects always.
type edit struct {
	tables map[*schema.Kind]*table
	copied map[*schema.Kind]bool
	serial int
}

func newEdit(s *Snapshot) *edit {
	return &edit{tables: maps.Clone(s.tables), copied: make(map[*schema.Kind]bool)}
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
	n := name(c.Object)
	_, exists := t.byName[n]
	if exists == (c.Op == schema.Create) && n != "" {
		if exists {
			return Errorf(ErrExists, "%s exists already", schema.Label(c.Object))
		}
		return Errorf(ErrNotFound, "there is no %s%s", schema.Label(c.Object),
			schema.DidYouMean(n, t.order))
	}
	switch c.Op {
	case schema.Create:
		e.create(t, c.Object)
	case schema.Modify, schema.Unset:
		m := proto.Clone(t.byName[n])
		schema.Update(m, c.Object, c.Unset)
		schema.ClearActions(m)
		t.put(n, m)
	case schema.Delete:
		return e.delete(c)
	default:
		return Errorf(ErrInvalid, "%s %s does not change the configuration", c.Kind.Words, c.Op)
	}
	return nil
}

// create puts an object into its table. A tunnel or session may have no name:
// it is kept under one that no command can say.
func (e *edit) create(t *table, m proto.Message) {
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
	t.put(n, proto.Clone(m))
}

func (e *edit) delete(c schema.Command) error {
	n := name(c.Object)
	if c.Kind.Builtin == n {
		return Errorf(ErrRefused, "%s cannot be deleted, only modified", schema.Label(c.Object))
	}
	if user := e.referrer(c.Kind, n); user != nil {
		return Errorf(ErrRefused, "%s is in use by %s", schema.Label(c.Object), schema.Label(user))
	}
	e.forget(c.Object)
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
		if name(tunnelKey(m.(*api.Session))) == name(t) {
			sessions.remove(n)
		}
	}
}
