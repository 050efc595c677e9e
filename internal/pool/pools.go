package pool

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// Pools is a set of named pools. It may be used by many goroutines: it is a
// service that all shards share.
type Pools struct {
	log     *slog.Logger
	mu      sync.Mutex
	pools   map[string]*pool
	retired map[string]*pool // no longer configured, addresses still in use
}

// New returns a set without pools.
func New() *Pools {
	return &Pools{
		log:     slog.New(slog.DiscardHandler),
		pools:   make(map[string]*pool),
		retired: make(map[string]*pool),
	}
}

// LogTo sets where it is logged what pools with Trace give out and get back.
func (s *Pools) LogTo(log *slog.Logger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = log
}

// Check reports whether a pool can be configured so.
func Check(c Config) error {
	_, err := newPool(c)
	return err
}

// Configure makes the set consist of the pools given. Addresses in use stay in
// use, even those that no pool has any more; if a configuration is wrong
// nothing changes.
func (s *Pools) Configure(configs []Config) error {
	next := make(map[string]*pool, len(configs))
	for _, c := range configs {
		p, err := newPool(c)
		if err != nil {
			return fmt.Errorf("pool %q: %w", c.Name, err)
		}
		next[c.Name] = p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, old := range s.all() {
		if p, ok := next[name]; ok {
			p.adopt(old)
			delete(s.retired, name)
		} else if len(old.allocated) > 0 {
			s.retired[name] = old
		}
	}
	s.pools = next
	s.pair()
	return nil
}

// pair tells all pools of those that have addresses of theirs. s.mu is held.
func (s *Pools) pair() {
	all := slices.Collect(maps.Values(s.all()))
	for _, p := range all {
		p.rivals = nil
		p.findStrays()
	}
	for i, p := range all {
		for _, q := range all[i+1:] {
			if p.overlaps(q) {
				p.rivals, q.rivals = append(p.rivals, q), append(q.rivals, p)
			}
		}
	}
}

// all returns the pools, retired ones included.
func (s *Pools) all() map[string]*pool {
	all := make(map[string]*pool, len(s.pools)+len(s.retired))
	maps.Copy(all, s.retired)
	maps.Copy(all, s.pools)
	return all
}

// Allocate gives the user an address of the pool: the one it had last, if it is
// free. A user without a name gets any.
func (s *Pools) Allocate(name, user string) (netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[name]
	if !ok {
		return netip.Addr{}, fmt.Errorf("address from pool %q: %w", name, ErrNoPool)
	}
	a, err := p.allocate(user)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("address from pool %q: %w", name, err)
	}
	s.trace(p, "address given out", name, a, user)
	return a, nil
}

func (s *Pools) trace(p *pool, what, name string, a netip.Addr, user string) {
	if p.trace {
		s.log.Info(what, "pool", name, "address", a, "user", user, "in_use", len(p.allocated))
	}
}

// Claim takes a certain address of the pool for the user, such as a fixed one.
// Reserved addresses can be claimed: that is what they are reserved for.
func (s *Pools) Claim(name string, a netip.Addr, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[name]
	if !ok {
		return fmt.Errorf("address %s from pool %q: %w", a, name, ErrNoPool)
	}
	if err := p.claim(a, user); err != nil {
		return fmt.Errorf("address %s from pool %q: %w", a, name, err)
	}
	s.trace(p, "address given out", name, a, user)
	return nil
}

// Release gives an address back. To give back what is not in use is no error.
func (s *Pools) Release(name string, a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[name]
	if !ok {
		p, ok = s.retired[name]
	}
	if !ok {
		return
	}
	if user, had := p.release(a); had {
		s.trace(p, "address given back", name, a, user)
	}
	if len(p.allocated) == 0 && s.retired[name] == p {
		delete(s.retired, name)
		s.pair()
	}
}

// Contains reports whether a pool has the address, reserved or not.
func (s *Pools) Contains(name string, a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[name]
	return ok && p.index(a) >= 0
}

// Status counts the addresses of a pool.
func (s *Pools) Status(name string) (Status, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[name]
	if !ok {
		return Status{}, false
	}
	return p.statusNow(), true
}
