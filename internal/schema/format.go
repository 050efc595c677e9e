package schema

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

const (
	rangeForm     = "prefixes such as 10.1.0.0/24 or ranges such as 10.1.0.10-10.1.0.99"
	interfaceForm = "an interface name of at most 15 characters, with %t and %s as long as 65535"
)

const maskGiven = "the secret itself, not the asterisks that stand for it"

// formats says for each format what a value looks like and checks one.
var formats = map[api.Format]struct {
	expected string
	ok       func(string) bool
}{
	api.Format_FORMAT_ADDRESS:       {"an IP address", isAddress},
	api.Format_FORMAT_ADDRESS_V4:    {"an IPv4 address", isAddress4},
	api.Format_FORMAT_ADDRESS_V6:    {"an IPv6 address", isAddress6},
	api.Format_FORMAT_HOST:          {"an IP address or a host name", isHost},
	api.Format_FORMAT_PREFIX:        {"an IP address or a prefix such as 192.0.2.0/24", isPrefix},
	api.Format_FORMAT_NETMASK:       {"a mask such as 255.255.255.0 or a prefix length", isNetmask},
	api.Format_FORMAT_ADDRESS_RANGE: {rangeForm, isRange},
	api.Format_FORMAT_INTERFACE:     {interfaceForm, isInterface},
	api.Format_FORMAT_SPEED:         {"RX or RX:TX in bits per second", isSpeed},
	api.Format_FORMAT_PATH:          {"the path of a file, from /", isPath},
	api.Format_FORMAT_ADDRESS_PORT:  {"an address and a port, as 192.0.2.1:443 or [2001:db8::1]:443", isAddressPort},
	api.Format_FORMAT_NAME:          {"a name without control characters, and no blanks around it", isName},
}

func (p *Param) expectedString() string {
	if p.RefersTo != "" {
		return "the name of a " + p.RefersTo
	}
	if f, ok := formats[p.Format]; ok {
		return f.expected
	}
	if p.Max != 0 {
		return fmt.Sprintf("%d to %d characters", p.Min, p.Max)
	}
	return "text"
}

func (p *Param) parseString(text string) (protoreflect.Value, error) {
	if p.Max != 0 && (int64(len(text)) < p.Min || int64(len(text)) > p.Max) {
		return protoreflect.Value{}, p.fail(text, fmt.Sprintf("%d to %d characters", p.Min, p.Max))
	}
	if p.Secret && text == Masked {
		// Somebody feeds back what was shown to him.
		return protoreflect.Value{}, p.fail("", maskGiven)
	}
	if strings.ContainsRune(text, 0) {
		return protoreflect.Value{}, p.fail("", "text without NUL characters")
	}
	if f, ok := formats[p.Format]; ok && !f.ok(text) {
		return protoreflect.Value{}, p.fail(text, f.expected)
	}
	return protoreflect.ValueOfString(text), nil
}

// parseAddr takes addresses that can stand in a packet's header: a zone is
// for link-local ones only.
func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is4In6() || (a.Zone() != "" && !a.IsLinkLocalUnicast()) {
		return netip.Addr{}, false
	}
	return a, true
}

func isAddress(s string) bool {
	_, ok := parseAddr(s)
	return ok
}

func isAddress4(s string) bool {
	a, ok := parseAddr(s)
	return ok && a.Is4()
}

func isAddress6(s string) bool {
	a, ok := parseAddr(s)
	return ok && a.Is6()
}

// isHost takes names of letters, digits, "-" and "_" in labels. What is all
// digits and dots must be an address.
func isHost(s string) bool {
	if isAddress(s) {
		return true
	}
	if s == "" || len(s) > 253 || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHost) {
			return false
		}
	}
	return true
}

func notInHost(r rune) bool {
	return r > unicode.MaxASCII ||
		!unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
}

func isPrefix(s string) bool {
	_, err := ParsePrefix(s)
	return err == nil
}

// ParsePrefix reads an address or a prefix. An address is a prefix of all its
// bits; what a prefix has beyond its length is zeroed.
func ParsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func isNetmask(s string) bool {
	_, ok := ParseNetmask(s)
	return ok
}

// ParseNetmask reads a mask of IPv4 or a prefix length, and returns the length.
func ParseNetmask(s string) (length int, ok bool) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return int(n), n <= 128
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return 0, false
	}
	b := a.As4()
	mask := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	length = bits.LeadingZeros32(^mask)
	return length, mask<<length == 0
}

func isRange(s string) bool {
	_, _, err := ParseRange(s)
	return err == nil
}

// ParseRange reads an address, a prefix or a range, and returns its first and last
// address.
func ParseRange(s string) (first, last netip.Addr, err error) {
	if from, to, ok := strings.Cut(s, "-"); ok {
		if first, err = netip.ParseAddr(strings.TrimSpace(from)); err != nil {
			return first, last, err
		}
		if last, err = netip.ParseAddr(strings.TrimSpace(to)); err != nil {
			return first, last, err
		}
		if first.BitLen() != last.BitLen() || last.Less(first) {
			return first, last, fmt.Errorf("%s does not come after %s", last, first)
		}
		return first, last, nil
	}
	p, err := ParsePrefix(s)
	if err != nil {
		return first, last, err
	}
	return p.Addr(), lastOf(p), nil
}

func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// The kernel's IFNAMSIZ counts the NUL at the end.
const maxInterfaceName = 15

func isInterface(s string) bool {
	name, ok := ExpandInterface(s, "65535", "65535")
	if !ok || name == "" || len(name) > maxInterfaceName || name == "." || name == ".." {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '/' || r == ':'
	})
}

// ExpandInterface replaces %t and %s in the pattern of an interface name, and
// reports whether it has nothing else with "%".
func ExpandInterface(pattern, tunnel, session string) (string, bool) {
	name := strings.ReplaceAll(pattern, "%t", tunnel)
	name = strings.ReplaceAll(name, "%s", session)
	return name, !strings.Contains(name, "%")
}

func isSpeed(s string) bool {
	_, _, ok := ParseSpeed(s)
	return ok
}

// ParseSpeed reads RX[:TX]; one number stands for both.
func ParseSpeed(s string) (rx, tx uint32, ok bool) {
	first, second, two := strings.Cut(s, ":")
	r, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	if !two {
		return uint32(r), uint32(r), true
	}
	t, err := strconv.ParseUint(second, 10, 32)
	return uint32(r), uint32(t), err == nil
}

func isPath(s string) bool { return s == "" || s[0] == '/' }

func isAddressPort(s string) bool {
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Port() != 0
}

// isName takes what openl2tp takes between quotes, as long as it can be read.
func isName(s string) bool {
	return s != "" && s == strings.TrimSpace(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
