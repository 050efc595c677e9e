package config

import (
	"errors"
	"net/netip"

	"culvert/internal/schema"
)

// maxUnknown is how many names of hosts may be unknown before no others are looked up:
// without a name server each takes its time.
const maxUnknown = 3

var errTooManyUnknown = errors.New("it was not looked up, as others were not found")

// lookUpOnce remembers what was found, so that a file that names a host often asks for it
// once, and gets one answer.
func lookUpOnce(lookup schema.Lookup) schema.Lookup {
	if lookup == nil {
		return nil
	}
	type answer struct {
		addrs []netip.Addr
		err   error
	}
	known, unknown := make(map[string]answer), 0
	return func(host string) ([]netip.Addr, error) {
		a, ok := known[host]
		switch {
		case ok:
		case unknown >= maxUnknown:
			return nil, errTooManyUnknown
		default:
			a.addrs, a.err = lookup(host)
			known[host] = a
			if a.err != nil {
				unknown++
			}
		}
		return a.addrs, a.err
	}
}
