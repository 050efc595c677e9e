package schema

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

// A Lookup finds the addresses of a host by its name.
type Lookup func(host string) ([]netip.Addr, error)

// takesAddress reports whether the value is one address, or a prefix that it may be.
func (p *Param) takesAddress() bool {
	switch p.Format {
	case api.Format_FORMAT_ADDRESS, api.Format_FORMAT_ADDRESS_V4, api.Format_FORMAT_ADDRESS_V6,
		api.Format_FORMAT_PREFIX:
		return !p.field().IsList() && p.field().Kind() == protoreflect.StringKind
	}
	return false
}

// isDomainName reports whether text is the name of a host with a dot in it: one without
// could be a slip of the pen, and openl2tp takes none either.
func isDomainName(text string) bool {
	return strings.Contains(strings.TrimSuffix(text, "."), ".") && isHost(text) && !isAddress(text)
}

// addressOf finds the address that the name of a host stands for, in place of which it is
// written. Of several it takes one of IPv4 if it can, as openl2tp does, and the lowest:
// a name server may give them in another order each time.
func (p *Param) addressOf(host string, lookup Lookup) (text, warning string, err error) {
	found, err := lookup(host)
	if err != nil {
		return "", "", p.fail(host, fmt.Sprintf("%s: looking up the name: %v", p.Expected(), err))
	}
	all := slices.Clone(found)
	slices.SortFunc(all, netip.Addr.Compare)
	for _, addr := range all {
		text := addr.Unmap().String()
		if _, err := p.parse(text); err == nil {
			return text, fmt.Sprintf("%s=%s: it counts as %s, which the name stood for when this "+
				"was read", p.Name, host, text), nil
		}
	}
	return "", "", p.fail(host, p.Expected()+": the name stands for none")
}
