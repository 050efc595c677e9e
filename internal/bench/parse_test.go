package bench

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPatterns(t *testing.T) {
	tests := []struct {
		text string
		n    int
		want string
	}{
		{"user%d", 7, "user7"}, {"user%05d@isp", 42, "user00042@isp"}, {"%3dx", 5, "  5x"},
		{"same", 9, "same"}, {"100%%", 1, "100%"}, {"%d%%", 5, "5%"}, {"", 1, ""},
	}
	for _, test := range tests {
		p, err := ParsePattern(test.text)
		if err != nil {
			t.Errorf("ParsePattern(%q): %v", test.text, err)
			continue
		}
		same(t, test.text, p.For(test.n), test.want)
		same(t, test.text+" has a number", p.HasNumber(), p.For(1) != p.For(2))
	}
	for _, bad := range []string{"%s", "%", "a%d-%d", "%x", "%-3d", "%100d", "%%%"} {
		if p, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) = %q, want an error", bad, p)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"user%d", "%05d%%", "%", "%%d", "%s"} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		p, err := ParsePattern(text)
		if err != nil {
			return
		}
		got := p.For(n)
		if strings.Contains(got, "%!") && !strings.Contains(text, "!") {
			t.Errorf("Pattern(%q).For(%d) = %q", text, n, got)
		}
		if p.HasNumber() != (p.For(1) != p.For(2)) {
			t.Errorf("Pattern(%q).HasNumber() = %v", text, p.HasNumber())
		}
	})
}

func TestSources(t *testing.T) {
	tests := []struct{ text, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1, 192.0.2.9", "192.0.2.1 192.0.2.9"},
		{"192.0.2.254-192.0.3.1", "192.0.2.254 192.0.2.255 192.0.3.0 192.0.3.1"},
		{"192.0.2.5/30", "192.0.2.4 192.0.2.5 192.0.2.6 192.0.2.7"},
		{"2001:db8::1-2001:db8::2,2001:db8::9", "2001:db8::1 2001:db8::2 2001:db8::9"},
	}
	for _, test := range tests {
		got, err := ParseSources(test.text)
		if text := strings.Trim(fmt.Sprint(got), "[]"); err != nil || text != test.want {
			t.Errorf("ParseSources(%q) = %v, %v, want %s", test.text, text, err, test.want)
		}
	}
	for _, bad := range []string{"", "x", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "10.0.0.0/8", "192.0.2.1,", "0.0.0.0-255.255.255.255"} {
		if got, err := ParseSources(bad); err == nil {
			t.Errorf("ParseSources(%q) gives %d addresses, want an error", bad, len(got))
		}
	}
}

func FuzzSources(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "192.0.2.0/24", "::1-::9", "255.255.255.255/32", "ffff::/120"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseSources(text)
		if err != nil {
			return
		}
		if len(all) == 0 || len(all) > maxSources {
			t.Errorf("%d addresses", len(all))
		}
		for _, a := range all {
			if !a.IsValid() {
				t.Errorf("ParseSources(%q) has an address that is none", text)
			}
		}
	})
}

// TestPackets: what an echoing host makes of a packet of ours is known again, and its
// checksums are right.
func TestPackets(t *testing.T) {
	for _, kind := range []TrafficKind{ICMPEcho, UDPEcho} {
		sent := packet{
			kind:   kind,
			source: netip.MustParseAddrPort("10.9.0.2:49152"), target: netip.MustParseAddrPort("10.9.0.1:7"),
			probe: probe{tag: 5, session: 70000, sequence: 80000, sent: 3 * time.Second},
		}
		b := sent.append(nil, 101)
		if string(b[:2]) != "\x00\x21" || len(b) != 2+101 {
			t.Fatalf("%s: the frame begins with %x and has %d bytes", kind, b[:2], len(b))
		}
		ip := b[2:]
		same(t, "IP checksum", checksum(ip[:20]), 0)
		if kind == ICMPEcho {
			same(t, "ICMP checksum", checksum(ip[20:]), 0)
			if _, ok := parseProbe(ip); ok {
				t.Error("a request is taken for a reply")
			}
			ip[20] = icmpEchoReply
		}
		got, ok := parseProbe(ip)
		if !ok || got != sent.probe {
			t.Errorf("%s: parseProbe = %+v, %v, want %+v", kind, got, ok, sent.probe)
		}
	}
}

func FuzzProbe(f *testing.F) {
	p := packet{kind: UDPEcho, source: lnsAddr, target: lnsAddr, probe: probe{1, 2, 3, 4}}
	f.Add(p.append(nil, minPacket)[2:])
	f.Add([]byte{0x4f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := parseProbe(b); ok {
			var out [probeSize]byte
			got.put(out[:])
			if !strings.Contains(string(b), string(out[:])) {
				t.Errorf("%x is read as %+v", b, got)
			}
		}
	})
}

func TestFlowKnowsCopies(t *testing.T) {
	var f flow
	for _, step := range []struct {
		sequence uint32
		isNew    bool
	}{{0, true}, {0, false}, {2, true}, {1, true}, {1, false}, {70, true}, {2, false}, {7, true}, {7, false}, {6, false}, {200, true}, {199, true}} {
		same(t, fmt.Sprint("packet ", step.sequence), f.isNew(step.sequence), step.isNew)
	}
}

// TestFlowsAreSpread: the sample has as many sessions as asked for.
func TestFlowsAreSpread(t *testing.T) {
	for _, test := range [][2]int{{5, 20}, {1, 1}, {7, 100}, {100, 100}, {0, 10}} {
		traffic, n, last := Traffic{Sessions: test[0]}, 0, 0
		for i := range test[1] {
			if traffic.flow(i, test[1]) == nil {
				continue
			}
			if gap := i - last; n > 0 && gap > 2*test[1]/test[0] {
				t.Errorf("%v: a gap of %d", test, gap)
			}
			n, last = n+1, i
		}
		same(t, fmt.Sprint("flows of ", test), n, test[0])
	}
}

func TestTimelineHalves(t *testing.T) {
	line := newTimeline()
	total := uint64(0)
	for i := range 3*maxPoints + 1 {
		line.now.Up++
		line.setUp(time.Duration(i) * time.Millisecond)
		total++
		line.advance(time.Duration(i+1)*time.Second, i, 1)
	}
	if n := len(line.points); n > maxPoints || n < maxPoints/2 {
		t.Errorf("%d points, want at most %d", n, maxPoints)
	}
	got, at := line.now.Up, 0.0
	for _, p := range line.points {
		got += p.Up
		same(t, "begin", p.At, at)
		at += line.interval.Seconds()
		if p.Mean > p.Max || p.Mean == 0 {
			t.Errorf("at %v: mean %v, max %v", p.At, p.Mean, p.Max)
		}
	}
	same(t, "sessions", got, total)
}

func TestCausesAreBounded(t *testing.T) {
	c := causes{}
	for i := range 10 * maxCauses {
		c.add(PhaseCall, cause{text: fmt.Sprint("cause ", i)})
	}
	all, n := c.sorted(), uint64(0)
	for _, f := range all {
		n += f.Count
	}
	same(t, "ends", n, 10*maxCauses)
	same(t, "the first", all[0].Cause, "other")
	if len(all) > maxCauses+int(numPhases)+1 {
		t.Errorf("%d causes", len(all))
	}
}

func TestFIFO(t *testing.T) {
	var f fifo[int]
	next := 0
	for i := range 1000 {
		f.push(i)
		if i%3 != 0 {
			v, ok := f.pop()
			if !ok || v != next {
				t.Fatalf("pop = %d, %v, want %d", v, ok, next)
			}
			next++
		}
		same(t, "length", f.len(), i+1-next)
	}
	if c := cap(f.items); c > 2000 {
		t.Errorf("room for %d", c)
	}
}

func TestConfigsThatAreWrong(t *testing.T) {
	tests := map[string]func(c *Config){
		"no target":         func(c *Config) { c.Target = netip.AddrPort{} },
		"no tunnels":        func(c *Config) { c.Tunnels = 0 },
		"too many tunnels":  func(c *Config) { c.Tunnels = MaxTunnels + 1 },
		"too many sessions": func(c *Config) { c.Sessions = 66000 },
		"negative rate":     func(c *Config) { c.Rate = -1 },
		"negative hold":     func(c *Config) { c.Hold = -1 },
		"other family":      func(c *Config) { c.Sources = []netip.Addr{netip.IPv6Loopback()} },
		"challenge":         func(c *Config) { c.Secret = "" },
		"ending":            func(c *Config) { c.End = "bang" },
		"flows":             func(c *Config) { c.Traffic.Sessions = 11 },
		"kind":              func(c *Config) { c.Traffic = Traffic{Sessions: 1, Kind: "tcp"} },
		"small packets":     func(c *Config) { c.Traffic = Traffic{Sessions: 1, Size: 40} },
	}
	for name, breaks := range tests {
		cfg := load(1, 10)
		if err := cfg.Complete(); err != nil {
			t.Fatal(err)
		}
		breaks(cfg)
		if err := cfg.Complete(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
