package l2tp

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

func seedMessages(f *testing.F) {
	for _, m := range full() {
		f.Add(AppendMessage(nil, m))
		f.Add(appendMessage(nil, m, &Config{Secret: "s", HideAVPs: true, Rand: newSeeded(2)}))
	}
	f.Add([]byte{})
	f.Add([]byte{0x80, 8, 0, 0, 0, 0, 0, 200})
}

// FuzzParse: what parses is the same when it is appended and parsed again.
func FuzzParse(f *testing.F) {
	seedMessages(f)
	for _, b := range captures(f) {
		if _, avps, err := ParseHeader(b); err == nil {
			f.Add(avps)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Describe(appendControl(nil, 1, 2, 3, 4, b))
		m, err := ParseMessage(b, "s")
		if err != nil {
			_ = err.Error()
			return
		}
		once := AppendMessage(nil, m)
		again, err := ParseMessage(once, "")
		if err != nil {
			t.Fatalf("%+v does not parse when appended: %v", m, err)
		}
		if twice := AppendMessage(nil, again); !bytes.Equal(once, twice) {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	f.Add(unhex(f, "c802000c0001000200030004"))
	f.Add(unhex(f, "4b0200140001000200030004 0004aaaaaaaaff03"))
	for _, b := range captures(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Describe(b)
		_, _ = PeekSCCRQ(b)
		h, p, err := ParseHeader(b)
		if err != nil {
			return
		}
		h2, p2, err := ParseHeader(append(AppendHeader(nil, h, len(p)), p...))
		if err != nil || h2 != h || !bytes.Equal(p, p2) {
			t.Errorf("%+v, %x became %+v, %x, %v", h, p, h2, p2, err)
		}
	})
}

// FuzzHide: what is hidden can be unhidden; what is not does no harm.
func FuzzHide(f *testing.F) {
	f.Add(uint16(33), "secret", []byte("vector"), []byte("value"), []byte("padding"))
	f.Add(uint16(0), "", []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, attr uint16, secret string, vector, value, padding []byte) {
		if len(value) > maxHiddenValue {
			return
		}
		_, _ = unhide(AttributeType(attr), Secret(secret), vector, value)
		h := hide(AttributeType(attr), Secret(secret), vector, value, padding)
		got, ok := unhide(AttributeType(attr), Secret(secret), vector, h)
		if !ok || !bytes.Equal(got, value) {
			t.Errorf("%x became %x, %v", value, got, ok)
		}
	})
}

// A driver turns octets into events for a tunnel.
type driver struct {
	t      *testing.T
	tunnel *Tunnel
	cfg    *Config
	now    time.Time
	in     []byte
	done   bool
}

func (d *driver) octet() byte {
	if len(d.in) == 0 {
		return 0
	}
	c := d.in[0]
	d.in = d.in[1:]
	return c
}

// event makes the next event; half of them are messages.
func (d *driver) event() Event {
	id := d.session()
	r := Result{Code: ResultCode(d.octet() % 12)}
	switch k := d.octet() % 24; k {
	case 0:
		return Tick{}
	case 1:
		return DataReceived{}
	case 2:
		return PlaceCall{id, CallKind(d.octet() % 6), Call{CalledNumber: "1"}}
	case 3:
		return CallAccepted{id}
	case 4:
		return CallConnected{id, Call{Proxy: &Proxy{AuthType: ProxyAuthPAP, AuthResponse: "p"}}}
	case 5:
		return CallRefused{id, r}
	case 6:
		return HangUp{Session: id, Result: r}
	case 7:
		return SetLinkInfo{id, 1, 2}
	case 8:
		return NotifyErrors{id, CallErrors{CRC: 1}}
	case 9:
		return Open{}
	case 10:
		if d.octet() == 7 {
			return Stop{r}
		}
	case 11:
		return TieBreakerLost{}
	}
	return MessageReceived{d.datagram(id)}
}

// session gives a session's identifier, mostly one that exists.
func (d *driver) session() SessionID {
	k := d.octet()
	for s := range d.tunnel.Sessions() {
		if k%4 < 3 {
			return s.Session
		}
		k /= 4
	}
	return SessionID(k % 8)
}

// datagram makes a message that is often right.
func (d *driver) datagram(id SessionID) []byte {
	s := d.tunnel.Stats()
	messages := full()
	var avps []byte
	k := int(d.octet()) % (len(messages) + 3)
	if k < 4 && d.octet() > 8 {
		k += 8 // those of the control connection mostly end it
	}
	switch {
	case k < len(messages):
		avps = AppendMessage(nil, messages[k])
		if n := 4 * int(d.octet()); n < len(avps) && d.octet() < 16 {
			avps[n] ^= d.octet()
		}
	case k == len(messages):
		n := int(d.octet())
		n = min(n, len(d.in))
		avps, d.in = d.in[:n], d.in[n:]
	}
	tid := d.tunnel.ID()
	if d.octet()%4 == 0 {
		tid = 0
	}
	ns, nr := s.Nr+uint16(int8(d.octet())/100), s.Ns-uint16(d.octet()%16/14)
	return appendControl(nil, tid, id, ns, nr, avps)
}

func (d *driver) step() {
	ev := d.event()
	acts := d.tunnel.Step(d.now, ev)
	if d.done && acts != nil {
		d.t.Fatalf("after Finished: %v", acts)
	}
	if len(acts) > 1000 {
		d.t.Fatalf("%d actions", len(acts))
	}
	for i, a := range acts {
		_ = sprintf("%v", a)
		switch a := a.(type) {
		case Send:
			d.check(a.Data)
		case Finished:
			d.done = true
			if i != len(acts)-1 {
				d.t.Fatalf("Finished is not the last of %v", acts)
			}
		}
	}
	at := d.tunnel.Deadline()
	if !at.IsZero() && !at.After(d.now) {
		d.t.Fatalf("deadline %v is not after %v", at, d.now)
	}
	if d.done != at.IsZero() && d.done {
		d.t.Fatalf("a deadline after Finished: %v", at)
	}
	if d.octet()%4 == 0 && !at.IsZero() {
		d.now = at
	} else {
		d.now = d.now.Add(time.Duration(d.octet()) * 10 * time.Millisecond)
	}
}

// check holds what is sent to what we would take.
func (d *driver) check(b []byte) {
	h, avps, err := ParseHeader(b)
	if err != nil || !h.Control {
		d.t.Fatalf("sent %x: %v", b, err)
	}
	if again := append(AppendHeader(nil, h, len(avps)), avps...); h.Priority || !bytes.Equal(again, b) {
		d.t.Fatalf("sent %x: P or reserved bits, or octets at the end", b)
	}
	if len(avps) == 0 {
		return
	}
	if _, err := ParseMessage(avps, d.cfg.Secret); err != nil {
		d.t.Fatalf("sent what does not parse: %v: %s", err, Describe(b))
	}
}

func FuzzStep(f *testing.F) {
	f.Add([]byte{0})
	f.Add(bytes.Repeat([]byte{1, 0, 12, 0, 0, 1, 0, 0, 3, 9}, 20))
	f.Add(bytes.Repeat([]byte{0, 0, 9, 1, 2, 3, 13, 200, 1, 0, 0}, 20))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) <= 4096 {
			drive(t, in)
		}
	})
}

// TestStepAtRandom drives many tunnels by random octets, and looks whether
// they came far enough for that to mean something.
func TestStepAtRandom(t *testing.T) {
	var received, sent MessageCounts
	for seed := range uint64(1000) {
		in := make([]byte, 2000)
		_, _ = newSeeded(seed).Read(in)
		s := drive(t, in).Stats()
		for mt := range received {
			received[mt] += s.Received[mt]
			sent[mt] += s.Sent[mt]
		}
	}
	for _, m := range full() {
		if m.Type() == TypeWEN {
			sent[TypeWEN]++ // needs the rarest of luck; a transcript sends one
		}
		if received[m.Type()] == 0 || sent[m.Type()] == 0 {
			t.Errorf("%v: %d received, %d sent", m.Type(), received[m.Type()], sent[m.Type()])
		}
	}
}

// establish lets the tunnel be established, unless it challenges.
func (d *driver) establish() {
	sccrp := full()[1].(*SCCRP)
	sccrp.Challenge = nil
	for i, m := range []Message{sccrp, &SCCCN{}} {
		if !d.tunnel.initiator {
			m = []Message{sccrqOf("peer"), &SCCCN{}}[i]
		} else if i > 0 {
			return
		}
		b := appendControl(nil, 9, 0, uint16(i), d.tunnel.Stats().Ns, AppendMessage(nil, m))
		d.tunnel.Step(d.now, MessageReceived{b})
	}
}

// drive runs a tunnel by in to its end, restoring it at every step.
func drive(t *testing.T, in []byte) *Tunnel {
	t.Helper()
	d := &driver{t: t, now: start, in: in}
	k := d.octet()
	d.cfg = &Config{HostName: "h", Rand: &counting{}, HelloInterval: 20 * time.Second,
		BearerCapabilities: 3, UseTieBreaker: k&8 != 0}
	if k&2 != 0 {
		d.cfg.Secret, d.cfg.HideAVPs, d.cfg.ChallengePeer = "s", true, k&4 != 0
	}
	if d.tunnel = Respond(d.cfg, 9); k&1 != 0 {
		d.tunnel = Initiate(d.cfg, 9)
		d.tunnel.Step(d.now, Open{})
	}
	if k&16 != 0 {
		d.establish()
	}
	for len(d.in) > 0 {
		d.step()
		s := d.tunnel.Snapshot(d.now)
		back, err := Restore(d.cfg, d.now, s)
		if err != nil {
			t.Fatal(err)
		}
		if again := back.Snapshot(d.now); !reflect.DeepEqual(s, again) {
			t.Fatalf("snapshot %+v restored is %+v", s, again)
		}
	}
	return d.tunnel
}
