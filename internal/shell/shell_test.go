package shell

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/schema"
)

func lex(t *testing.T, text string) []schema.Word {
	t.Helper()
	commands, err := schema.Lex(text)
	if err != nil || len(commands) != 1 {
		t.Fatalf("%q: %v, %v", text, commands, err)
	}
	return commands[0]
}

// Every command is found by its own words, and has help.
func TestGrammar(t *testing.T) {
	var walk func(r route)
	walk = func(r route) {
		n := r.tail()
		if n.help == "" && !n.hidden {
			t.Errorf("%s has no help", r.words())
		}
		if n.ends() {
			found, used, err := grammar().resolve(lex(t, r.words()))
			if err != nil || found != n || used != len(r) {
				t.Errorf("%s: %v, %d words, %v", r.words(), found, used, err)
			}
		}
		for _, c := range n.next {
			walk(append(r[:len(r):len(r)], c))
		}
	}
	for _, n := range grammar().next {
		walk(route{n})
	}
	for _, v := range verbs() {
		for _, a := range v.args {
			if a.help == "" || !a.flag && a.expected == "" {
				t.Errorf("%s: argument %s is not explained", v.words, a.name)
			}
		}
	}
}

func TestAmbiguity(t *testing.T) {
	for text, want := range map[string]string{
		"conf t":     "configure terminal",
		"conf save":  "config save",
		"se l":       "session list",
		"sh ver":     "show version",
		"sh run":     "show running-config",
		"sh sess":    "show session",
		"sh users":   "show users",
		"wr mem":     "write memory",
		"wr":         "write",
		"cl co":      "clear counters",
		"ppp pro li": "ppp profile list",
		"TUN LIST":   "tunnel list",
		"uptime":     "uptime",
		"q":          "quit",
	} {
		routes, _ := grammar().follow(lex(t, text))
		r, err := only(routes, lex(t, text))
		if err != nil || r.words() != want {
			t.Errorf("%s means %v, %v, want %s", text, r, err, want)
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	for line, want := range map[string]string{
		"user list": "user list",
		"user create user_name=a user_password=b":            "user create user_name=a user_password=********",
		`user cr user_n=a user_p="b c"`:                      `user cr user_n=a user_p=********`,
		"tunnel profile mod profile_name=x sec=y":            "tunnel profile mod profile_name=x sec=********",
		"tunnel profile mod profile_name=x secret=":          "tunnel profile mod profile_name=x secret=",
		"session list user=alice":                            "session list user=alice",
		"nonsense secret=y; tunnel list":                     "nonsense secret=********; tunnel list",
		`user create user_password="open`:                    "",
		"tunnel profile modify profile_name=x host_name=a.b": "tunnel profile modify profile_name=x host_name=a.b",
	} {
		if got := withoutSecrets(line); got != want {
			t.Errorf("withoutSecrets(%q) = %q, want %q", line, got, want)
		}
	}
}

// Texts that may hold commas are on rows of their own, lists of words on one.
func TestWarningsAreOnRowsOfTheirOwn(t *testing.T) {
	var out strings.Builder
	s := &Shell{out: &out, format: "table"}
	m := &api.System{Status: &api.SystemStatus{Listen: []string{"a:1", "b:1"},
		Warnings: []string{"one, which is so", "two"}}}
	if err := s.show(m, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"a:1,b:1\n", " one, which is so\n", " two\n"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("no row ends with %q:\n%s", row, out.String())
		}
	}
	if n := strings.Count(out.String(), "  warnings "); n != 2 {
		t.Errorf("%d rows of warnings, want 2:\n%s", n, out.String())
	}
}

func TestFit(t *testing.T) {
	row := []string{"1", "a-rather-long-name", "established", "a.host.name.that.is.long", "no", "5m 3s"}
	for width, want := range map[int]int{0: 6, 200: 6, 60: 6, 59: 5, 30: 3, 10: 2, 3: 1} {
		table := table{head: []string{"ID", "NAME", "STATE", "HOST", "BY_PEER", "UPTIME"}, rows: [][]string{row}}
		widths := table.fit(width)
		shown := 0
		for _, w := range widths {
			if w > 0 {
				shown++
			}
		}
		if width > 0 && total(widths) > width {
			t.Errorf("%d columns wide: a line takes %d", width, total(widths))
		}
		if shown != want {
			t.Errorf("%d columns wide: %d columns are shown, want %d", width, shown, want)
		}
	}
}

// Work that takes long says how far it is, and takes that away in the end.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := &progress{w: &b, what: "commands", began: time.Now()}
		for i := range 1000 {
			p.at(i, 1000)
			time.Sleep(time.Millisecond)
		}
		p.end()
		text := b.String()
		if !strings.HasPrefix(text, "\rcommands: 500 of 1000 (50%)\rcommands: 600 of 1000 (60%)") {
			t.Errorf("it says %q", text)
		}
		if n := strings.Count(text, "commands"); n != 5 {
			t.Errorf("it says something %d times, want 5: %q", n, text)
		}
		if !strings.HasSuffix(text, "\r"+strings.Repeat(" ", len("commands: 900 of 1000 (90%)"))+"\r") {
			t.Errorf("it leaves something behind: %q", text)
		}
		b.Reset()
		quick := &progress{w: &b, what: "commands", began: time.Now()}
		quick.at(1, 2)
		quick.end()
		if b.Len() > 0 {
			t.Errorf("short work says %q", b.String())
		}
	})
}

func TestSpell(t *testing.T) {
	for n, want := range map[uint64]string{0: "0s", 59: "59s", 60: "1m", 3661: "1h 1m", 86400: "1d", 90061: "1d 1h"} {
		if got := spell(n); got != want {
			t.Errorf("spell(%d) = %q, want %q", n, got, want)
		}
	}
}
