package l2tp

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	avpHeading = regexp.MustCompile(`^(.+) \(([A-Za-z, ]+)\)$`)
	avpNumber  = regexp.MustCompile(`Attribute Type (\d+)`)
	avpLength  = regexp.MustCompile(`The Length .*is (\d+)\.$`)
)

// TestAttributeTable compares the table with section 4.4: number, messages, M
// bit, H bit and fixed lengths of every AVP.
func TestAttributeTable(t *testing.T) {
	b, err := os.ReadFile("testdata/rfc2661-avps.txt")
	if err != nil {
		t.Fatal(err)
	}
	described := 0
	for section := range strings.SplitSeq(string(b), "\n\n") {
		heading, text, _ := strings.Cut(section, "\n")
		m := avpHeading.FindStringSubmatch(heading)
		n := avpNumber.FindStringSubmatch(text)
		if m == nil || n == nil {
			t.Fatalf("not understood: %q", section)
		}
		i, _ := strconv.Atoi(n[1])
		described++
		checkAttribute(t, AttributeType(i), m[1], m[2], strings.TrimSpace(text))
	}
	known := 0
	for i := range attributes {
		if AttributeType(i).known() {
			known++
		}
	}
	if known != described+1 { // RFC 3145 has one
		t.Errorf("%d attributes are known, %d are described", known, described)
	}
}

func checkAttribute(t *testing.T, at AttributeType, name, messages, text string) {
	t.Helper()
	a := attributes[at]
	if a.name != name {
		t.Errorf("attribute %d is %q, want %q", at, a.name, name)
	}
	mandatory := strings.Contains(text, "M-bit for this AVP MUST be set to 1") || at == AttrMessageType
	if a.mandatory != mandatory {
		t.Errorf("%v: M bit %v, want %v", at, a.mandatory, mandatory)
	}
	if may := strings.Contains(text, "This AVP may be hidden"); a.mayHide != may {
		t.Errorf("%v: may be hidden: %v, want %v", at, a.mayHide, may)
	}
	var want messageSet
	for m := range strings.SplitSeq(messages, ", ") {
		if m == "All Messages" {
			want = allMessages
			continue
		}
		want |= 1 << slices.Index(messageNames[:], m)
	}
	if a.in != want {
		t.Errorf("%v: in messages %b, want %b", at, a.in, want)
	}
	lenient := at == AttrChallengeResponse || at == AttrSequencingRequired
	if m := avpLength.FindStringSubmatch(text); m != nil && !lenient {
		if n, _ := strconv.Atoi(m[1]); a.min != n-avpHeaderLen || a.max != a.min {
			t.Errorf("%v: value of %d to %d octets, want %d", at, a.min, a.max, n-avpHeaderLen)
		}
	}
}

// TestFieldsFollowTable: each message has just the attributes that the table
// gives it.
func TestFieldsFollowTable(t *testing.T) {
	for mt := range MessageType(numMessageTypes) {
		m := newMessage(mt)
		if m == nil {
			continue
		}
		var got messageSet
		for _, f := range m.fields() {
			if attributes[f.attr].in&(1<<mt) == 0 {
				t.Errorf("%v has %v, which is not for it", mt, f.attr)
			}
			got++
		}
		want := messageSet(0)
		for i, a := range attributes {
			if a.in&(1<<mt) != 0 && a.in != allMessages && AttributeType(i).known() {
				want++
			}
		}
		if got != want {
			t.Errorf("%v has %d attributes, want %d", mt, got, want)
		}
	}
}
