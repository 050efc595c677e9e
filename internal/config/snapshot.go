package config

import (
	"net/netip"
	"slices"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// Default is the name of the profile of each kind that always exists.
const Default = "default"

// A Snapshot is the whole configuration at one moment. It never changes and
// may be used by many goroutines.
type Snapshot struct {
	host     host
	tables   map[*schema.Kind]*table
	system   System
	users    map[string]User
	pools    []Pool
	peers    map[prefixLength]map[netip.Addr]string // peer profiles by address
	lengths  []prefixLength                         // the longest first
	warnings []string                               // of the whole
	notes    []note                                 // of how files were read
}

// A host is what a configuration depends on of the machine that it is for.
type host struct {
	name   string
	lookup schema.Lookup // nil: names of other hosts are not looked up
}

type prefixLength struct {
	is6  bool
	bits int
}

func (s *Snapshot) table(k *schema.Kind) *table { return s.tables[k] }

// Object finds what is configured of an object, by a message that has its
// key. The result must not be changed.
func (s *Snapshot) Object(key proto.Message) (proto.Message, bool) {
	k := schema.KindOf(key)
	m := s.table(k).get(name(key))
	return m, m != nil
}

// Objects returns all objects of a kind in the order of their creation. They
// must not be changed.
func (s *Snapshot) Objects(k *schema.Kind) []proto.Message {
	t := s.table(k)
	all := make([]proto.Message, 0, len(t.base.order)+len(t.late))
	for _, m := range t.all() {
		all = append(all, m)
	}
	return all
}

// Effective returns a copy of an object with what it inherits: from the
// object of its kind that always exists, and the built-in defaults.
func (s *Snapshot) Effective(m proto.Message) proto.Message {
	k := schema.KindOf(m)
	eff := proto.Clone(m)
	if base := s.table(k).get(k.Builtin); base != nil && k.Builtin != "" {
		schema.Inherit(eff, base)
	}
	schema.SetDefaults(eff)
	return eff
}

// System returns the object system.
func (s *Snapshot) System() System { return s.system }

// User finds a local user.
func (s *Snapshot) User(name string) (User, bool) {
	u, ok := s.users[name]
	return u, ok
}

// Pool finds an address pool.
func (s *Snapshot) Pool(name string) (Pool, bool) {
	i := slices.IndexFunc(s.pools, func(p Pool) bool { return p.Name == name })
	if i < 0 {
		return Pool{}, false
	}
	return s.pools[i], true
}

// Pools returns the address pools in the order of their creation.
func (s *Snapshot) Pools() []Pool { return s.pools }

// Tunnels returns the tunnels that are to exist, in the order of creation.
func (s *Snapshot) Tunnels() []*api.Tunnel { return objects[*api.Tunnel](s) }

// Sessions returns the sessions that are to exist, in the order of creation.
func (s *Snapshot) Sessions() []*api.Session { return objects[*api.Session](s) }

func objects[M proto.Message](s *Snapshot) []M {
	var zero M
	var all []M
	for _, m := range s.Objects(schema.KindOf(zero)) {
		all = append(all, m.(M))
	}
	return all
}

// find returns an object of M's kind, or M's zero value.
func find[M proto.Message](s *Snapshot, name string) (m M, ok bool) {
	m, ok = s.table(schema.KindOf(m)).get(name).(M)
	return m, ok
}
