package dataplanetest

import (
	"encoding/binary"
	"testing"
)

func testFrames(t *testing.T, p *Pair) {
	c := connected(t, p).call(t, 1)
	c.exchange(t, "one")
	c.exchange(t, "two")
	p.A.Said.Quiet(t)
	p.B.Said.Quiet(t)
}

func testFrames6(t *testing.T, p *Pair) {
	listen(t, p.A, p.A.Host6)
	listen(t, p.B, p.B.Host6)
	connect(t, p, 0, p.A.Host6, p.B.Host6).call(t, 1).exchange(t, "over IPv6")
}

// testFrameForms sends frames in all forms that peers send.
func testFrameForms(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	ids := string(dataMessage(c.keyA.Tunnel, c.keyA.Session, "")[2:])
	length := func(n int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }
	for _, message := range []string{
		"\x00\x02" + ids + "\xff\x03" + lcp("x"),
		"\x00\x02" + ids + lcp("x"), // as if ACFC had been negotiated
		"\x40\x02" + length(13) + ids + "\xff\x03" + lcp("x"),
		"\x02\x02" + ids + "\x00\x00" + "\xff\x03" + lcp("x"),
		"\x02\x02" + ids + "\x00\x03" + "pad" + "\xff\x03" + lcp("x"),
		"\x42\x02" + length(18) + ids + "\x00\x03" + "pad" + "\xff\x03" + lcp("x"),
		"\x01\x02" + ids + "\xff\x03" + lcp("x"), // priority
	} {
		if err := tp.b.Send([]byte(message)); err != nil {
			t.Fatal(err)
		}
		wantFrame(t, p.A, c.keyA, lcp("x"))
	}
}

// testEarlyData sends data for sessions that are not there: yet, any more, ever.
func testEarlyData(t *testing.T, p *Pair) {
	tp := connected(t, p)
	early := dataMessage(tp.id(1), 101, "\xff\x03"+lcp("early"))
	handedUp := func() {
		t.Helper()
		if d := p.A.Said.datagramOf(t, func() error { return tp.b.Send(early) }); string(d.Data) != string(early) {
			t.Fatalf("the handler got % x, want the whole message % x", d.Data, early)
		}
	}
	handedUp()
	c := tp.call(t, 1)
	if err := tp.b.Send(early); err != nil {
		t.Fatal(err)
	}
	wantFrame(t, p.A, c.keyA, lcp("early"))
	if err := c.a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	handedUp()
}

// testSequence turns sequence numbers on while the session runs: LNS first, and
// the other end follows. A number that has passed is dropped from then on.
func testSequence(t *testing.T, p *Pair) {
	tp := connected(t, p)
	c := tp.call(t, 1)
	c.exchange(t, "without numbers")
	a, b := c.specs()
	a.SendSequence = true
	if err := c.a.Modify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	c.exchange(t, "the LAC follows")
	b.SendSequence, b.RequireSequence = true, true
	if err := c.b.Modify(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.exchange(t, "required")
	// B expects number 2 now.
	ids := string(dataMessage(c.keyB.Tunnel, c.keyB.Session, "")[2:])
	for _, late := range []string{
		"\x08\x02" + ids + "\x00\x00\x00\x00" + "\xff\x03" + lcp("late"),
		"\x00\x02" + ids + "\xff\x03" + lcp("without number"),
	} {
		if err := tp.a.Send([]byte(late)); err != nil {
			t.Fatal(err)
		}
	}
	c.exchange(t, "late ones are dropped")
	count, err := c.b.Counters(t.Context())
	if err != nil || count.RxOutOfSequence == 0 {
		t.Errorf("out of sequence: %d, %v; expected it to be counted", count.RxOutOfSequence, err)
	}
}
