package ppp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// captures are PPP frames of real peers, by the name of their file: the
// program, its role, the protocol and the code of the packet.
func captures(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/captures/*.bin")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no captures: %v", err)
	}
	frames := make(map[string][]byte)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		frames[strings.TrimSuffix(filepath.Base(file), ".bin")] = b
	}
	return frames
}

// TestCaptures: what real peers send is a frame of the protocol that its name says.
func TestCaptures(t *testing.T) {
	protocols := map[string]Protocol{
		"lcp": ProtocolLCP, "chap": ProtocolCHAP, "pap": ProtocolPAP,
		"ipcp": ProtocolIPCP, "ipv6cp": ProtocolIPv6CP,
	}
	for name, b := range captures(t) {
		words := strings.Split(name, "-")
		want, ok := protocols[words[len(words)-2]]
		if !ok {
			t.Errorf("%s: the name says no protocol", name)
		}
		got, info, err := ParseFrame(b)
		if err != nil || got != want {
			t.Errorf("%s: protocol %v, %v, want %v", name, got, err, want)
			continue
		}
		checkSameFrame(t, got, info)
		checkPacket(t, info)
	}
}
