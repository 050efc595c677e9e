package ppp

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte{0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 8, 1, 4, 5, 0xdc})
	f.Add([]byte{0xc0, 0x23, 1, 7, 0, 12, 3, 'b', 'o', 'b', 3, 'x', 'y', 'z'})
	f.Add([]byte{0x21, 0x45, 0, 0})
	f.Add([]byte{0x80, 0x21, 1, 1, 0, 10, 3, 6, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0xff, 0x03})
	for _, b := range captures(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Describe(b)
		proto, info, err := ParseFrame(b)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(b, info) {
			t.Fatalf("information %x is not the end of %x", info, b)
		}
		if proto > 0xff && proto>>8&1 == 0 {
			checkSameFrame(t, proto, info)
		}
		checkPacket(t, info)
	})
}

func checkSameFrame(t *testing.T, proto Protocol, info []byte) {
	t.Helper()
	p, i, err := ParseFrame(AppendFrame(nil, proto, info))
	if err != nil || p != proto || !bytes.Equal(i, info) {
		t.Fatalf("appended and parsed: %v %x %v, want %v %x", p, i, err, proto, info)
	}
}

func checkPacket(t *testing.T, info []byte) {
	t.Helper()
	p, err := parsePacket(info)
	if err != nil {
		return
	}
	if again := appendPacket(nil, p); !bytes.HasPrefix(info, again) {
		t.Fatalf("packet %x appended is %x", info, again)
	}
	if !wellFormed(p.data) {
		return
	}
	var again []byte
	for o := range options(p.data) {
		again = appendOption(again, o.kind, o.value)
	}
	if !bytes.Equal(again, p.data) || !isPart(again, p.data) {
		t.Fatalf("options %x appended are %x", p.data, again)
	}
}

// FuzzStep feeds a link with events that are made of bytes, and frames that often
// answer its own last one.
func FuzzStep(f *testing.F) {
	f.Add(byte(0), []byte{0})
	f.Add(byte(0x1f), []byte("\x00\x02\x08\xc0\x21\x01\x01\x00\x04\x01\x03\x05\x04\x01\x06\x01"))
	f.Add(byte(0xff), []byte("\x00\x03\x03\x03\x03\x01\x01\x05\x06\x03\x03\x07\x01"))
	// To the opened link with IPv4: without authentication, and with PAP.
	f.Add(byte(0x00), []byte("\x00\x03\x00\x04\x00\x01\x01\x00\x06\x03\x00"+
		"\x04\x01\x01\x01\x06\x03\x06\x0a\x00\x00\x07\x01\xff\x01\xff\x03\x01\x09"))
	f.Add(byte(0x04), []byte("\x00\x03\x00\x04\x00\x01\x01\x00\x04\x04\x01\x05\x06\x02hi\x02yo"+
		"\x05\x01\x0001234\x06\x03\x00\x04\x01\x01\x01\x06\x03\x06\x0a\x00\x00\x07"+
		"\x04\x00\x08\x01\x02\x80\x21\x04\x00\x05\x01\x00"))
	for _, script := range conversations(f) {
		for _, shape := range []byte{0x00, 0x01, 0x05, 0x0d, 0x1d, 0x3f} {
			f.Add(shape, script)
		}
	}
	f.Fuzz(func(t *testing.T, shape byte, script []byte) {
		s := stepper{t: t, link: NewLink(fuzzConfig(shape)), now: epoch, script: script}
		for len(s.script) > 0 {
			s.step(s.event())
		}
		s.step(CloseRequested{})
		for range 2000 {
			d := s.link.Deadline()
			if d.IsZero() {
				break
			}
			s.now = d
			s.step(Tick{})
		}
		if !s.finished {
			t.Fatal("closed, and never finished")
		}
	})
}

// conversations are scripts of what real peers send, each of their frames followed by
// an answer to ours, a verdict and addresses.
func conversations(f *testing.F) map[string][]byte {
	scripts := make(map[string][]byte)
	frames := captures(f)
	for _, name := range slices.Sorted(maps.Keys(frames)) {
		words := strings.SplitN(name, "-", 3)
		peer, frame := words[0]+"-"+words[1], frames[name]
		if len(frame) > 255 {
			continue
		}
		script := scripts[peer]
		if script == nil {
			script = []byte{0, 3, 0} // up, and our request acknowledged
		}
		script = append(append(script, 2, byte(len(frame))), frame...)
		scripts[peer] = append(script, 3, 0, 5, 1, 0, 6, 1, 40)
	}
	return scripts
}

func fuzzConfig(shape byte) *Config {
	cfg := &Config{
		User: "alice", Password: "wonderland", Rand: seeded(uint64(shape)),
		IPv6: shape&1 != 0, RequestDNS: shape&2 != 0, NoMagic: shape&0x40 != 0,
		Passive: shape&0x80 != 0, EchoInterval: 30 * time.Second, Rechallenge: time.Minute,
		NoACCM: shape&0x42 == 0x42, PAPInterval: 2 * time.Second, PAPTimeout: 90 * time.Second,
		NCP: Limits{RestartInterval: time.Second, MaxConfigure: 4, MaxTerminate: 4, MaxFailure: 2},
	}
	if shape&4 != 0 {
		cfg.AuthPeer = allMethods[shape>>3&3:]
	}
	if shape&32 != 0 {
		cfg.AuthLocal = allMethods
	}
	return cfg
}

type stepper struct {
	t        *testing.T
	link     *Link
	now      time.Time
	script   []byte
	sent     []byte // the last frame that it sent
	finished bool
}

func (s *stepper) take(n int) []byte {
	n = min(n, len(s.script))
	b := s.script[:n]
	s.script = s.script[n:]
	return b
}

func (s *stepper) byte() byte {
	if b := s.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (s *stepper) event() Event {
	switch s.byte() % 10 {
	case 0:
		return LowerUp{}
	case 1:
		s.now = s.now.Add(time.Duration(s.byte()) * 100 * time.Millisecond)
		return Tick{}
	case 2:
		return FrameReceived{Frame: s.take(int(s.byte()))}
	case 3:
		return FrameReceived{Frame: s.reply(s.byte())}
	case 4:
		return FrameReceived{Frame: s.peerFrame()}
	case 5:
		v := Verdict{OK: s.byte()%4 != 0, Message: "m", Continue: s.byte()%8 == 1, EAP: s.take(5)}
		return Authenticated{Verdict: v}
	case 6:
		return AddressesGranted{Addresses: lnsGrant}
	case 7:
		sent, received := s.take(int(s.byte()%32)), s.take(int(s.byte()%32))
		return LowerUp{Proxy: &Proxy{LastSentConfReq: sent, LastReceivedConfReq: received}}
	case 8:
		return AddressesRefused{}
	}
	return CloseRequested{Reason: "fuzz"}
}

// reply makes what was sent last into an answer to it.
func (s *stepper) reply(kind byte) []byte {
	b := bytes.Clone(s.sent)
	if len(b) > 2 {
		b[2] = 2 + kind%3
	}
	return b
}

// peerFrame is a well-formed packet of any protocol and code with any data.
func (s *stepper) peerFrame() []byte {
	protocols := []Protocol{
		ProtocolLCP, ProtocolIPCP, ProtocolIPv6CP, ProtocolCCP, ProtocolPAP, ProtocolCHAP, ProtocolEAP,
	}
	proto := protocols[int(s.byte())%len(protocols)]
	p := packet{code: code(s.byte() % 16), id: s.byte(), data: s.take(int(s.byte() % 64))}
	return AppendFrame(nil, proto, appendPacket(nil, p))
}

func (s *stepper) step(ev Event) {
	s.t.Helper()
	out := s.link.Step(s.now, ev)
	if s.finished && out != nil {
		s.t.Fatalf("after Finished: %v", out)
	}
	if len(out) > 30 {
		s.t.Fatalf("%d actions for %v", len(out), ev)
	}
	if d := s.link.Deadline(); !d.IsZero() && !d.After(s.now) {
		s.t.Fatalf("deadline %v is not after now after %v", d.Sub(s.now), ev)
	}
	for i, a := range out {
		switch a := a.(type) {
		case SendFrame:
			s.checkSent(a.Frame)
		case Finished:
			s.finished = true
			if i != len(out)-1 || a.End.Reason == 0 {
				s.t.Fatalf("finished with %v, then %v", a, out[i+1:])
			}
		}
	}
}

func (s *stepper) checkSent(b []byte) {
	s.t.Helper()
	proto, info, err := ParseFrame(b)
	if err != nil {
		s.t.Fatalf("sent %x: %v", b, err)
	}
	p, err := parsePacket(info)
	if err != nil || int(binary.BigEndian.Uint16(info[2:])) != len(info) {
		s.t.Fatalf("sent %v %x: %v", proto, info, err)
	}
	switch proto {
	case ProtocolLCP, ProtocolIPCP, ProtocolIPv6CP:
		if p.code <= configureReject && !wellFormed(p.data) {
			s.t.Fatalf("sent %v with malformed options %x", proto, p.data)
		}
	}
	if len(info) > 1500 {
		s.t.Fatalf("sent %d bytes", len(info))
	}
	s.sent = b
}
