package ppp

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var eventNames = map[string]event{
	"Up": evUp, "Down": evDown, "Open": evOpen, "Close": evClose,
	"TO+": evTimeout, "TO-": evExpired,
	"RCR+": evGoodRequest, "RCR-": evBadRequest, "RCA": evAck, "RCN": evNak,
	"RTR": evTerminateRequest, "RTA": evTerminateAck,
	"RUC": evUnknownCode, "RXJ+": evRejected, "RXJ-": evBroken, "RXR": evEcho,
}

var actionNames = map[string]actions{
	"tlu": tlu, "tld": tld, "tls": tls, "tlf": tlf, "irc": irc, "zrc": zrc, "scr": scr,
	"sca": sca, "scn": scn, "str": str, "sta": sta, "scj": scj, "ser": ser,
}

// cellPattern is a cell: actions and a slash, the next state, and a footnote.
var cellPattern = regexp.MustCompile(`^(?:([a-z,]+)/)?([0-9])[prx]?$`)

func parseCell(t *testing.T, s string) transition {
	t.Helper()
	if s == "-" {
		return never
	}
	m := cellPattern.FindStringSubmatch(s)
	if m == nil {
		t.Fatalf("cell %q is not understood", s)
	}
	var tr transition
	for a := range strings.SplitSeq(m[1], ",") {
		if a != "" && actionNames[a] == 0 {
			t.Fatalf("cell %q: unknown action %q", s, a)
		}
		tr.do |= actionNames[a]
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	tr.next = State(n)
	return tr
}

// TestAutomatonIsTheRFCs compares all 160 cells with the RFC's own text.
func TestAutomatonIsTheRFCs(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc1661-4.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	cells, first := 0, 0
	for line := range strings.Lines(string(text)) {
		row, rest, ok := strings.Cut(line, "|")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		switch strings.TrimSpace(row) {
		case "":
			if len(fields) > 0 && fields[0] != "State" {
				if first, err = strconv.Atoi(fields[0]); err != nil {
					t.Fatalf("line %q: %v", line, err)
				}
			}
			continue
		case "Events":
			continue
		}
		ev, ok := eventNames[strings.TrimSpace(row)]
		if !ok {
			t.Fatalf("line %q: unknown event", line)
		}
		for i, f := range fields {
			state := State(first + i)
			if got, want := table[ev][state], parseCell(t, f); got != want {
				t.Errorf("%s in %v = %+v, want %+v (%s)", row, state, got, want, f)
			}
			cells++
		}
	}
	if want := int(numEvents) * int(numStates); cells != want {
		t.Errorf("%d cells compared, want %d", cells, want)
	}
}

// The timer runs in the states that have TO events (RFC 1661, 4.1).
func TestTimedStates(t *testing.T) {
	for s := range numStates {
		want := s >= Closing && s <= AckSent
		if got := s.timed(); got != want {
			t.Errorf("%v timed = %t, want %t", s, got, want)
		}
	}
}
