package l2tp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// captures are control datagrams of real peers, by the name of their file: the
// program, its role and the message.
func captures(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/captures/*.bin")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no captures: %v", err)
	}
	datagrams := make(map[string][]byte)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		datagrams[strings.TrimSuffix(filepath.Base(file), ".bin")] = b
	}
	return datagrams
}

// TestCaptures: what real peers send is read without complaint, as the message
// that it is, and means the same when we write it.
func TestCaptures(t *testing.T) {
	for name, b := range captures(t) {
		h, avps, err := ParseHeader(b)
		if err != nil || !h.Control {
			t.Errorf("%s: header %+v, %v", name, h, err)
			continue
		}
		words := strings.Split(name, "-")
		want := strings.ToUpper(words[len(words)-1])
		if want == "ZLB" {
			if len(avps) != 0 {
				t.Errorf("%s: holds %d octets, want none", name, len(avps))
			}
			continue
		}
		m, err := ParseMessage(avps, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.ToUpper(m.Type().String()); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		once := AppendMessage(nil, m)
		again, err := ParseMessage(once, "")
		if err != nil || !bytes.Equal(once, AppendMessage(nil, again)) {
			t.Errorf("%s became %+v, %v", name, again, err)
		}
	}
}

// TestCapturedSCCRQIsAnswered: xl2tpd's own SCCRQ gets an SCCRP, its challenge answered.
func TestCapturedSCCRQIsAnswered(t *testing.T) {
	tunnel := Respond(&Config{HostName: "lns", Secret: "tea"}, 7)
	actions := tunnel.Step(time.Unix(0, 0), MessageReceived{captures(t)["xl2tpd-lac-sccrq"]})
	for _, a := range actions {
		send, ok := a.(Send)
		if !ok {
			continue
		}
		_, avps, err := ParseHeader(send.Data)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := ParseMessage(avps, ""); err == nil && m.Type() == TypeSCCRP {
			return
		}
	}
	t.Errorf("the answer is %v, want an SCCRP", actions)
}
