package ppp

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what transcripts yield into testdata")

// TestTranscripts runs the scripts in testdata. A case is a paragraph of commands, a line
// of dashes, and what comes out of the last of them all; cases of one file share a link.
//
// Commands:
//
//	config KEY=VALUE...     begin a new link
//	up, down, close [WHY]   what happens under and above
//	wait DURATION           time passes; every deadline on the way is met
//	recv PROTO CODE ID [OPTION=VALUE...] [text=...] [data=HEX]
//	frame HEX[+ZEROS]       any frame
//	ack|nak|reject PROTO [OPTION=VALUE...]   answer the last Configure-Request
//	response|identity ...   see authCommand
//	verify PASSWORD         answer Authenticate by that password
//	grant [KEY=ADDR...], nogrant
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, f := range files {
		if strings.HasSuffix(f, "rfc1661-4.1.txt") {
			continue
		}
		ran++
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { runFile(t, f) })
	}
	if ran < 10 {
		t.Errorf("%d transcripts found, want 10 and more", ran)
	}
}

func runFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t}
	var out strings.Builder
	for i, para := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		if i > 0 {
			out.WriteString("\n")
		}
		in, want, script := strings.Cut(para+"\n", "----\n")
		if !script { // a comment
			out.WriteString(para + "\n")
			continue
		}
		s.out.Reset()
		for line := range strings.Lines(in) {
			s.command(strings.TrimSpace(line))
		}
		got := s.out.String()
		fmt.Fprintf(&out, "%s----\n%s", in, got)
		if strings.TrimSpace(got) != strings.TrimSpace(want) && !*update {
			t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", file, in, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type script struct {
	t        *testing.T
	link     *Link
	cfg      *Config
	now      time.Time
	out      strings.Builder
	last     map[Protocol]packet // the last packet that was sent
	question Authenticate
}

func (s *script) command(line string) {
	word, rest, _ := strings.Cut(line, " ")
	args := strings.Fields(rest)
	switch word {
	case "", "#":
	case "config":
		s.configure(args)
	case "up":
		s.step(LowerUp{})
	case "proxy":
		s.step(LowerUp{Proxy: s.proxy(args)})
	case "down":
		s.step(LowerDown{})
	case "close":
		s.step(CloseRequested{Reason: rest})
	case "wait":
		s.wait(rest)
	case "frame":
		b, zeros, _ := strings.Cut(rest, "+")
		s.step(FrameReceived{Frame: append(s.hex(b), make([]byte, s.number("0"+zeros, 10, 16))...)})
	case "recv":
		s.receive(args)
	case "ack", "nak", "reject":
		s.reply(word, args)
	case "verify":
		v := Verify(s.question.Credentials, Secret(rest))
		s.step(Authenticated{Verdict: v, Serial: s.question.Serial})
	case "stale":
		s.step(Authenticated{Verdict: Verdict{OK: true}, Serial: s.question.Serial - 1})
	case "grant":
		s.step(AddressesGranted{Addresses: s.addresses(args)})
	case "nogrant":
		s.step(AddressesRefused{Reason: rest})
	case "state":
		a, b, c := s.link.States()
		fmt.Fprintf(&s.out, "%v lcp=%v ipcp=%v ipv6cp=%v\n", s.link.Phase(), a, b, c)
	default:
		if !s.authCommand(word, args) {
			s.t.Fatalf("unknown command %q", line)
		}
	}
}

// authCommand makes what a peer would answer to the last challenge: response USER PASSWORD
// for CHAP, md5 USER PASSWORD and identity USER for EAP, pap ID USER PASSWORD.
func (s *script) authCommand(word string, args []string) bool {
	var p packet
	proto := ProtocolCHAP
	switch word {
	case "response":
		p = s.chapResponse(args[0], Secret(args[1]))
	case "pap":
		proto = ProtocolPAP
		p = packet{papRequest, s.byte(args[0]), appendCounted(appendCounted(nil, args[1]), args[2])}
	case "identity":
		proto = ProtocolEAP
		p = packet{eapResponse, s.last[proto].id, append([]byte{eapIdentity}, args[0]...)}
	case "md5":
		proto = ProtocolEAP
		q := s.last[proto]
		challenge, _, _ := cutCounted(q.data[1:])
		v := chapMD5(q.id, Secret(args[1]), challenge)
		p = packet{eapResponse, q.id, append(appendCounted([]byte{eapMD5}, string(v)), args[0]...)}
	default:
		return false
	}
	s.frame(proto, p)
	return true
}

func (s *script) chapResponse(user string, password Secret) packet {
	q := s.last[ProtocolCHAP]
	challenge, _, ok := cutCounted(q.data)
	if !ok {
		s.t.Fatalf("no challenge to respond to")
	}
	peer := &Link{cfg: &Config{User: user, Password: password, Rand: seeded(9)}}
	v, _ := peer.respond(s.link.state.PeerAuth.Method, q.id, challenge)
	return packet{chapResponse, q.id, append(appendCounted(nil, string(v)), user...)}
}

var methodWords = map[string]AuthMethod{
	"pap": PAP, "chap": CHAPMD5, "mschap": MSCHAPv1, "mschapv2": MSCHAPv2, "eap": EAP,
}

func (s *script) methods(v string) []AuthMethod {
	var ms []AuthMethod
	for w := range strings.SplitSeq(v, ",") {
		m, ok := methodWords[w]
		if !ok {
			s.t.Fatalf("unknown method %q", w)
		}
		ms = append(ms, m)
	}
	return ms
}

func (s *script) configure(args []string) {
	cfg := &Config{
		Rand: seeded(1), LocalName: "lns", User: "alice", Password: "wonderland",
	}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "peer":
			cfg.AuthPeer = s.methods(v)
		case "local":
			cfg.AuthLocal = s.methods(v)
		case "mru":
			cfg.MRU = uint16(s.number(v, 10, 16))
		case "passive":
			cfg.Passive = true
		case "nomagic":
			cfg.NoMagic = true
		case "noipv4":
			cfg.NoIPv4 = true
		case "ipv6":
			cfg.IPv6 = true
		case "dns":
			cfg.RequestDNS = true
		case "echo":
			cfg.EchoInterval = s.duration(v)
		case "rechallenge":
			cfg.Rechallenge = s.duration(v)
		case "accm":
			cfg.ACCM = uint32(s.number(v, 16, 32))
		case "noaccm":
			cfg.NoACCM = true
		case "papinterval":
			cfg.PAPInterval = s.duration(v)
		case "papattempts":
			cfg.PAPAttempts = int(s.number(v, 10, 16))
		case "paptimeout":
			cfg.PAPTimeout = s.duration(v)
		default:
			limits := &cfg.LCP
			word, ncp := strings.CutPrefix(k, "ncp-")
			if ncp {
				limits = &cfg.NCP
			}
			if !s.limit(limits, word, v) {
				s.t.Fatalf("unknown setting %q", a)
			}
		}
	}
	s.link, s.cfg, s.now, s.last = NewLink(cfg), cfg, epoch, map[Protocol]packet{}
}

// limit sets a timer or counter; it tells whether it knew it.
func (s *script) limit(l *Limits, word, v string) bool {
	switch word {
	case "restart":
		l.RestartInterval = s.duration(v)
	case "maxconfigure":
		l.MaxConfigure = int(s.number(v, 10, 16))
	case "maxterminate":
		l.MaxTerminate = int(s.number(v, 10, 16))
	case "maxfailure":
		l.MaxFailure = int(s.number(v, 10, 16))
	default:
		return false
	}
	return true
}

func (s *script) step(ev Event) {
	s.t.Helper()
	for _, a := range s.link.Step(s.now, ev) {
		fmt.Fprintln(&s.out, a)
		switch a := a.(type) {
		case SendFrame:
			proto, info, err := ParseFrame(a.Frame)
			if err != nil {
				s.t.Fatal(err)
			}
			p, err := parsePacket(info)
			if err != nil {
				s.t.Fatal(err)
			}
			if p.code == configureRequest { // or a CHAP Challenge, or an EAP Request
				s.last[proto] = p
			}
		case Authenticate:
			s.question = a
		}
	}
}

func (s *script) wait(v string) {
	until := s.now.Add(s.duration(v))
	for {
		d := s.link.Deadline()
		if d.IsZero() || d.After(until) {
			break
		}
		if d.After(s.now) {
			fmt.Fprintf(&s.out, "+%v\n", d.Sub(epoch))
		}
		s.now = d
		s.step(Tick{})
	}
	s.now = until
}

func (s *script) proxy(args []string) *Proxy {
	p := &Proxy{}
	side := &p.LastSentConfReq
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "received":
			side = &p.LastReceivedConfReq
		case "sent":
			side = &p.LastSentConfReq
		case "papuser":
			user, password, _ := strings.Cut(v, ":")
			p.Credentials = &Credentials{Method: PAP, Name: user, ID: 7, Response: []byte(password)}
		case "chapuser":
			user, password, _ := strings.Cut(v, ":")
			p.Credentials = &Credentials{
				Method: CHAPMD5, Name: user, ID: 7, Challenge: []byte("0123456789abcdef"),
				Response: chapMD5(7, Secret(password), []byte("0123456789abcdef")),
			}
		default:
			*side = append(*side, s.options(ProtocolLCP, []string{a})...)
		}
	}
	return p
}

var protocolWords = map[string]Protocol{
	"lcp": ProtocolLCP, "ipcp": ProtocolIPCP, "ipv6cp": ProtocolIPv6CP, "ccp": ProtocolCCP,
	"pap": ProtocolPAP, "chap": ProtocolCHAP, "eap": ProtocolEAP, "ipv4": ProtocolIPv4,
}

func (s *script) protocol(w string) Protocol {
	p, ok := protocolWords[w]
	if !ok {
		s.t.Fatalf("unknown protocol %q", w)
	}
	return p
}

// receive is recv PROTO CODE ID ...; the code by name or number.
func (s *script) receive(args []string) {
	proto := s.protocol(args[0])
	c := code(0)
	for i := range 16 {
		if strings.EqualFold(codeText(proto, code(i)), args[1]) {
			c = code(i)
		}
	}
	if c == 0 {
		c = code(s.byte(args[1]))
	}
	s.frame(proto, packet{c, s.byte(args[2]), s.options(proto, args[3:])})
}

// reply answers the last Configure-Request: ack verbatim, nak and reject with options.
func (s *script) reply(word string, args []string) {
	proto := s.protocol(args[0])
	p := packet{configureAck, s.last[proto].id, s.last[proto].data}
	if word != "ack" {
		p.code, p.data = configureNak, s.options(proto, args[1:])
	}
	if word == "reject" {
		p.code = configureReject
	}
	s.frame(proto, p)
}

func (s *script) frame(proto Protocol, p packet) {
	s.step(FrameReceived{Frame: AppendFrame(nil, proto, appendPacket(nil, p))})
}

var optionWords = map[Protocol]map[string]uint8{
	ProtocolLCP: {
		"mru": optMRU, "accm": optACCM, "auth": optAuth, "magic": optMagic, "pfc": optPFC,
		"acfc": optACFC, "endpoint": optEndpoint, "callback": 13, "mrru": 17, "quality": 4,
	},
	ProtocolIPCP: {
		"addrs": 1, "vj": 2, "addr": optAddress, "dns1": optPrimaryDNS, "dns2": optSecondaryDNS,
		"wins1": optPrimaryWINS, "wins2": optSecondaryWINS,
	},
	ProtocolIPv6CP: {"id": optInterfaceID},
	ProtocolCCP:    {"mppe": 18},
}

func (s *script) options(proto Protocol, args []string) []byte {
	b := []byte{}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "data":
			b = append(b, s.hex(v)...)
		case "text":
			b = append(b, strings.ReplaceAll(v, "_", " ")...)
		default:
			kind, ok := optionWords[proto][k]
			if !ok {
				s.t.Fatalf("unknown option %q", a)
			}
			b = appendOption(b, kind, s.value(k, v))
		}
	}
	return b
}

func (s *script) value(k, v string) []byte {
	if m, ok := methodWords[v]; ok {
		return m.option()
	}
	if a, err := netip.ParseAddr(v); err == nil {
		return a.AsSlice()
	}
	if k == "mru" {
		n := s.number(v, 10, 16)
		return []byte{byte(n >> 8), byte(n)}
	}
	return s.hex(v)
}

func (s *script) addresses(args []string) Addresses {
	var a Addresses
	for _, arg := range args {
		k, v, _ := strings.Cut(arg, "=")
		switch k {
		case "local":
			a.Local = netip.MustParseAddr(v)
		case "peer":
			a.Peer = netip.MustParseAddr(v)
		case "dns":
			a.DNS[0] = netip.MustParseAddr(v)
		case "dns2":
			a.DNS[1] = netip.MustParseAddr(v)
		case "wins":
			a.WINS[0] = netip.MustParseAddr(v)
		case "local-id":
			a.LocalInterfaceID = s.number(v, 16, 64)
		case "peer-id":
			a.PeerInterfaceID = s.number(v, 16, 64)
		default:
			s.t.Fatalf("unknown address %q", arg)
		}
	}
	return a
}

func (s *script) hex(v string) []byte {
	b, err := hex.DecodeString(v)
	if err != nil {
		s.t.Fatalf("%q: %v", v, err)
	}
	return b
}

func (s *script) byte(v string) uint8 { return uint8(s.number(v, 10, 8)) }

func (s *script) number(v string, base, bits int) uint64 {
	n, err := strconv.ParseUint(v, base, bits)
	if err != nil {
		s.t.Fatalf("%q: %v", v, err)
	}
	return n
}

func (s *script) duration(v string) time.Duration {
	d, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatalf("%q: %v", v, err)
	}
	return d
}
