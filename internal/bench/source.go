package bench

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxSources is how many source addresses a run may have.
const maxSources = MaxTunnels

// ParseSources reads source addresses: single ones, ranges (10.0.0.2-10.0.0.9) and
// prefixes, whose every address counts, with commas between.
func ParseSources(text string) ([]netip.Addr, error) {
	var all []netip.Addr
	for part := range strings.SplitSeq(text, ",") {
		first, last, err := parseRange(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		for a := first; ; a = a.Next() {
			if len(all) == maxSources {
				return nil, fmt.Errorf("sources %q: expected at most %d addresses", text,
					maxSources)
			}
			all = append(all, a)
			if a == last {
				break
			}
		}
	}
	return all, nil
}

func parseRange(text string) (first, last netip.Addr, err error) {
	bad := fmt.Errorf("source %q: expected an address, FIRST-LAST or a prefix", text)
	if low, high, ok := strings.Cut(text, "-"); ok {
		first, err1 := netip.ParseAddr(low)
		last, err2 := netip.ParseAddr(high)
		if err1 != nil || err2 != nil || first.BitLen() != last.BitLen() || last.Less(first) ||
			first.Zone() != last.Zone() {
			return first, last, bad
		}
		return first, last, nil
	}
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().BitLen()-p.Bits() > 16 {
			return first, last, bad
		}
		first = p.Masked().Addr()
		for last = first; p.Contains(last.Next()); last = last.Next() {
		}
		return first, last, nil
	}
	first, err = netip.ParseAddr(text)
	if err != nil {
		return first, first, bad
	}
	return first, first, nil
}
