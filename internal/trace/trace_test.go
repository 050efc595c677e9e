package trace

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"culvert/internal/schema"
	"culvert/l2tp"
	"culvert/ppp"
)

// one is a recorder with one ring, so that a test knows where things are.
func one(size int, log *slog.Logger) *Recorder {
	r := New(Options{Log: log})
	r.rings = []*ring{newRing(size)}
	return r
}

func TestMemoryIsBounded(t *testing.T) {
	r := New(Options{})
	var took int
	for i := range 300_000 {
		s := Subject{Tunnel: l2tp.TunnelID(i), Session: l2tp.SessionID(i * 7)}
		r.Event(s, schema.TraceFSM, strings.Repeat("x", i%300))
		r.Message(s, Sent, make([]byte, i%2000), true)
	}
	for _, ring := range r.rings {
		took += len(ring.chunks) * ring.size
		for _, chunk := range ring.chunks {
			if cap(chunk) != ring.size {
				t.Errorf("a chunk has %d bytes, want %d", cap(chunk), ring.size)
			}
		}
	}
	if took > DefaultSize {
		t.Errorf("%d bytes are taken, want at most %d", took, DefaultSize)
	}
	if len(New(Options{}).rings[0].chunks) != 0 {
		t.Error("an empty recorder takes memory")
	}
}

func TestTheLastRecordsAreKept(t *testing.T) {
	r := one(64<<10, nil)
	for i := range 10_000 {
		r.Event(Subject{Tunnel: 5}, schema.TraceFSM, fmt.Sprint("event ", i))
	}
	found := r.Find(Query{Tunnel: 5})
	if n := len(found); n < 1000 || n > 4000 {
		t.Fatalf("%d records fit into 64 KiB", n)
	}
	for i, f := range found {
		if want := fmt.Sprint("event ", 10_000-len(found)+i); f.Text != want {
			t.Fatalf("record %d is %q, want %q", i, f.Text, want)
		}
	}
	if last := r.Find(Query{Tunnel: 5, Limit: 2}); len(last) != 2 || last[1].Text != "event 9999" {
		t.Errorf("the last two are %v", last)
	}
}

func TestFindByNameAndNumber(t *testing.T) {
	r := New(Options{})
	tunnel, session := Subject{Tunnel: 5}, Subject{Tunnel: 5, Session: 9}
	r.Event(tunnel, schema.TraceFSM, "from before memory")
	r.Begin(tunnel, "office", "office begins")
	r.Begin(session, "vpn", "vpn begins")
	r.Event(session, schema.TraceFSM, "of vpn")
	r.Begin(Subject{Tunnel: 5, Session: 8}, "", "a session without name")
	r.Begin(tunnel, "home", "home begins")
	r.Event(Subject{Tunnel: 6}, schema.TraceFSM, "of another")
	for _, tt := range []struct {
		q    Query
		want string
	}{
		{Query{Tunnel: 5}, "from before memory;office begins;vpn begins;of vpn;a session without name;home begins"},
		{Query{TunnelName: "office"}, "office begins;vpn begins;of vpn;a session without name"},
		{Query{TunnelName: "home"}, "home begins"},
		{Query{TunnelName: "renamed", Tunnel: 5}, "home begins"},
		{Query{Tunnel: 5, Session: 9}, "vpn begins;of vpn"},
		{Query{Tunnel: 5, SessionName: "vpn"}, "vpn begins;of vpn"},
		{Query{TunnelName: "office", SessionName: "vpn"}, "vpn begins;of vpn"},
		{Query{TunnelName: "nobody"}, ""},
		{Query{Tunnel: 7}, ""},
	} {
		var got []string
		for _, f := range r.Find(tt.q) {
			got = append(got, f.Text)
		}
		if strings.Join(got, ";") != tt.want {
			t.Errorf("%+v finds %q, want %q", tt.q, got, tt.want)
		}
	}
}

// TestNilRecorder: an engine without one works.
func TestNilRecorder(t *testing.T) {
	var r *Recorder
	s := Subject{Tunnel: 1, Flags: schema.TraceAll}
	r.Configure(schema.TraceAll, nil)
	r.Begin(s, "", "")
	r.Message(s, Sent, nil, false)
	r.Frame(s, Sent, nil, false)
	r.State(s, LCP, 0, 1, "")
	r.Event(s, schema.TraceFSM, "")
	r.Tell(s, schema.TraceFSM, "")
	r.Capture(Packet{})
	if r.Capturing() || r.System() != 0 || r.Profile("x") != 0 || r.Find(Query{Tunnel: 1}) != nil {
		t.Error("a nil recorder knows something")
	}
}

const secret = "open sesame"

// holders are messages and frames that hold the secret in the clear.
func holders() (messages, frames [][]byte) {
	iccn := &l2tp.ICCN{TxConnectSpeed: 1, FramingType: l2tp.FramingSync, Proxy: l2tp.Proxy{
		AuthType: l2tp.ProxyAuthPAP, AuthName: "alice", AuthResponse: secret}}
	scccn := &l2tp.SCCCN{ChallengeResponse: []byte(secret + "56789")}
	for _, m := range []l2tp.Message{iccn, scccn} {
		avps := l2tp.AppendMessage(nil, m)
		b := l2tp.AppendHeader(nil, l2tp.Header{Control: true, HasLength: true, HasSequence: true, TunnelID: 1}, len(avps))
		whole := append(b, avps...)
		messages = append(messages, whole, append(bytes.Clone(whole), secret...)) // padding behind the length
		cut := bytes.Clone(whole)
		cut[len(b)+8+1] = 255 // the second AVP's length is wrong: what follows cannot be told apart
		messages = append(messages, cut)
	}
	pap := "\x05alice\x0b" + secret
	for _, f := range []string{
		"\xc0\x23\x01\x01\x00\x16" + pap,                         // Authenticate-Request
		"\xff\x03\xc0\x23\x01\x01\x00\x16" + pap,                 // with address and control
		"\xc0\x23\x01\x01\x00\x16\x05alice\xff" + secret,         // its password's length is wrong
		"\xc0\x23\x01\x01\xff\xff" + pap,                         // the packet's
		"\xc0\x23\x01\x01\x00\x04" + pap,                         // padding
		"\xc0\x21\x08\x01\x00\x1c\xc0\x23\x01\x01\x00\x16" + pap, // in a Protocol-Reject
		"\x80\x21\x07\x01\x00\x1a\x01\x01\x00\x16" + pap,         // in a Code-Reject
		"\xc2\x23\x02\x01\x00\x15\x0b" + secret + "alice",        // CHAP Response
		"\xc2\x23\x07\x01\x00\x0f" + secret,                      // Change-Password
		"\xc2\x27\x02\x01\x00\x10\x04" + secret,                  // EAP MD5-Challenge
		"\xc0\x23\x09\x01\x00\x10\x0b" + secret,                  // PAP of no known code
	} {
		frames = append(frames, []byte(f))
	}
	return messages, frames
}

// TestSecretsAreNowhere: neither in memory, nor in what is made of it, nor in captures.
func TestSecretsAreNowhere(t *testing.T) {
	var log bytes.Buffer
	r := one(1<<20, slog.New(slog.NewTextHandler(&log, nil)))
	c, err := r.NewCapture(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := Subject{Tunnel: 1, Session: 2, Flags: schema.TraceAll}
	messages, frames := holders()
	for _, m := range messages {
		if !bytes.Contains(m, []byte(secret)) {
			t.Errorf("%x does not hold the secret", m)
		}
		r.Message(s, Received, m, false)
		r.Capture(Packet{Local: netip.MustParseAddrPort("192.0.2.1:1701"),
			Peer: netip.MustParseAddrPort("192.0.2.2:1701"), Data: m})
	}
	for _, f := range frames {
		if !bytes.Contains(f, []byte(secret)) {
			t.Errorf("%x does not hold the secret", f)
		}
		r.Frame(s, Sent, f, false)
		if strings.Contains(ppp.Describe(f), secret) {
			t.Errorf("described as %s", ppp.Describe(f))
		}
	}
	var all bytes.Buffer
	for _, chunk := range r.rings[0].chunks {
		all.Write(chunk)
	}
	if all.Len() == 0 || log.Len() == 0 {
		t.Fatal("nothing was recorded")
	}
	for _, f := range r.Find(Query{Tunnel: 1}) {
		fmt.Fprintln(&all, f.Text)
	}
	all.Write(log.Bytes())
	var w Writer
	for i, m := range messages {
		p, err := c.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Data) != len(m) {
			t.Errorf("message %d has %d octets in the capture, want %d", i, len(p.Data), len(m))
		}
		all.Write(w.Packet(p))
	}
	if i := bytes.Index(all.Bytes(), []byte(secret)); i >= 0 {
		t.Errorf("the secret is there: %q", all.Bytes()[max(0, i-80):i+20])
	}
	if n := len(r.Find(Query{Tunnel: 1})); n != len(messages)+len(frames) {
		t.Errorf("%d records, want %d", n, len(messages)+len(frames))
	}
}

// TestSlowReaderMissesPackets, and nobody waits for it.
func TestSlowReaderMissesPackets(t *testing.T) {
	r := New(Options{})
	c, err := r.NewCapture(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range captureBuffer + 7 {
		r.Capture(Packet{Data: []byte{1}})
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("capturing took %v", took)
	}
	missed := uint64(0)
	for range captureBuffer {
		p, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		missed += p.Missed
	}
	if missed != 7 {
		t.Errorf("%d packets are said to be missed, want 7", missed)
	}
	c.Close()
	if r.Capturing() {
		t.Error("a closed capture goes on")
	}
}

func TestTooManyCaptures(t *testing.T) {
	r := New(Options{})
	for range maxCaptures {
		c, err := r.NewCapture(Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := r.NewCapture(Filter{}); err != ErrTooMany {
		t.Errorf("%v, want ErrTooMany", err)
	}
}

func TestFilters(t *testing.T) {
	p := Packet{Tunnel: 5, TunnelName: "office", Peer: netip.MustParseAddrPort("[::ffff:192.0.2.9]:1701")}
	stray := Packet{Peer: netip.MustParseAddrPort("198.51.100.1:1701")}
	for _, tt := range []struct {
		f           Filter
		mine, stray bool
	}{
		{Filter{}, true, true},
		{Filter{Tunnel: 5}, true, false},
		{Filter{Tunnel: 6}, false, false},
		{Filter{TunnelName: "office"}, true, false},
		{Filter{TunnelName: "home"}, false, false},
		{Filter{Peer: netip.MustParsePrefix("192.0.2.0/24")}, true, false},
		{Filter{Peer: netip.MustParsePrefix("198.51.100.1/32")}, false, true},
	} {
		if got := tt.f.passes(&p); got != tt.mine {
			t.Errorf("%+v passes the tunnel's packet: %t", tt.f, got)
		}
		if got := tt.f.passes(&stray); got != tt.stray {
			t.Errorf("%+v passes the stray packet: %t", tt.f, got)
		}
	}
}

// FuzzRecord: whatever comes, a record is one line without control characters.
func FuzzRecord(f *testing.F) {
	messages, frames := holders()
	for _, b := range append(messages, frames...) {
		f.Add(b)
	}
	f.Add([]byte("\xc0\x23\x02\x01\x00\x0b\x06a\x1b[2J\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var log bytes.Buffer
		r := one(1<<20, slog.New(slog.NewTextHandler(&log, nil)))
		s := Subject{Tunnel: 1, Session: 2, Flags: schema.TraceAll}
		r.Message(s, Sent, b, true)
		r.Frame(s, Received, b, true)
		r.Event(s, schema.TraceSystem, string(b))
		r.Begin(s, string(b), string(b))
		r.State(s, LCP, 1, 2, string(b))
		if n, m := len(l2tp.Redact(b)), len(ppp.Redact(b)); n != len(b) || m != len(b) {
			t.Errorf("%d octets become %d and %d without secrets", len(b), n, m)
		}
		lines := []string{l2tp.Describe(b), l2tp.Title(b), ppp.Describe(b), ppp.Title(b)}
		for a := range l2tp.DescribeAVPs(b) {
			lines = append(lines, a.Name, a.Form, a.Value)
		}
		for _, found := range r.Find(Query{Tunnel: 1}) {
			lines = append(lines, found.Text)
		}
		for _, line := range lines {
			for _, c := range line {
				if c < ' ' || c >= 0x7f && c < 0xa0 || c == '\u2028' || c == '\u202e' {
					t.Errorf("%q has the character %U", line, c)
				}
			}
		}
		if n := strings.Count(log.String(), "\n"); n != strings.Count(log.String(), "level=DEBUG msg=") {
			t.Errorf("%d lines in the log, and more or fewer records:\n%s", n, log.String())
		}
	})
}

// TestFindWhileRecording: who looks and who records do not disturb each other.
func TestFindWhileRecording(t *testing.T) {
	r := one(64<<10, nil)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				r.Event(Subject{Tunnel: 5}, schema.TraceFSM, fmt.Sprintf("%08d", i))
			}
		}
	}()
	for range 200 {
		last := ""
		for _, f := range r.Find(Query{Tunnel: 5}) {
			if f.Text <= last || len(f.Text) != 8 {
				t.Fatalf("%q comes after %q", f.Text, last)
			}
			last = f.Text
		}
	}
	close(stop)
	<-done
}

func BenchmarkFind(b *testing.B) {
	r := one(DefaultSize, nil)
	for i := range 200_000 {
		r.Event(Subject{Tunnel: l2tp.TunnelID(i % 1000)}, schema.TraceFSM, "something that happened here")
	}
	for b.Loop() {
		if len(r.Find(Query{Tunnel: 5})) < 100 {
			b.Fatal("nothing found")
		}
	}
}
