package resolver

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
)

// handOff notes the servers of an interface, or that it has none any more, in
// the file that somebody else carries over into the host's configuration.
func (r *Resolver) handOff(iface string, servers []netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.handed == nil {
		r.handed = make(map[string][]netip.Addr)
	}
	delete(r.handed, iface)
	if len(servers) > 0 {
		r.handed[iface] = servers
	}
	var text []byte
	for _, name := range slices.Sorted(maps.Keys(r.handed)) {
		text = fmt.Appendf(text, "# %s\n%s", name, lines(r.handed[name]))
	}
	if err := os.WriteFile(r.HandOff, text, 0o644); err != nil {
		return fmt.Errorf("handing over name servers of %s: %w", iface, err)
	}
	return nil
}
