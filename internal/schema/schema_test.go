package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// What the descriptors say must be usable: this is the test of the schema
// itself.
func TestSchema(t *testing.T) {
	for _, k := range schema.Kinds() {
		if k.Words == "" || k.Help == "" {
			t.Errorf("%T has no words or no help", k.New())
		}
		for _, c := range k.Columns {
			if k.Field(c) == nil {
				t.Errorf("%s: column %s is no field", k.Words, c)
			}
		}
		seen := map[string]bool{}
		for _, p := range k.Params {
			checkParam(t, k, p)
			for _, n := range append(p.Alias, p.Name) {
				if seen[n] {
					t.Errorf("%s: two parameters are called %s", k.Words, n)
				}
				seen[n] = true
			}
		}
		for _, p := range k.Status {
			if p.Help == "" {
				t.Errorf("%s: %s has no help", k.Words, p.Name)
			}
		}
	}
}

func checkParam(t *testing.T, k *schema.Kind, p *schema.Param) {
	t.Helper()
	if p.Help == "" || strings.HasSuffix(p.Help, ".") {
		t.Errorf("%s: help of %s: %q", k.Words, p.Name, p.Help)
	}
	if p.RefersTo != "" && schema.KindNamed(p.RefersTo) == nil {
		t.Errorf("%s: %s refers to %q, which is no object", k.Words, p.Name, p.RefersTo)
	}
	if p.Default == "" {
		return
	}
	m := k.New()
	if err := p.Set(m, p.Default); err != nil {
		t.Errorf("%s: default of %s: %v", k.Words, p.Name, err)
	}
	if p.Has(m) && p.Text(m) != p.Default && p.Default != "0" {
		t.Errorf("%s: default of %s is %q, written %q", k.Words, p.Name, p.Default, p.Text(m))
	}
}

func TestValues(t *testing.T) {
	tests := []struct{ kind, param, text, want string }{
		{"system", "max_tunnels", "0x10", "16"},
		{"system", "max_tunnels", "010", "10"},
		{"system", "max_tunnels", "0", "unlimited"},
		{"system", "max_tunnels", "Unlimited", "unlimited"},
		{"system", "max_tunnels", "-1", ""},
		{"system", "max_tunnels", "65536", ""},
		{"system", "max_tunnels", "", ""},
		{"system", "drain_tunnels", "On", "yes"},
		{"system", "drain_tunnels", "0", "no"},
		{"system", "drain_tunnels", "", ""},
		{"system", "log_level", "DEBUG", "debug"},
		{"system", "log_level", "", ""},
		{"tunnel", "dest_ipaddr", "2001:db8::1", "2001:db8::1"},
		{"tunnel", "dest_ipaddr", "fe80::1%eth0", "fe80::1%eth0"},
		{"tunnel", "dest_ipaddr", "lns.example.net", "lns.example.net"},
		{"tunnel", "dest_ipaddr", "1.2.3", ""},
		{"tunnel", "dest_ipaddr", "a b", ""},
		{"tunnel", "dest_ipaddr", "-", "-"},
		{"tunnel", "our_udp_port", "ephemeral", "ephemeral"},
		{"tunnel", "peer_udp_port", "0", ""},
		{"tunnel", "tunnel_name", "a/b c", "a/b c"},
		{"tunnel", "tunnel_name", " a", ""},
		{"tunnel", "tunnel_name", "a\nb", ""},
		{"peer profile", "netmask", "255.255.254.0", "255.255.254.0"},
		{"peer profile", "netmask", "255.0.255.0", ""},
		{"peer profile", "netmask", "129", ""},
		{"peer profile", "peer_ipaddr", "10.0.0.0/33", ""},
		{"session", "connect_speed", "1:2", "1:2"},
		{"session", "connect_speed", "1:", ""},
		{"session", "interface_name", "l2tp%t-%s", "l2tp%t-%s"},
		{"session", "interface_name", "l2tpx%t-%s", ""},
		{"session", "interface_name", "a%d", ""},
		{"session", "interface_name", "a/b", ""},
		{"pool", "addresses", "10.0.0.0/24, 10.0.1.1-10.0.1.9", "10.0.0.0/24,10.0.1.1-10.0.1.9"},
		{"pool", "addresses", "", ""},
		{"user", "user_name", "a\xff", ""},
		{"ppp profile", "local_ipaddr", "::1", ""},
	}
	for _, tt := range tests {
		k := schema.KindNamed(tt.kind)
		m := k.New()
		p := k.Param(tt.param)
		err := p.Set(m, tt.text)
		if err != nil && tt.want == "" {
			continue
		}
		if err != nil || p.Text(m) != tt.want {
			t.Errorf("%s=%q: %q, %v; want %q", tt.param, tt.text, p.Text(m), err, tt.want)
		}
	}
}

func TestLex(t *testing.T) {
	tests := []struct{ text, want string }{
		{"a b=c", "a|b=(c)"},
		{"a b = c d=e", "a|b=(c)|d=(e)"},
		{"a b= c=d", "a|b=()|c=(d)"},
		{"a b=\nc", "a|b=();c"},
		{"a b=\"c d\"'e'f", "a|b=(c def)"},
		{"a \\\n\tb=c \\\n\n d", "a|b=(c);d"},
		{"# x\n\na # y\n;;b;", "a;b"},
		{"a b=c#d e=#f", "a|b=(c#d)|e=(#f)"},
		{"a b=\"x\ny\" c", "a|b=(x\ny)|c"},
		{"a\r\nb=c\r\n", "a;b=(c)"},
		{"a b=c=d", "a|b=(c=d)"},
		{"a b=\"\" c", "a|b=()|c"},
		{"a b= \\\n c", "a|b=(c)"},
		{"\ufeffa", "a"},
	}
	for _, tt := range tests {
		commands, err := schema.Lex(tt.text)
		if err != nil {
			t.Errorf("Lex(%q): %v", tt.text, err)
			continue
		}
		var lines []string
		for _, words := range commands {
			var parts []string
			for _, w := range words {
				if w.HasValue {
					w.Name += "=(" + w.Value + ")"
				}
				parts = append(parts, w.Name)
			}
			lines = append(lines, strings.Join(parts, "|"))
		}
		if got := strings.Join(lines, ";"); got != tt.want {
			t.Errorf("Lex(%q) = %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "a", "a b", `"`, `'`, `"'`, "#", "a;b", "\n", "a\\", "\\\n", "ü", "=", "a\rb"} {
		commands, err := schema.Lex("x v=" + schema.Quote(s) + " y=z")
		if err != nil || len(commands) != 1 || len(commands[0]) != 3 || commands[0][1].Value != s {
			t.Errorf("%q written as %s is read as %v, %v", s, schema.Quote(s), commands, err)
		}
	}
}

// No value of a secret is ever in an error.
func TestErrorsHideSecrets(t *testing.T) {
	for _, k := range schema.Kinds() {
		for _, p := range k.Params {
			if !p.Secret {
				continue
			}
			if err := p.Set(k.New(), schema.Masked); err == nil {
				t.Errorf("%s %s: asterisks are taken for a secret", k.Words, p.Name)
			}
			secret := strings.Repeat("swordfish", 100)
			if err := p.Set(k.New(), secret); err == nil || strings.Contains(err.Error(), "swordfish") {
				t.Errorf("%s %s: error %v", k.Words, p.Name, err)
			}
		}
	}
}

func TestMask(t *testing.T) {
	m := &api.Session{UserPassword: new("swordfish")}
	schema.Mask(m)
	if m.GetUserPassword() != schema.Masked {
		t.Errorf("masked password = %q", m.GetUserPassword())
	}
}

// Counters are shown as zero, where there are any.
func TestZeroCountersAreShown(t *testing.T) {
	for _, tt := range []struct {
		pool *api.Pool
		want bool
	}{
		{&api.Pool{Status: &api.PoolStatus{Total: 1, Allocated: 1}}, true},
		{&api.Pool{}, false},
	} {
		fields := schema.KindOf(tt.pool).Fields(tt.pool)
		if got := strings.Contains(fmt.Sprint(fields), "{free 0 "); got != tt.want {
			t.Errorf("%v: free=0 is shown: %v, want %v", fields, got, tt.want)
		}
	}
}

// What scripts read of a tunnel is there from its first second on.
func TestStableFields(t *testing.T) {
	for m, names := range map[proto.Message]string{
		&api.Tunnel{Status: &api.TunnelStatus{Control: &api.ControlStatus{}}}: "uptime session_count " +
			"attempts control ns nr peer_nr queued retransmits rx_duplicates tx_hello rx_hello rx_bad",
		&api.Session{Status: &api.SessionStatus{}}: "uptime attempts",
		&api.System{Status: &api.SystemStatus{}}:   "uptime",
	} {
		fields := fmt.Sprint(schema.KindOf(m).Fields(m))
		for name := range strings.FieldsSeq(names) {
			if !strings.Contains(fields, "{"+name+" ") {
				t.Errorf("%T: %s is left out while it is 0: %s", m, name, fields)
			}
		}
	}
}

// Trace flags are shown as words, which can be given again.
func TestTraceFlagsAreShownAsWords(t *testing.T) {
	for text, want := range map[string]string{"136": "avp_info,transport", "2047": "all", "0": "none"} {
		m := &api.System{}
		p := schema.KindOf(m).Param("trace_flags")
		if err := p.Set(m, text); err != nil {
			t.Fatal(err)
		}
		flags := m.GetTraceFlags()
		value := schema.KindOf(m).Fields(m)[0].Value
		if err := p.Set(m, fmt.Sprint(value)); err != nil || m.GetTraceFlags() != flags {
			t.Errorf("%v gives %d, %v, want %d", value, m.GetTraceFlags(), err, flags)
		}
		if value != want {
			t.Errorf("%s is shown as %v, want %s", text, value, want)
		}
	}
}

// Requests of the API go through the same checks as words.
func TestCheck(t *testing.T) {
	bad := []schema.Command{
		{Op: schema.Create, Object: &api.User{UserName: new("u")}},
		{Op: schema.Create, Object: &api.System{}},
		{Op: schema.Modify, Object: &api.System{MaxTunnels: proto.Uint32(70000)}},
		{Op: schema.Modify, Object: &api.System{LogLevel: api.LogLevel(99).Enum()}},
		{Op: schema.Modify, Object: &api.System{}},
		{Op: schema.Modify, Object: &api.System{}, Unset: []string{"nonsense"}},
		{Op: schema.Modify, Object: &api.User{UserName: new("u")}, Unset: []string{"user_name"}},
		{Op: schema.Modify, Object: &api.User{UserName: new("u")}, Unset: []string{"user_password"}},
		{Op: schema.Create, Object: &api.Tunnel{DestIpaddr: new("a b")}},
		{Op: schema.Show, Object: &api.Tunnel{}},
	}
	for _, c := range bad {
		c.Kind = schema.KindOf(c.Object)
		if c.Check() == nil {
			t.Errorf("%s %v is accepted", c.Op, c.Object)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("tunnel profile create profile_name=p secret=\"a b\" # c\n")
	f.Add("session create tunnel_name=t \\\n user_name='x'; system modify max_tunnels = 0x10\n")
	f.Add("peer profile create profile_name=\"x\" netmask= peer_ipaddr=10.0.0.0/8")
	f.Add("pool create pool_name=p addresses=10.0.0.1-10.0.0.9,10.1.0.0/24")
	f.Fuzz(func(t *testing.T, text string) {
		commands, err := schema.Lex(text)
		if err != nil {
			return
		}
		for _, words := range commands {
			c, err := schema.Syntax{Abbreviate: true}.Parse(words)
			if err != nil || !slices.Contains([]schema.Op{schema.Create, schema.Modify}, c.Op) ||
				len(c.Unset) > 0 {
				continue
			}
			written := schema.Format(c.Op, c.Object)
			again, err := schema.Lex(written)
			if err != nil || len(again) != 1 {
				t.Fatalf("%q: %v", written, err)
			}
			d, err := schema.Syntax{}.Parse(again[0])
			if err != nil || d.Op != c.Op || !proto.Equal(c.Object, d.Object) {
				t.Fatalf("%q is read as %v, %v; want %v", written, d.Object, err, c.Object)
			}
			if err := d.Check(); err != nil {
				t.Fatalf("%q: %v", written, err)
			}
		}
	})
}
