package pool

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"culvert/internal/schema"
)

// MaxBlock is how many addresses one prefix or range may have.
const MaxBlock = 1 << 20

// A block is a run of addresses of a pool. Its first address has the index
// base among those of the pool.
type block struct {
	first, last netip.Addr
	base, size  int
}

// parseBlock reads an address, a prefix or a range. Of an IPv4 prefix shorter
// than /31 it leaves out the network's and the broadcast address; of an IPv6
// prefix the first, which is the routers' anycast address.
func parseBlock(text string, whole bool) (block, error) {
	first, last, err := schema.ParseRange(text)
	if err != nil {
		return block{}, fmt.Errorf("%s: %w", text, err)
	}
	if p, err := netip.ParsePrefix(text); err == nil && !whole && p.Bits() < p.Addr().BitLen()-1 {
		first = first.Next()
		if p.Addr().Is4() {
			last = last.Prev()
		}
	}
	n := difference(first, last)
	if n >= MaxBlock {
		return block{}, fmt.Errorf("%s: expected at most %d addresses", text, MaxBlock)
	}
	return block{first: first, last: last, size: int(n) + 1}, nil
}

// difference returns how far b is behind a, at most MaxBlock.
func difference(a, b netip.Addr) uint64 {
	x, y := a.As16(), b.As16()
	hi := binary.BigEndian.Uint64(y[:8]) - binary.BigEndian.Uint64(x[:8])
	lo, borrow := binary.BigEndian.Uint64(y[8:])-binary.BigEndian.Uint64(x[8:]), uint64(0)
	if binary.BigEndian.Uint64(y[8:]) < binary.BigEndian.Uint64(x[8:]) {
		borrow = 1
	}
	if hi-borrow != 0 {
		return MaxBlock
	}
	return min(lo, MaxBlock)
}

func (b block) contains(a netip.Addr) bool {
	return a.BitLen() == b.first.BitLen() && !a.Less(b.first) && !b.last.Less(a)
}

// at returns the i-th address of the block.
func (b block) at(i int) netip.Addr {
	a := b.first.As16()
	lo := binary.BigEndian.Uint64(a[8:])
	sum := lo + uint64(i)
	binary.BigEndian.PutUint64(a[8:], sum)
	if sum < lo {
		binary.BigEndian.PutUint64(a[:8], binary.BigEndian.Uint64(a[:8])+1)
	}
	out := netip.AddrFrom16(a)
	if b.first.Is4() {
		return out.Unmap()
	}
	return out
}

// overlaps reports whether two blocks have addresses in common.
func (b block) overlaps(c block) bool {
	return b.contains(c.first) || c.contains(b.first)
}
