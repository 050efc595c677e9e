package schema

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// TraceFlags says what is traced. The bits are those of openl2tp.
type TraceFlags uint32

// The flags.
const (
	TraceProtocol   TraceFlags = 1 << iota // control messages
	TraceFSM                               // states, and what moves them
	TraceAPI                               // requests of management
	TraceAVPInfo                           // the AVPs of control messages
	TraceAVPHide                           // hiding and unhiding of AVPs
	TraceAVPData                           // the values of AVPs
	TraceFunc                              // what the engine does inside
	TraceTransport                         // reliable delivery: windows, retransmission
	TraceData                              // data sessions: the data plane's objects
	TraceSystem                            // the daemon itself: configuration, timers, limits
	TracePPPControl                        // packets of LCP, authentication and the NCPs

	// TraceAll is every flag.
	TraceAll TraceFlags = 1<<iota - 1
)

// TraceFlagWords are the words of the flags, from the lowest bit.
var TraceFlagWords = []string{"protocol", "fsm", "api", "avp_info", "avp_hide", "avp_data",
	"func", "transport", "data", "system", "ppp_control"}

const traceForm = "a number up to 0x7ff, none, all, or words of protocol, fsm, api, avp_info, " +
	"avp_hide, avp_data, func, transport, data, system and ppp_control joined by commas"

// ParseTraceFlags reads a number, or words joined by commas. A word may be cut
// short as long as it stays unambiguous.
func ParseTraceFlags(text string) (TraceFlags, error) {
	if n, err := parseNumber(text); err == nil {
		if TraceFlags(n)&^TraceAll != 0 {
			return 0, fmt.Errorf("%s: expected %s", text, traceForm)
		}
		return TraceFlags(n), nil
	}
	var flags TraceFlags
	for word := range strings.SplitSeq(strings.ToLower(text), ",") {
		f, ok := traceFlag(strings.TrimSpace(word))
		if !ok {
			return 0, fmt.Errorf("unknown trace flag %q%s: expected %s", word,
				DidYouMean(word, TraceFlagWords), traceForm)
		}
		flags |= f
	}
	return flags, nil
}

func traceFlag(word string) (flags TraceFlags, ok bool) {
	switch word {
	case "none":
		return 0, true
	case "all":
		return TraceAll, true
	case "":
		return 0, false
	}
	for i, w := range TraceFlagWords {
		switch {
		case w == word:
			return 1 << i, true
		case strings.HasPrefix(w, word):
			if ok {
				return 0, false
			}
			flags, ok = 1<<i, true
		}
	}
	return flags, ok
}

// String gives the words, "all" or "none".
func (f TraceFlags) String() string {
	switch f {
	case 0:
		return "none"
	case TraceAll:
		return "all"
	}
	var words []string
	for i, w := range TraceFlagWords {
		if f&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, ",")
}

// Number gives the flags as a decimal number, as openl2tp wants them.
func (f TraceFlags) Number() string { return strconv.FormatUint(uint64(f), 10) }

// hintTrace finds the first of several words that is none.
func hintTrace(text string) string {
	for word := range strings.SplitSeq(strings.ToLower(text), ",") {
		if _, ok := traceFlag(strings.TrimSpace(word)); !ok && strings.Contains(text, ",") {
			return DidYouMean(word, TraceFlagWords)
		}
	}
	return ""
}

func (p *Param) parseTrace(text string) (protoreflect.Value, error) {
	flags, err := ParseTraceFlags(text)
	if err != nil {
		return protoreflect.Value{}, p.fail(text, traceForm+hintTrace(text))
	}
	return protoreflect.ValueOfUint32(uint32(flags)), nil
}
