package shell

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/internal/schema"
)

// objectVerbs are ippoold's commands about the addresses of a pool.
func objectVerbs() []*verb {
	args := []arg{
		{name: "pool_name", required: true, help: "The name of the pool", expected: "a name",
			values: namesOf("pool", "pool_name")},
		{name: "first_addr", required: true, help: "The first address, or a prefix or range",
			expected: "an address, 10.1.0.0/24 or 10.1.0.10-10.1.0.99"},
		{name: "netmask", help: "The network that the addresses are in (default: 255.255.255.0)",
			expected: "a mask or a prefix length"},
		{name: "num_addrs", help: "How many addresses (default: the rest of the network)",
			expected: "a number"},
	}
	var verbs []*verb
	for _, v := range []struct {
		word, help string
		change     func(*api.Pool, string) error
	}{
		{"add", "Add addresses to a pool", addAddresses},
		{"remove", "Take a block of addresses, as it was added, out of a pool", removeAddresses},
		{"reserve", "Give these addresses of a pool to nobody", reserveAddresses},
		{"unreserve", "Give out a block of addresses again that was reserved", unreserveAddresses},
	} {
		verbs = append(verbs, &verb{words: "pool address " + v.word, help: v.help, args: args,
			also: []string{"ip pool address " + v.word},
			run:  func(s *Shell, c *call) error { return s.changePool(c, v.change) }})
	}
	return verbs
}

// changePool changes the addresses of a pool.
func (s *Shell) changePool(c *call, change func(*api.Pool, string) error) error {
	block, err := addressBlock(c)
	if err != nil {
		return err
	}
	name := c.given["pool_name"]
	r, err := s.ask(c.ctx, &api.Pool{PoolName: &name})
	if err != nil {
		return err
	}
	pool := r.GetObject().GetPool()
	if err := change(pool, block); err != nil {
		return err
	}
	next := &api.Pool{PoolName: &name, Addresses: pool.GetAddresses(), Reserved: pool.GetReserved()}
	req := &api.ModifyRequest{}
	if len(next.GetAddresses()) == 0 {
		req.Unset = append(req.Unset, "addresses")
	}
	if len(next.GetReserved()) == 0 {
		req.Unset = append(req.Unset, "reserved")
	}
	req.Object = schema.Wrap(next)
	m, err := s.client.Modify(c.ctx, connect.NewRequest(req))
	if err != nil {
		return explain(s.Server, err)
	}
	return s.changed("modified", m.Msg.GetObject())
}

func addAddresses(p *api.Pool, block string) error {
	if slices.Contains(p.GetAddresses(), block) {
		return fmt.Errorf("pool %s has %s already", quoted(p.GetPoolName()), block)
	}
	p.Addresses = append(p.Addresses, block)
	return nil
}

func removeAddresses(p *api.Pool, block string) error {
	i := slices.Index(p.GetAddresses(), block)
	if i < 0 {
		return fmt.Errorf("pool %s has no block %s: it has %s", quoted(p.GetPoolName()), block,
			shownOr(strings.Join(p.GetAddresses(), ", "), "none"))
	}
	p.Addresses = slices.Delete(p.Addresses, i, i+1)
	return nil
}

func reserveAddresses(p *api.Pool, block string) error {
	if slices.Contains(p.GetReserved(), block) {
		return fmt.Errorf("%s is reserved already", block)
	}
	p.Reserved = append(p.Reserved, block)
	return nil
}

func unreserveAddresses(p *api.Pool, block string) error {
	i := slices.Index(p.GetReserved(), block)
	if i < 0 {
		return fmt.Errorf("pool %s has not reserved %s: it has %s", quoted(p.GetPoolName()), block,
			shownOr(strings.Join(p.GetReserved(), ", "), "nothing reserved"))
	}
	p.Reserved = slices.Delete(p.Reserved, i, i+1)
	return nil
}

// addressBlock makes of ippoold's parameters a range. Of a network, its own
// address and that for broadcasts are never given out.
func addressBlock(c *call) (string, error) {
	first := c.given["first_addr"]
	if strings.ContainsAny(first, "/-") {
		if c.has("netmask") || c.has("num_addrs") {
			return "", usagef("first_addr=%s: expected an address beside netmask or num_addrs", first)
		}
		if _, _, err := schema.ParseRange(first); err != nil {
			return "", usagef("first_addr=%s: expected a prefix or a range: %v", first, err)
		}
		return first, nil
	}
	addr, err := netip.ParseAddr(first)
	if err != nil || !addr.Is4() {
		return "", usagef("first_addr=%s: expected an IPv4 address", first)
	}
	mask := shownOr(c.given["netmask"], "24")
	bits, ok := schema.ParseNetmask(mask)
	if !ok || bits > 32 {
		return "", usagef("netmask=%s: expected a mask such as 255.255.255.0 or a prefix length", mask)
	}
	return blockOf(addr, bits, c.given["num_addrs"])
}

// blockOf is the range of num addresses from addr on, as far as their network goes.
func blockOf(addr netip.Addr, bits int, num string) (string, error) {
	network := netip.PrefixFrom(addr, bits).Masked()
	_, last, err := schema.ParseRange(network.String())
	if err != nil {
		return "", usagef("%v", err)
	}
	if bits < 31 {
		last = last.Prev()
		if addr == network.Addr() {
			addr = addr.Next()
		}
	}
	if num != "" {
		n, err := strconv.ParseUint(num, 10, 16)
		if err != nil || n == 0 {
			return "", usagef("num_addrs=%s: expected a number from 1 to 65535", num)
		}
		end := addr
		for range n - 1 {
			if end == last {
				break
			}
			end = end.Next()
		}
		last = end
	}
	if last.Less(addr) {
		return "", usagef("first_addr=%s: expected an address of a host in the network", addr)
	}
	if addr == last {
		return addr.String(), nil
	}
	return addr.String() + "-" + last.String(), nil
}
