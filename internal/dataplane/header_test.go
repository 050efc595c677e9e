package dataplane

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestParseData(t *testing.T) {
	for _, c := range []struct {
		name, in, payload string
		want              dataHeader
		err               error
	}{
		{"plain", "\x00\x02\x00\x05\x00\x03abc", "abc", dataHeader{Tunnel: 5, Session: 3}, nil},
		{"length", "\x40\x02\x00\x0b\x00\x05\x00\x03abc", "abc", dataHeader{Tunnel: 5, Session: 3}, nil},
		{"padding behind the length", "\x40\x02\x00\x09\x00\x05\x00\x03abc", "a",
			dataHeader{Tunnel: 5, Session: 3}, nil},
		{"length beyond", "\x40\x02\x00\x0c\x00\x05\x00\x03abc", "", dataHeader{}, errLength},
		{"length short", "\x40\x02\x00\x05\x00\x05\x00\x03abc", "", dataHeader{}, errShortHeader},
		{"numbers", "\x08\x02\x00\x05\x00\x03\x01\x02\x03\x04a", "a",
			dataHeader{Tunnel: 5, Session: 3, HasSequence: true, Ns: 0x102, Nr: 0x304}, nil},
		{"numbers missing", "\x08\x02\x00\x05\x00\x03\x01\x02\x03", "", dataHeader{}, errShortHeader},
		{"offset", "\x02\x02\x00\x05\x00\x03\x00\x02xya", "a", dataHeader{Tunnel: 5, Session: 3}, nil},
		{"offset beyond", "\x02\x02\x00\x05\x00\x03\x00\x04xya", "", dataHeader{}, errShortHeader},
		{"empty payload", "\x00\x02\x00\x05\x00\x03", "", dataHeader{Tunnel: 5, Session: 3}, nil},
		{"short", "\x00\x02\x00\x05\x00", "", dataHeader{}, errShortHeader},
		{"control", "\xc8\x02\x00\x0c\x00\x05\x00\x03\x00\x00\x00\x00", "", dataHeader{}, errNotData},
		{"version 3", "\x00\x03\x00\x05\x00\x03abc", "", dataHeader{}, errNotData},
	} {
		h, payload, err := parseData([]byte(c.in))
		if err != c.err {
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		} else if err == nil && (h != c.want || string(payload) != c.payload) {
			t.Errorf("%s: %+v %q, want %+v %q", c.name, h, payload, c.want, c.payload)
		}
	}
}

func TestSplitFrame(t *testing.T) {
	for _, c := range []struct {
		in       string
		protocol uint16
		want     string
		ok       bool
	}{
		{"\xff\x03\xc0\x21x", 0xc021, "x", true},
		{"\xc0\x21x", 0xc021, "x", true},
		{"\xff\x03\x00\x21x", 0x21, "x", true},
		{"\xff\x03\x21x", 0x21, "x", true},
		{"\x21x", 0x21, "x", true},
		{"\x57", 0x57, "", true},
		{"\xff\x03", 0, "", false},
		{"\xc0", 0, "", false},
		{"\xc0\x20x", 0, "", false}, // the last byte of a protocol is odd
		{"", 0, "", false},
	} {
		protocol, got, ok := splitFrame([]byte(c.in))
		if ok != c.ok || ok && (protocol != c.protocol || string(got) != c.want) {
			t.Errorf("% x: %04x %q %v, want %04x %q %v",
				c.in, protocol, got, ok, c.protocol, c.want, c.ok)
		}
	}
}

// FuzzParseData wants no panic, a payload within the message, and what is
// appended to parse to the same again.
func FuzzParseData(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x05\x00\x03\xff\x03\xc0\x21abc"))
	f.Add([]byte("\x4a\x02\x00\x11\x00\x05\x00\x03\x01\x02\x03\x04\x00\x01x\x21a"))
	f.Add([]byte("\xc8\x02\x00\x0c\x00\x05\x00\x03\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := parseData(b)
		if err != nil {
			return
		}
		if len(payload) > len(b)-6 {
			t.Fatalf("payload of %d bytes in a message of %d", len(payload), len(b))
		}
		again := append(appendDataHeader(nil, h), payload...)
		h2, payload2, err := parseData(again)
		h.Nr = 0 // is not sent
		if err != nil || h2 != h || !bytes.Equal(payload, payload2) {
			t.Fatalf("%+v % x came again as %+v % x, %v", h, payload, h2, payload2, err)
		}
		splitFrame(payload)
		addresses(payload)
		if _, src, _, ok := addresses(payload); ok && src.Is4() {
			fragment(payload, 100, func(p []byte) {
				if len(p)-maxDataHeader > 100 {
					t.Fatalf("a fragment has %d bytes", len(p)-maxDataHeader)
				}
			})
			fragmentationNeeded(src, payload, 100)
		} else if ok {
			packetTooBig(src, payload, 1280)
		}
	})
}

func TestSequencer(t *testing.T) {
	q := newSequencer(SessionSpec{LNS: true, RequireSequence: true})
	for _, c := range []struct {
		h    dataHeader
		want judgement
	}{
		{dataHeader{HasSequence: true, Ns: 0}, judgement{}},
		{dataHeader{HasSequence: true, Ns: 3}, judgement{missing: 2}},
		{dataHeader{HasSequence: true, Ns: 2}, judgement{drop: true, late: true}},
		{dataHeader{HasSequence: true, Ns: 3}, judgement{drop: true, late: true}},
		{dataHeader{}, judgement{drop: true, late: true}},
		{dataHeader{HasSequence: true, Ns: 4}, judgement{}},
	} {
		if got := q.judge(c.h); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.h, got, c.want)
		}
	}
	q.Nr = 0xffff
	if got := q.judge(dataHeader{HasSequence: true, Ns: 0}); got != (judgement{missing: 1}) {
		t.Errorf("around the end of the numbers: %+v", got)
	}
}

// TestSequencerFollows is RFC 2661, 5.4: the LAC does what the LNS does.
func TestSequencerFollows(t *testing.T) {
	lac, lns := newSequencer(SessionSpec{}), newSequencer(SessionSpec{LNS: true})
	required := newSequencer(SessionSpec{SendSequence: true, RequireSequence: true})
	for _, numbered := range []bool{true, false, true} {
		h := dataHeader{HasSequence: numbered}
		lac.judge(h)
		lns.judge(h)
		required.judge(h)
		if lac.send != numbered || lns.send || !required.send {
			t.Errorf("numbered %v: LAC %v, LNS %v, required %v", numbered, lac.send, lns.send, required.send)
		}
	}
}

func TestReorder(t *testing.T) {
	var c liveCounters
	q := newSequencer(SessionSpec{LNS: true})
	r := &reorderQueue{timeout: 100 * time.Millisecond}
	now := time.Unix(0, 0)
	var got []uint16
	accept := func(ns ...uint16) {
		for _, n := range ns {
			h := dataHeader{HasSequence: true, Ns: n}
			for _, p := range r.accept(now, &q, &c, h, []byte{byte(n)}) {
				got = append(got, uint16(p[0]))
			}
		}
	}
	want := func(what string, ns ...uint16) {
		t.Helper()
		if !slices.Equal(got, ns) {
			t.Errorf("%s: %d went on, want %d", what, got, ns)
		}
		got = nil
	}
	accept(0, 2, 3, 2)
	want("a gap", 0)
	accept(1)
	want("the gap is filled", 1, 2, 3)
	accept(6, 5)
	want("another gap")
	now = now.Add(100 * time.Millisecond)
	accept(7)
	want("after the timeout", 5, 6, 7)
	accept(4)
	want("too late")
	for n := range uint16(maxHeld + 1) {
		accept(10 + n)
	}
	if len(got) != maxHeld+1 || got[0] != 10 {
		t.Errorf("a full queue let %d go on", got)
	}
	// Late are the second 2 and the 4; missing 4, 8 and 9.
	if n := c.rxOutOfSequence.Load(); n != 5 {
		t.Errorf("%d out of sequence, want 5", n)
	}
}
