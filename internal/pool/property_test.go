package pool_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"culvert/internal/pool"
)

// setups are what the pools of TestProperties are changed to. Some overlap.
var setups = [][]pool.Config{
	{
		{Name: "p", Addresses: []string{"10.0.0.0/28"}, Reserved: []string{"10.0.0.3"}},
		{Name: "q", Addresses: []string{"10.0.0.8/29", "10.0.1.0-10.0.1.5"}},
	},
	{
		{Name: "p", Addresses: []string{"10.0.0.8/29", "10.0.1.0-10.0.1.70"}, MaxAddrs: 6},
		{Name: "q", Addresses: []string{"10.0.0.0/28"}},
	},
	{{Name: "p", Addresses: []string{"10.0.0.4/30"}, Drain: true}},
	{{Name: "q", Addresses: []string{"10.0.0.0/29"}, Reserved: []string{"10.0.0.0/30"}}},
}

// A lease is an address that the model knows to be in use.
type lease struct{ pool, user string }

// A model is what the pools ought to have given out.
type model struct {
	pools *pool.Pools
	now   []pool.Config
	used  map[netip.Addr]lease
}

func (m *model) config(name string) (pool.Config, bool) {
	i := slices.IndexFunc(m.now, func(c pool.Config) bool { return c.Name == name })
	if i < 0 {
		return pool.Config{}, false
	}
	return m.now[i], true
}

func (m *model) inUse(name string) (n int) {
	for _, l := range m.used {
		if l.pool == name {
			n++
		}
	}
	return n
}

// given checks an address that was given out.
func (m *model) given(t *rapid.T, a netip.Addr, name, user string) {
	c, ok := m.config(name)
	other, taken := m.used[a]
	switch {
	case taken:
		t.Fatalf("%s given to %q of %s is %q's of %s", a, user, name, other.user, other.pool)
	case !ok || !m.pools.Contains(name, a):
		t.Fatalf("%s is not of pool %s", a, name)
	case c.MaxAddrs > 0 && m.inUse(name) >= c.MaxAddrs:
		t.Fatalf("%s given out with %d in use, max_addrs is %d", a, m.inUse(name), c.MaxAddrs)
	}
	m.used[a] = lease{name, user}
}

var (
	names = rapid.SampledFrom([]string{"p", "q"})
	users = rapid.SampledFrom([]string{"", "a", "b", "c", "d"})
)

func (m *model) allocate(t *rapid.T) {
	name, user := names.Draw(t, "pool"), users.Draw(t, "user")
	c, _ := m.config(name)
	a, err := m.pools.Allocate(name, user)
	if err != nil {
		if s, ok := m.pools.Status(name); ok && s.Free != 0 && !c.Drain {
			t.Fatalf("%v, but %d are free", err, s.Free)
		}
		return
	}
	if c.Drain || len(c.Reserved) > 0 && a == netip.MustParseAddr("10.0.0.3") {
		t.Fatalf("%s is not to be given out", a)
	}
	m.given(t, a, name, user)
}

func (m *model) claim(t *rapid.T) {
	name, user := names.Draw(t, "pool"), users.Draw(t, "user")
	a := netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "host") % 18})
	if m.pools.Claim(name, a, user) == nil {
		m.given(t, a, name, user)
	}
}

func (m *model) release(t *rapid.T) {
	if len(m.used) == 0 {
		return
	}
	sorted := slices.SortedFunc(maps.Keys(m.used), netip.Addr.Compare)
	a := rapid.SampledFrom(sorted).Draw(t, "address")
	m.pools.Release(m.used[a].pool, a)
	delete(m.used, a)
}

func (m *model) configure(t *rapid.T) {
	m.now = rapid.SampledFrom(setups).Draw(t, "setup")
	if err := m.pools.Configure(m.now); err != nil {
		t.Fatal(err)
	}
}

func (m *model) check(t *rapid.T) {
	for _, c := range m.now {
		s, _ := m.pools.Status(c.Name)
		if s.Allocated != m.inUse(c.Name) || s.Free < 0 || s.Free > s.Total ||
			s.Allocations-s.Releases != uint64(s.Allocated) {
			t.Fatalf("pool %s is %+v, want %d allocated", c.Name, s, m.inUse(c.Name))
		}
	}
}

// Whatever is done, no address has two users, none is given out that the pool
// does not have, limits hold, counts agree, and in the end everything comes back.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{pools: pool.New(), used: map[netip.Addr]lease{}}
		m.configure(t)
		t.Repeat(map[string]func(*rapid.T){
			"allocate":  m.allocate,
			"claim":     m.claim,
			"release":   m.release,
			"configure": m.configure,
			"":          m.check,
		})
		for a, l := range m.used {
			m.pools.Release(l.pool, a)
		}
		clear(m.used)
		m.now = setups[0]
		if err := m.pools.Configure(m.now); err != nil {
			t.Fatal(err)
		}
		if s, _ := m.pools.Status("p"); s.Free != 13 || s.Allocated != 0 {
			t.Fatalf("when all is given back p is %s, want 13 free", fmt.Sprintf("%+v", s))
		}
	})
}
