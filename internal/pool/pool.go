package pool

import (
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
)

// Why no address is given.
var (
	ErrNoPool    = errors.New("no such pool")
	ErrExhausted = errors.New("no free address")
	ErrDraining  = errors.New("the pool is drained")
	ErrFull      = errors.New("max_addrs are in use")
	ErrInUse     = errors.New("the address is in use")
	ErrNotInPool = errors.New("the address is not in the pool")
)

// A Config describes a pool. Addresses and Reserved are addresses, prefixes
// and ranges ("10.1.0.0/24", "10.1.0.10-10.1.0.99").
type Config struct {
	Name      string
	Addresses []string
	Reserved  []string
	Drain     bool
	Trace     bool // log what is given out and given back
	MaxAddrs  int  // given out at once at most; 0: unlimited
}

// A Status counts a pool's addresses, and what was done since the start.
type Status struct {
	Total, Allocated, Free          int
	Allocations, Releases, Failures uint64
}

// A pool is one pool. Addresses have indexes, from 0, through all its blocks.
type pool struct {
	drain  bool
	trace  bool
	limit  int // of addresses in use; 0: none
	blocks []block
	size   int
	taken  []uint64 // a bit for each index: given out or reserved
	first  int      // no word of taken before this one has a free bit

	allocated map[netip.Addr]string // in use, by whom; also some no longer in a block
	lastUser  map[netip.Addr]string // of free addresses: who had it
	sticky    map[string]netip.Addr // by user: the address last given

	// rivals are the other pools that have some of the same addresses. What is in
	// use of one of them is not given out here.
	rivals []*pool
	// strays are the addresses that were in use, but in no block any more, when the
	// rivals were found.
	strays []netip.Addr

	reserved []block
	total    int // addresses that are not reserved
	status   Status
}

// newPool builds a pool from its configuration.
func newPool(c Config) (*pool, error) {
	p := &pool{
		drain:     c.Drain,
		trace:     c.Trace,
		limit:     c.MaxAddrs,
		allocated: make(map[netip.Addr]string),
		lastUser:  make(map[netip.Addr]string),
		sticky:    make(map[string]netip.Addr),
	}
	for _, text := range c.Addresses {
		if err := p.addBlock(text); err != nil {
			return nil, fmt.Errorf("addresses: %w", err)
		}
	}
	p.taken = make([]uint64, (p.size+63)/64)
	for _, text := range c.Reserved {
		b, err := parseBlock(text, true)
		if err != nil {
			return nil, fmt.Errorf("reserved: %w", err)
		}
		p.reserve(b)
	}
	p.total = p.size - p.countTaken()
	return p, nil
}

func (p *pool) addBlock(text string) error {
	b, err := parseBlock(text, false)
	if err != nil {
		return err
	}
	for _, other := range p.blocks {
		if b.overlaps(other) {
			return fmt.Errorf("%s overlaps %s-%s", text, other.first, other.last)
		}
	}
	b.base = p.size
	p.size += b.size
	p.blocks = append(p.blocks, b)
	return nil
}

func (p *pool) reserve(r block) {
	p.reserved = append(p.reserved, r)
	for _, b := range p.blocks {
		if !b.overlaps(r) {
			continue
		}
		from, to := b.base, b.base+b.size-1
		if b.contains(r.first) {
			from = b.base + int(difference(b.first, r.first))
		}
		if b.contains(r.last) {
			to = b.base + int(difference(b.first, r.last))
		}
		for i := from; i <= to; i++ {
			p.set(i, true)
		}
	}
}

func (p *pool) countTaken() int {
	n := 0
	for _, w := range p.taken {
		n += bits.OnesCount64(w)
	}
	return n
}

func (p *pool) set(i int, taken bool) {
	if taken {
		p.taken[i/64] |= 1 << (i % 64)
		return
	}
	p.taken[i/64] &^= 1 << (i % 64)
	p.first = min(p.first, i/64)
}

func (p *pool) isTaken(i int) bool { return p.taken[i/64]>>(i%64)&1 != 0 }

// index finds the index of an address, or returns -1.
func (p *pool) index(a netip.Addr) int {
	for _, b := range p.blocks {
		if b.contains(a) {
			return b.base + int(difference(b.first, a))
		}
	}
	return -1
}

func (p *pool) addr(i int) netip.Addr {
	for _, b := range p.blocks {
		if i < b.base+b.size {
			return b.at(i - b.base)
		}
	}
	panic("pool: index out of range")
}

func (p *pool) isReserved(a netip.Addr) bool {
	for _, r := range p.reserved {
		if r.contains(a) {
			return true
		}
	}
	return false
}

// allocate gives the user the address it had, else the first one that nobody
// had, else the first free one.
func (p *pool) allocate(user string) (netip.Addr, error) {
	switch {
	case p.drain:
		return p.fail(ErrDraining)
	case p.isFull():
		return p.fail(ErrFull)
	}
	if a, ok := p.sticky[user]; ok && user != "" {
		if i := p.index(a); i >= 0 && !p.isTaken(i) && !p.isRivals(a) {
			return p.take(i, a, user), nil
		}
	}
	i := p.firstFree()
	if i < 0 {
		return p.fail(ErrExhausted)
	}
	return p.take(i, p.addr(i), user), nil
}

func (p *pool) fail(err error) (netip.Addr, error) {
	p.status.Failures++
	return netip.Addr{}, err
}

// stickySearch is how many free addresses are passed over for being remembered
// as somebody's, before one of them is given away.
const stickySearch = 512

// firstFree returns the first free index that no user had, else the first
// free one, else -1.
func (p *pool) firstFree() int {
	fallback := -1
	for w := p.first; w < len(p.taken); w++ {
		if p.taken[w] == ^uint64(0) && w == p.first {
			p.first++
		}
		for free := ^p.taken[w]; free != 0; free &= free - 1 {
			i := w*64 + bits.TrailingZeros64(free)
			if i >= p.size || fallback >= 0 && i-fallback > stickySearch {
				return fallback
			}
			a := p.addr(i)
			if p.isRivals(a) {
				continue
			}
			if _, had := p.lastUser[a]; !had {
				return i
			}
			if fallback < 0 {
				fallback = i
			}
		}
	}
	return fallback
}

func (p *pool) take(i int, a netip.Addr, user string) netip.Addr {
	p.set(i, true)
	p.hold(a, user)
	return a
}

// hold notes that an address is in use, and that whoever had it lost it.
func (p *pool) hold(a netip.Addr, user string) {
	if other, ok := p.lastUser[a]; ok {
		if other != user && p.sticky[other] == a {
			delete(p.sticky, other)
		}
		delete(p.lastUser, a)
	}
	p.allocated[a] = user
	p.status.Allocations++
}

// claim takes a certain address.
func (p *pool) claim(a netip.Addr, user string) error {
	_, used := p.allocated[a]
	i := p.index(a)
	var err error
	switch {
	case used || p.isRivals(a):
		err = ErrInUse
	case i < 0:
		err = ErrNotInPool
	case p.isFull():
		err = ErrFull
	default:
		p.take(i, a, user)
		return nil
	}
	_, err = p.fail(err)
	return err
}

func (p *pool) isFull() bool { return p.limit > 0 && len(p.allocated) >= p.limit }

// isRivals tells whether another pool has given the address out.
func (p *pool) isRivals(a netip.Addr) bool {
	for _, r := range p.rivals {
		if _, used := r.allocated[a]; used {
			return true
		}
	}
	return false
}

// findStrays finds the addresses that are in use and in no block any more.
func (p *pool) findStrays() {
	p.strays = nil
	for a := range p.allocated {
		if p.index(a) < 0 {
			p.strays = append(p.strays, a)
		}
	}
}

// overlaps tells whether two pools have addresses in common, strays included.
func (p *pool) overlaps(q *pool) bool {
	for _, b := range p.blocks {
		if slices.ContainsFunc(q.blocks, b.overlaps) {
			return true
		}
	}
	return p.strayInto(q) || q.strayInto(p)
}

// strayInto tells whether one of p's strays is one of q's addresses.
func (p *pool) strayInto(q *pool) bool {
	return slices.ContainsFunc(p.strays, func(a netip.Addr) bool { return q.index(a) >= 0 })
}

// release gives an address back, and tells who had it. It is the user's to have
// again until somebody else needs it.
func (p *pool) release(a netip.Addr) (user string, ok bool) {
	if user, ok = p.allocated[a]; !ok {
		return "", false
	}
	delete(p.allocated, a)
	p.status.Releases++
	i := p.index(a)
	if i < 0 {
		return user, true
	}
	if !p.isReserved(a) {
		p.set(i, false)
	}
	p.remember(a, user)
	return user, true
}

// remember keeps one address for each user: the one last given back.
func (p *pool) remember(a netip.Addr, user string) {
	if user == "" {
		return
	}
	if old, ok := p.sticky[user]; ok && old != a && p.lastUser[old] == user {
		delete(p.lastUser, old)
	}
	p.sticky[user] = a
	p.lastUser[a] = user
}

// adopt takes over what another pool has given out, and its memory.
func (p *pool) adopt(old *pool) {
	for a, user := range old.allocated {
		p.allocated[a] = user
		if i := p.index(a); i >= 0 {
			p.set(i, true)
		}
	}
	for a, user := range old.lastUser {
		if i := p.index(a); i >= 0 {
			p.sticky[user] = a
			p.lastUser[a] = user
		}
	}
	p.status = old.status
}

func (p *pool) statusNow() Status {
	s := p.status
	s.Total = p.total
	s.Allocated = len(p.allocated)
	s.Free = p.size - p.countTaken() - p.takenByRivals()
	if p.limit > 0 {
		s.Free = max(0, min(s.Free, p.limit-s.Allocated))
	}
	return s
}

// takenByRivals counts addresses that would be free if no other pool had them.
func (p *pool) takenByRivals() int {
	seen := make(map[netip.Addr]bool)
	for _, r := range p.rivals {
		for a := range r.allocated {
			if i := p.index(a); i >= 0 && !p.isTaken(i) {
				seen[a] = true
			}
		}
	}
	return len(seen)
}
