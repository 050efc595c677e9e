package schema_test

import (
	"slices"
	"strings"
	"testing"

	"culvert/internal/schema"
)

// parse reads one command as people type it.
func parse(t *testing.T, text string) (schema.Command, error) {
	t.Helper()
	commands, err := schema.Lex(text)
	if err != nil || len(commands) != 1 {
		t.Fatalf("%q: %v, %v", text, commands, err)
	}
	return schema.Syntax{Abbreviate: true}.Parse(commands[0])
}

// said gives a command in one line: its full words, what it sets, unsets and flags.
func said(c schema.Command) string {
	parts := []string{c.Kind.Words, string(c.Op)}
	for _, p := range c.Kind.Params {
		if p.Has(c.Object) {
			parts = append(parts, p.Name+"="+p.Text(c.Object))
		}
	}
	for _, name := range c.Unset {
		parts = append(parts, "-"+name)
	}
	return strings.Join(append(parts, c.Flags...), " ")
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		// A switch stands for yes.
		"system modify reset_statistics":     "system modify reset_statistics=yes",
		"system modify reset_statistics=yes": "system modify reset_statistics=yes",
		"sys mod reset":                      "system modify reset_statistics=yes",
		// Other words for an object.
		"ip pool create pool_name=p addresses=10.0.0.0/24": "pool create pool_name=p addresses=10.0.0.0/24",
		"ip pool list": "pool list",
		"ip p l":       "pool list",
		// An object that comes and goes by itself.
		"peer list": "peer list",
		"peer show peer_ipaddr=192.0.2.1 local_ipaddr=192.0.2.2": "peer show peer_ipaddr=192.0.2.1 local_ipaddr=192.0.2.2",
		// Flags of show and list.
		"tunnel list local_only names":                        "tunnel list local_only names",
		"tunnel list rem":                                     "tunnel list remote_only",
		"session list tunnel_name=t local":                    "session list tunnel_name=t local_only",
		"tunnel show tunnel_id=1 config":                      "tunnel show tunnel_id=1 config",
		"tunnel show tunnel_id=1 tr":                          "tunnel show tunnel_id=1 transport",
		"system show version":                                 "system show version",
		"system show stati":                                   "system show statistics",
		"ppp profile modify profile_name=p dns_ipaddr_pri=":   "ppp profile modify profile_name=p -dns_ipaddr_pri",
		"ppp profile create profile_name=p dns_ipaddr_pri=":   "ppp profile create profile_name=p",
		"tunnel profile modify profile_name=p secret=\"\"":    "tunnel profile modify profile_name=p secret=",
		"pool modify pool_name=p reserved=":                   "pool modify pool_name=p -reserved",
		"system modify api_admins=a, api_readers=b,c":         "",
		"system modify api_admins=a,b":                        "system modify api_admins=a,b",
		"system modify trace_flags=protocol,fsm":              "system modify trace_flags=protocol,fsm",
		"system modify trace_flags=3":                         "system modify trace_flags=protocol,fsm",
		"session create tunnel_id=1 proxy_auth_challenge=0aF": "",
		"session create tunnel_id=1 proxy_auth_challenge=0x0aF0": "session create tunnel_id=1 " +
			"proxy_auth_challenge=0x0af0",
	} {
		c, err := parse(t, text)
		got := outcome(c, err)
		if want == "" {
			if err == nil {
				t.Errorf("%s is read as %s, want an error", text, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s is read as %s, want %s", text, got, want)
		}
	}
}

// outcome is what was said, or the error.
func outcome(c schema.Command, err error) string {
	if err != nil {
		return err.Error()
	}
	return said(c)
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"system unset reset_statistics":         `parameter "reset_statistics": system unset does not take it`,
		"system modify drain_tunnels":           `parameter "drain_tunnels": expected "=" and yes or no`,
		"system modify reset_statistics=what":   `reset_statistics=what: expected yes or no`,
		"tunnel list local_only remote_only":    `local_only and remote_only cannot be together: expected one of them`,
		"tunnel list names names":               `parameter "names" is given twice`,
		"tunnel modify tunnel_name=x helo=3":    `unknown parameter of tunnel "helo"; did you mean "hello_timeout"?`,
		"tunnel list names=yes":                 `names: expected no value`,
		"tunnel list config":                    `parameter "config_id": expected "=" and a number from 1 to 65535`,
		"tunnel show tunnel_id=1 mtu=7":         `parameter "mtu": tunnel show takes only tunnel_name or tunnel_id`,
		"tunnel show tunnel_id=1 host_name=a":   `parameter "host_name": tunnel show takes only tunnel_name or tunnel_id`,
		"tunnel list secret=x":                  `parameter "secret": tunnel list does not take it`,
		"peer create peer_ipaddr=192.0.2.1":     `unknown word "create" after "peer": expected profile, show or list`,
		"user create user_name=u user_password": `parameter "user_password": expected "=" and 1 to 255 characters`,
		"system modify trace_flags=fms": `trace_flags=fms: expected a number up to 0x7ff, none, all, or words of ` +
			`protocol, fsm, api, avp_info, avp_hide, avp_data, func, transport, data, system and ppp_control joined by commas; did you mean "fsm"?`,
	} {
		if c, err := parse(t, text); outcome(c, err) != want {
			t.Errorf("%s:\n got %s\nwant %s", text, outcome(c, err), want)
		}
	}
}

// Every flag of the schema is of an operation that its kind knows, has help,
// and hides no parameter.
func TestFlags(t *testing.T) {
	for _, k := range schema.Kinds() {
		for _, f := range k.Flags {
			if f.Help == "" || !slices.Contains(k.Ops(), f.Op) || k.Param(f.Word) != nil {
				t.Errorf("%s: flag %+v", k.Words, f)
			}
		}
	}
}

// What can be completed is what can be written.
func TestWords(t *testing.T) {
	for _, k := range schema.Kinds() {
		for _, p := range k.Params {
			for _, w := range p.Words() {
				m := k.New()
				if err := p.Set(m, w); err != nil {
					t.Errorf("%s: %v", k.Words, err)
				}
			}
		}
	}
	trace := schema.KindNamed("system").Param("trace_flags").Words()
	if !slices.Contains(trace, "ppp_control") || !slices.Contains(trace, "all") {
		t.Errorf("words of trace_flags = %v", trace)
	}
}
