package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

// nearest is how a lenient parameter reads what is out of range: a number above
// the range is its end; 0, and a name that cannot be, is not taken.
func (p *Param) nearest(text string) (value string, taken bool, warning string) {
	if p.field().Kind() == protoreflect.StringKind {
		if _, err := p.parse(text); err != nil && text != "" {
			return "", false, fmt.Sprintf("%v: it counts as not set", err)
		}
		return text, true, ""
	}
	n, ok := anyNumber(text)
	switch {
	case !ok:
		return text, true, ""
	case p.Format == api.Format_FORMAT_TRACE:
		return p.nearestTrace(text, n)
	case n == 0 && p.Min > 0:
		return "", false, fmt.Sprintf("%s=%s: it counts as not set: expected %s",
			p.Name, text, p.Expected())
	case p.Max != 0 && n > uint64(p.Max):
		value = strconv.FormatInt(p.Max, 10)
		return value, true, fmt.Sprintf("%s=%s: it counts as %s: expected %s",
			p.Name, bounded(text), value, p.Expected())
	}
	return text, true, ""
}

func (p *Param) nearestTrace(text string, n uint64) (value string, taken bool, warning string) {
	known := TraceFlags(n) & TraceAll
	if uint64(known) == n {
		return text, true, ""
	}
	return known.String(), true, fmt.Sprintf("%s=%s: it counts as %s, there are no other flags",
		p.Name, bounded(text), known)
}

// anyNumber reads a number however large it is.
func anyNumber(text string) (uint64, bool) {
	digits, base := text, 10
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return math.MaxUint64, true
	}
	return n, err == nil
}
