package keeper

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var messages = []struct {
	text string
	m    message
}{
	{"\x01\x01", message{op: opHello, version: 1}},
	{"\x02\x08tunnel/7", message{op: opKeep, keys: []string{"tunnel/7"}}},
	{"\x03\x00\x00\x01\x02\x01a\x02bc", message{op: opDrop, sequence: 258, keys: []string{"a", "bc"}}},
	{"\x04", message{op: opList}},
	{"\x05\x02\x01a\x00\x02bc", message{op: opKept, keys: []string{"a", "bc"}, counts: []uint8{2, 0}}},
	{"\x06", message{op: opEnd}},
	{"\x07\x00\x00\x00\x09", message{op: opDropped, sequence: 9}},
	{"\x08", message{op: opFull}},
}

// TestMessages: these bytes never change, as keeper and client are not replaced at once.
func TestMessages(t *testing.T) {
	for _, c := range messages {
		if got := string(c.m.append(nil)); got != c.text {
			t.Errorf("%+v is %q, want %q", c.m, got, c.text)
		}
		if m, err := parse([]byte(c.text)); err != nil || !reflect.DeepEqual(m, c.m) {
			t.Errorf("%q is %+v, %v, want %+v", c.text, m, err, c.m)
		}
	}
}

func TestNoMessages(t *testing.T) {
	for text, want := range map[string]error{
		"":                     errShort,
		"\x01":                 errShort,
		"\x01\x01\x01":         errLong,
		"\x02":                 errShort,
		"\x02\x00":             errKey,
		"\x02\x05abc":          errShort,
		"\x02\x01ab":           errLong,
		"\x03\x00\x00\x00":     errShort,
		"\x03\x00\x00\x00\x01": errNoKeys,
		"\x04\x00":             errLong,
		"\x05":                 errNoKeys,
		"\x05\x01":             errShort,
	} {
		if m, err := parse([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%q is %+v, %v, want %v", text, m, err, want)
		}
	}
	for _, text := range []string{"\x00", "\x09", "GET / HTTP/1.1"} {
		if m, err := parse([]byte(text)); err == nil {
			t.Errorf("%q is %+v, want an error", text, m)
		}
	}
}

// FuzzParse: what is a message is the same when it is appended again.
func FuzzParse(f *testing.F) {
	for _, c := range messages {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		if got := m.append(nil); !bytes.Equal(got, b) {
			t.Errorf("% x became % x", b, got)
		}
	})
}

func TestDropMessages(t *testing.T) {
	key := strings.Repeat("k", maxKey)
	var keys []string
	for range 1000 {
		keys = append(keys, key)
	}
	n := 0
	for _, m := range dropMessages(keys) {
		n += len(m.keys)
		if size := len(m.append(nil)); size > maxMessage {
			t.Errorf("a message of %d bytes, want at most %d", size, maxMessage)
		}
	}
	if n != len(keys) {
		t.Errorf("%d keys, want %d", n, len(keys))
	}
}
