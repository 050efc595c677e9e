package config_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"culvert/internal/config"
	"culvert/internal/schema"
	"culvert/internal/schema/schematest"
)

func TestRewrite(t *testing.T) {
	tests := []struct{ name, text, commands, want string }{
		{"nothing", "# a comment\nsystem modify max_tunnels = 5 # five\n\n\n", "", "# a comment\nsystem modify max_tunnels = 5 # five\n\n\n"},
		{"value", "system modify max_tunnels = 5 host_name='a' # five\n",
			"system modify max_tunnels=6 host_name=\"b c\"", "system modify max_tunnels = 6 host_name='b c' # five\n"},
		{"number", "system modify trace_flags=3\n", "system modify trace_flags=7",
			"system modify trace_flags=7\n"},
		{"alias", "tunnel profile modify profile_name=default udp_port=5 framing_cap=any\n",
			"tunnel profile modify profile_name=default our_udp_port=6",
			"tunnel profile modify profile_name=default udp_port=6 framing_cap=any\n"},
		{"added", "system modify \\\n\tmax_tunnels=5 \\\n\n# end\n", "system modify max_sessions=7",
			"system modify \\\n\tmax_tunnels=5 \\\n\tmax_sessions=7 \\\n\n# end\n"},
		{"unset", "system modify max_tunnels=5 max_sessions=7 log_level=warn # why\n", "system unset max_sessions",
			"system modify max_tunnels=5 log_level=warn # why\n"},
		{"nothing left", "# one\n\n# limits\nsystem modify max_tunnels=5\n\n# two\n", "system unset max_tunnels",
			"# one\n\n# two\n"},
		{"last of several", "system modify max_tunnels=5\nsystem modify max_tunnels=6\n",
			"system modify max_tunnels=7", "system modify max_tunnels=5\nsystem modify max_tunnels=7\n"},
		{"added object", "# users\n\nuser create user_name=a user_password=x\n\n# tunnels\n",
			"user create user_name=b user_password='y z'",
			"# users\n\nuser create user_name=a user_password=x\n\nuser create user_name=b \\\n\tuser_password=\"y z\"\n\n# tunnels\n"},
		{"removed object", "# users\n\n# this is a\nuser create user_name=a user_password=x # gone\n\n# this is b\nuser create user_name=b user_password=x\n",
			"user delete user_name=a", "# users\n\n# this is b\nuser create user_name=b user_password=x\n"},
		{"comment of a group", "# users\nuser create user_name=a user_password=x\nuser create user_name=b user_password=x\n",
			"user delete user_name=a", "# users\nuser create user_name=b user_password=x\n"},
		{"in one line", "user create user_name=a user_password=x; user create user_name=b user_password=y # both\n",
			"user delete user_name=b", "user create user_name=a user_password=x # both\n"},
		{"no end of line", "user create user_name=a user_password=x", "user create user_name=b user_password=y",
			"user create user_name=a user_password=x\n\nuser create user_name=b \\\n\tuser_password=y\n"},
		{"unset in the file", "system modify max_tunnels=5\nsystem unset max_tunnels\n# end\n",
			"system modify max_tunnels=6", "\nsystem modify \\\n\tmax_tunnels=6\n\n# end\n"},
		{"deleted in the file", "user create user_name=a user_password=x\nuser delete user_name=a\n",
			"user create user_name=a user_password=y",
			"user create user_name=a user_password=x\nuser delete user_name=a\n\nuser create user_name=a \\\n\tuser_password=y\n"},
		{"renamed in the file", "tunnel create tunnel_name=a tunnel_id=7 dest_ipaddr=::1\nsession create tunnel_name=a user_name=u\ntunnel modify tunnel_id=7 tunnel_name=b\n",
			"system modify max_tunnels=5",
			"tunnel create tunnel_name=a tunnel_id=7 dest_ipaddr=::1\nsession create tunnel_name=a user_name=u\ntunnel modify tunnel_id=7 tunnel_name=b\n\nsystem modify \\\n\tmax_tunnels=5\n"},
		{"nameless", "tunnel create dest_ipaddr=::1 # first\ntunnel create dest_ipaddr=::2 # second\n",
			"system modify max_tunnels=5",
			"tunnel create dest_ipaddr=::1 # first\ntunnel create dest_ipaddr=::2 # second\n\nsystem modify \\\n\tmax_tunnels=5\n"},
		{"lines of Windows", "system modify \\\r\n\tmax_tunnels=5\r\n", "system modify max_sessions=5",
			"system modify \\\r\n\tmax_tunnels=5 \\\r\n\tmax_sessions=5\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, tt.text)
			if err := s.Load("commands", []byte(tt.commands)); err != nil {
				t.Fatal(err)
			}
			got, report := config.Rewrite([]byte(tt.text), s.Snapshot())
			if string(got) != tt.want || report.Anew != "" {
				t.Errorf("%+v\ngot:\n%s\nwant:\n%s", report, got, tt.want)
			}
		})
	}
}

// What cannot be read is written anew.
func TestRewriteAnew(t *testing.T) {
	s := load(t, "system modify max_tunnels=5").Snapshot()
	got, report := config.Rewrite([]byte("# lost\nsystem modfy"), s)
	if string(got) != string(config.Format(s)) || !strings.Contains(report.Anew, "modfy") {
		t.Errorf("%s, %+v", got, report)
	}
}

// changes applies random commands, and leaves those out that are wrong.
func changes(t *rapid.T, s *config.Store, n int) {
	for range rapid.IntRange(0, n).Draw(t, "commands") {
		k := schema.KindNamed(rapid.SampledFrom([]string{"system", "peer profile", "tunnel profile",
			"session profile", "ppp profile", "pool", "user", "tunnel", "session"}).Draw(t, "kind"))
		ops := []schema.Op{schema.Create, schema.Modify, schema.Modify, schema.Unset, schema.Delete}
		c := schema.Command{Op: rapid.SampledFrom(ops).Draw(t, "op"), Kind: k, Object: k.New()}
		name := rapid.SampledFrom([]string{"default", "a", "b c", "d/e"}).Draw(t, "name")
		for _, group := range k.Keys() {
			_ = group[0].Set(c.Object, name)
		}
		if k.Live && c.Op == schema.Create && rapid.Bool().Draw(t, "nameless") {
			groups := k.Keys()
			groups[len(groups)-1][0].Clear(c.Object)
		}
		if c.Op == schema.Create {
			schematest.Needed(c.Object)
		}
		for range rapid.IntRange(1, 4).Draw(t, "params") {
			p := k.Params[rapid.IntRange(0, len(k.Params)-1).Draw(t, "param")]
			switch {
			case p.Key:
			case c.Op == schema.Create || c.Op == schema.Modify:
				_ = p.Set(c.Object, rapid.SampledFrom(schematest.Values(p)).Draw(t, "value"))
			case c.Op == schema.Unset:
				c.Unset = append(c.Unset, p.Name)
			}
		}
		if c.Check() == nil {
			_ = s.Apply(c)
		}
	}
}

// A hand writes a configuration as people do. Marks are comments that belong to nothing.
type hand struct {
	*rapid.T
	b     strings.Builder
	marks []string
}

func (h *hand) maybe(what string) bool { return h.chance(what, 2) }

func (h *hand) chance(what string, n int) bool { return rapid.IntRange(1, n).Draw(h.T, what) == 1 }

func (h *hand) write(s *config.Snapshot) string {
	for _, k := range schema.Kinds() {
		for _, m := range s.Objects(k) {
			op := schema.Create
			if k.Singleton || k.Builtin != "" && k.Name(m) == k.Builtin {
				op = schema.Modify
			}
			if op == schema.Create || !schema.IsEmpty(m) {
				h.object(op, k, m)
			}
		}
	}
	return h.b.String()
}

func (h *hand) object(op schema.Op, k *schema.Kind, m proto.Message) {
	if h.chance("mark", 3) {
		mark := fmt.Sprintf("# mark %d.", len(h.marks))
		h.marks = append(h.marks, mark)
		h.b.WriteString("\n" + mark + "\n\n")
	}
	if h.maybe("own comment") {
		h.b.WriteString("# its own\n")
	}
	gap := " "
	if h.maybe("lines") {
		gap = " \\\n\t"
	}
	h.b.WriteString(k.Words + " " + string(op))
	for _, p := range k.Params {
		if !p.Has(m) {
			continue
		}
		if op == schema.Create && !p.Key && !p.Required && !k.Live && h.chance("two statements", 5) {
			h.b.WriteString("\n" + k.Words + " modify")
			if key := k.Keys(); len(key) > 0 {
				h.b.WriteString(" " + key[0][0].Name + "=" + schema.Quote(k.Name(m)))
			}
		}
		name, value := p.Name, schema.Quote(p.Text(m))
		if len(p.Alias) > 0 && h.maybe("alias") {
			name = p.Alias[0]
		}
		if text := p.Text(m); h.maybe("quotes") && !strings.Contains(text, `"`) {
			value = `"` + text + `"`
		}
		equals := rapid.SampledFrom([]string{"=", "=", " = ", "\t="}).Draw(h.T, "equals")
		h.b.WriteString(gap + name + equals + value)
	}
	h.b.WriteString(rapid.SampledFrom([]string{"\n", "\n\n", " # a comment\n", " \\\n\n", "; ", ";\n", "; "}).Draw(h.T, "end"))
}

// The text that Rewrite makes of one written by hand loads to exactly what it is to
// say, does not change again, and keeps what belongs to nothing that is gone.
func TestRewriteProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := config.NewStore("m")
		changes(t, s, 25)
		h := &hand{T: t}
		old := h.write(s.Snapshot())
		before := s.Snapshot()
		reload(t, []byte(old), before)
		changes(t, s, 6)
		now := s.Snapshot()
		text, report := config.Rewrite([]byte(old), now)
		reload(t, text, now)
		if report.Anew != "" {
			t.Fatalf("written anew: %s\n%s\nthen:\n%s", report.Anew, old, config.Format(now))
		}
		if again, _ := config.Rewrite(text, now); string(again) != string(text) {
			t.Fatalf("rewritten:\n%s\nagain:\n%s", text, again)
		}
		for _, mark := range h.marks {
			if !strings.Contains(string(text), mark) {
				t.Fatalf("%s is gone of\n%s\nthere is\n%s", mark, old, text)
			}
		}
	})
}

// What Format writes loads to the same.
func TestFormatProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := config.NewStore("m")
		changes(t, s, 40)
		reload(t, config.Format(s.Snapshot()), s.Snapshot())
	})
}

// reload compares what a text loads to with what it is to say, whatever the order.
func reload(t *rapid.T, text []byte, want *config.Snapshot) {
	s := config.NewStore("m")
	if err := s.Load("f", text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, k := range schema.Kinds() {
		a, b := all(want, k), all(s.Snapshot(), k)
		for text, n := range a {
			if b[text] != n {
				t.Fatalf("%d times %s\nwant %d, of\n%s", b[text], text, n, config.Format(s.Snapshot()))
			}
			delete(b, text)
		}
		if len(b) > 0 {
			t.Fatalf("more than there should be: %v", b)
		}
	}
}

func all(s *config.Snapshot, k *schema.Kind) map[string]int {
	counts := make(map[string]int)
	for _, m := range s.Objects(k) {
		counts[schema.Format(schema.Create, m)]++
	}
	return counts
}

func FuzzRewrite(f *testing.F) {
	f.Add(everything, "system modify max_tunnels=9\nuser delete user_name=\"J. Doe\"")
	f.Add("user create user_name=a user_password=x; user create user_name=b user_password=y # c", "user delete user_name=a")
	f.Add("tunnel create tunnel_name=a tunnel_id=7 dest_ipaddr=::1\ntunnel modify tunnel_id=7 tunnel_name=b", "tunnel delete tunnel_name=b")
	f.Fuzz(func(t *testing.T, old, commands string) {
		s := config.NewStore("m")
		if s.Load("old", []byte(old)) != nil || s.Load("commands", []byte(commands)) != nil {
			return
		}
		text, _ := config.Rewrite([]byte(old), s.Snapshot())
		again := config.NewStore("m")
		if err := again.Load("new", text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for _, k := range schema.Kinds() {
			if a, b := fmt.Sprint(all(s.Snapshot(), k)), fmt.Sprint(all(again.Snapshot(), k)); a != b {
				t.Fatalf("%s is to be %s", b, a)
			}
		}
		if third, _ := config.Rewrite(text, s.Snapshot()); string(third) != string(text) {
			t.Fatalf("%q becomes %q", text, third)
		}
	})
}

func BenchmarkRewrite30000Users(b *testing.B) {
	var text strings.Builder
	for i := range 30000 {
		fmt.Fprintf(&text, "# user %d\nuser create user_name=u%d user_password=p%d\n\n", i, i, i)
	}
	s := config.NewStore("m")
	changes := strings.NewReplacer("user create", "user modify", "password=p", "password=q").Replace(text.String())
	for _, commands := range []string{text.String(), changes, "user delete user_name=u7\n"} {
		if err := s.Load("f", []byte(commands)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, report := config.Rewrite([]byte(text.String()), s.Snapshot()); report.Anew != "" {
			b.Fatal(report.Anew)
		}
	}
}
