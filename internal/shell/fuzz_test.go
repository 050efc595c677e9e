package shell

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// FuzzComplete: whatever was typed, completion neither fails nor takes anything
// away, and a line that is completed is taken to pieces as before, but for its end.
func FuzzComplete(f *testing.F) {
	for _, seed := range []string{
		"", "tun", "tunnel profile modify profile_name=", "system modify trace_flags=protocol,f",
		"user list | ma", "show tunnel ", `user create user_name="a b`, "watch 5 user li", "a;b # c",
		"debug modify app pro", "config import xl2tpd /etc/", "user show user_name='x", "| match ( ",
		"session show tunnel_name=t session_name=", "unset system ", "exit=", "=", "\"", "conf t",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if !utf8.ValidString(line) || strings.Contains(line, "\x00") {
			return
		}
		s := offline()
		began := time.Now()
		c := s.completing(line)
		if d := time.Since(began); d > 500*time.Millisecond {
			t.Fatalf("%q takes %v", line, d)
		}
		for _, o := range c.candidates {
			if !strings.HasPrefix(strings.ToLower(o.text), strings.ToLower(c.last.typed())) {
				t.Fatalf("%q: candidate %q does not go on from what was typed", line, o.text)
			}
		}
		text := c.insertion()
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\n;") {
			t.Fatalf("%q: TAB adds %q", line, text)
		}
		before, after := scanLine(line), scanLine(line+text)
		if len(after.words) < len(before.words) ||
			!slices.Equal(after.words[:len(before.words)], before.words) {
			t.Fatalf("%q: TAB adds %q, which changes what was there", line, text)
		}
		_, _ = withoutSecrets(line), inPattern(c.scan)
	})
}

// offline is a shell that knows a few objects and can ask no daemon.
func offline() *Shell {
	s := &Shell{Server: Server{Host: "nowhere", Cert: "none", Key: "none"}, Output: "table"}
	s.values = cache{map[*schema.Kind][]proto.Message{}, map[*schema.Kind]time.Time{}}
	for _, k := range schema.Kinds() {
		s.values.at[k] = time.Now().Add(time.Hour)
	}
	s.values.objects[schema.KindNamed("user")] = []proto.Message{
		&api.User{UserName: new("alice")}, &api.User{UserName: new("a b")},
		&api.User{UserName: new(`a"b`)}, &api.User{UserName: new("it's")}}
	s.values.objects[schema.KindNamed("session")] = []proto.Message{
		&api.Session{TunnelName: new("t"), TunnelId: new(uint32(1)), SessionId: new(uint32(7))}}
	return s
}

// FuzzFilters: a filter that is accepted passes lines that it was given, and
// never fails.
func FuzzFilters(f *testing.F) {
	for _, seed := range []string{
		"x | match a", "x | exclude ^b | count", "x|count", "x | begin", `x | match "a b" | json`,
		"x |match a|b", "x | save", "x | match (", "|", "| |", "x | no | y",
	} {
		f.Add(seed, "alpha\nbeta\n\ngamma")
	}
	f.Fuzz(func(t *testing.T, line, text string) {
		commands, err := schema.Lex(line)
		if err != nil || len(commands) == 0 {
			return
		}
		words, filters, err := splitFilters(commands[0])
		if err != nil {
			return
		}
		if slices.ContainsFunc(words, isPipe) {
			t.Fatalf("%q: a filter is left in the command", line)
		}
		filters = slices.DeleteFunc(filters, func(f filter) bool { return f.name == "save" || f.name == "count" })
		var b bytes.Buffer
		s := &Shell{out: &b}
		finish := s.pipe(filters)
		if _, err := s.out.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := finish(nil); err != nil {
			t.Fatal(err)
		}
		given := strings.Split(text, "\n")
		for got := range strings.SplitSeq(strings.TrimSuffix(b.String(), "\n"), "\n") {
			i := slices.Index(given, got)
			if i < 0 && got != "" {
				t.Fatalf("%q: the line %q comes from nowhere", line, got)
			}
			given = given[i+1:]
		}
	})
}
