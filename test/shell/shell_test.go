package shell_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const prompt = "l2tp> "

// has reports whether a line has the text.
func has(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) })
}

func want(t *testing.T, lines []string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !has(lines, text) {
			t.Errorf("want %q in:\n%s", text, strings.Join(lines, "\n"))
		}
	}
}

func wantNot(t *testing.T, lines []string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if has(lines, text) {
			t.Errorf("want no %q in:\n%s", text, strings.Join(lines, "\n"))
		}
	}
}

const office = `tunnel profile create profile_name=office
tunnel profile create profile_name=officials
ppp profile create profile_name=dsl
user create user_name=alice user_password=x
user create user_name=bob user_password=x
`

func TestCompletion(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	for _, test := range []struct{ typed, line string }{
		{"tun\t", "tunnel "},
		{"tunnel pro\tmo\t", "tunnel profile modify "},
		{"tunnel profile modify prof\t", "tunnel profile modify profile_name="},
		// As much as all values have in common, and then the one that is meant.
		{"tunnel profile modify profile_name=of\t", "tunnel profile modify profile_name=offic"},
		{"tunnel profile modify profile_name=office\t", "tunnel profile modify profile_name=office"},
		{"tunnel profile modify profile_name=offici\t", "tunnel profile modify profile_name=officials"},
		{"tunnel profile modify profile_name=office auth_m\tch\t", "tunnel profile modify profile_name=office auth_mode=challenge"},
		{"tunnel profile modify profile_name=office use_udp\ty\t", "tunnel profile modify profile_name=office use_udp_checksums=yes"},
		{"peer profile modify profile_name=default ppp_p\tds\t", "peer profile modify profile_name=default ppp_profile_name=dsl"},
		{"system modify trace_flags=protocol,f\tun", "system modify trace_flags=protocol,fun"},
		{"system modify trace_flags=protocol,fs\t", "system modify trace_flags=protocol,fsm"},
		{"user show user_name=al\t", "user show user_name=alice"},
		{"show user b\t", "show user bob"},
		{"sh tunnel prof\toffici\t", "sh tunnel profile officials"},
		{"user list | ma\t", "user list | match"},
		{"help tunnel pro\t", "help tunnel profile"},
		{"watch 5 user li\t", "watch 5 user list"},
		{"debug modify app pro\ty\t", "debug modify app protocol=yes"},
		{`user show user_name="al` + "\t", `user show user_name="alice"`},
		{"nonsense foo\t", "nonsense foo"},
	} {
		term.press(test.typed)
		term.endsWith(prompt + test.line)
		term.press("\x03")
		term.endsWith(prompt)
	}
}

// TAB completes at the cursor, and leaves what is behind it.
func TestCompletionInsideOfALine(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	term.press("tun list\x01\x06\x06\x06\t")
	term.endsWith(prompt + "tunnel  list")
}

func TestCompletionLists(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	term.press("tunnel profile modify profile_name=offic\t\t")
	term.sees("office     officials")
	term.endsWith(prompt + "tunnel profile modify profile_name=offic")
	// After a complete command its parameters that were not given.
	term.press("e hello_timeout=5 \t\t")
	term.sees("max_retries=")
	term.until("hello_timeout in the line alone", func(lines []string) bool {
		return strings.Count(strings.Join(lines, "\n"), "hello_timeout=") == 2
	})
	term.endsWith(prompt + "tunnel profile modify profile_name=office hello_timeout=5")
}

func TestHelpKey(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{height: 60, width: 110})
	term.endsWith(prompt)
	term.press("?")
	term.sees("  tunnel      An L2TP control connection with a peer")
	term.endsWith(prompt)
	term.press("tunnel profile modify hello?")
	term.sees("hello_timeout  Silence after which a Hello asks whether the peer is there (a number from 0 to 86400 or off,\n" +
		"                 in s; default: 60)")
	term.endsWith(prompt + "tunnel profile modify hello")
	// The line is not lost, and the cursor stays where it was.
	term.press("_timeout=5\x01\x06\x06?")
	term.sees("tunnel profile modify hello_timeout=5?")
	term.endsWith(prompt + "tunnel profile modify hello_timeout=5")
	term.press("x")
	term.endsWith(prompt + "tuxnnel profile modify hello_timeout=5")
	term.press("\x03")
	// What a value can be.
	term.press("tunnel profile modify profile_name=default auth_mode=?")
	term.sees("<How the peer is checked (none, simple or challenge; default: none)>")
	term.sees("  challenge")
	term.press("\x03")
	// In a text a question mark is one.
	term.press(`user create user_name="who?`)
	term.endsWith(prompt + `user create user_name="who?`)
	term.press("\x03")
	term.press("user list | match a?")
	term.endsWith(prompt + "user list | match a?")
	term.press("\x03")
	// Where nothing more is needed, that is said. What is long is paged.
	term.press("show uptime ?")
	term.sees("<enter>")
	term.press("\x03tunnel create ?")
	term.sees("-- more")
	term.press("q")
	term.endsWith(prompt + "tunnel create")
}

func TestPrefixes(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	want(t, term.asks(prompt, "us li"), "alice", "bob")
	want(t, term.asks(prompt, "sh us"), "alice", "bob")
	want(t, term.asks(prompt, "tun prof sh prof=office"), `tunnel profile "office"`)
	want(t, term.asks(prompt, "show tunnel profile office"), `tunnel profile "office"`)
	want(t, term.asks(prompt, "ser"), `expected modify or show after "server"`)
	want(t, term.asks(prompt, "show ip"), `expected pool or pools after "show ip"`)
	// An ambiguous word says what it can be; a later word tells which is meant.
	want(t, term.asks(prompt, "s"), `command "s" is ambiguous: it can be system, `)
	want(t, term.asks(prompt, "conf"), `command "conf" is ambiguous: it can be config or configure`)
	want(t, term.asks(prompt, "conf hist"), "REVISION")
	term.press("conf t\r")
	term.endsWith("l2tp(config)>")
	want(t, term.asks("l2tp(config)> ", "user list"), "alice")
	term.press("end\r")
	term.endsWith(prompt)
	// The place of a mistake is marked.
	lines := term.asks(prompt, "tunnel profile list hello=5 bogus=1")
	if len(lines) != 2 || lines[0] != strings.Repeat(" ", len(prompt)+len("tunnel profile list hello=5 "))+"^" {
		t.Errorf("a mistake is marked so:\n%s", strings.Join(lines, "\n"))
	}
}

func TestFilters(t *testing.T) {
	d := serve(t, office)
	dir := t.TempDir()
	term := d.shell(start{})
	term.endsWith(prompt)
	lines := term.asks(prompt, "user list | match ^bob")
	want(t, lines, "USER_NAME", "bob")
	wantNot(t, lines, "alice")
	wantNot(t, term.asks(prompt, "user list | except ali"), "alice")
	want(t, term.asks(prompt, "user list | count"), "2")
	want(t, term.asks(prompt, "user list | inc bob | count"), "1")
	want(t, term.asks(prompt, "user list | json"), `"user_name": "alice",`)
	want(t, term.asks(prompt, "show user bob | yaml"), `user_name: bob`)
	lines = term.asks(prompt, "show tunnel profile default | begin mtu")
	if !strings.HasPrefix(lines[0], "  mtu") || len(lines) < 2 {
		t.Errorf("begin gives\n%s", strings.Join(lines, "\n"))
	}
	file := filepath.Join(dir, "out")
	term.asks(prompt, "show running-config | save "+file)
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "user create user_name=alice") ||
		strings.Contains(string(text), "user_password=x") {
		t.Errorf("saved: %q, %v", text, err)
	}
	want(t, term.asks(prompt, "user list | match ("), "expected a regular expression")
	want(t, term.asks(prompt, "user list | frobnicate"), `unknown filter "frobnicate"`)
}

func TestPaging(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{width: 80, height: 12})
	term.endsWith(prompt)
	const more = "-- more: space page, enter line, / find, G all, q quit --"
	term.press("\x0cshow tunnel profile default\r")
	term.endsWith(more)
	term.sees("our_udp_port")
	term.press("\r")
	term.sees("rx_window_size")
	term.endsWith(more)
	term.press(" ")
	term.sees("max_retries")
	term.endsWith(more)
	term.press("q")
	term.endsWith(prompt)
	if has(term.lines(), "trace_flags") {
		t.Error("all of it was shown")
	}
	term.press("show tunnel profile default\r")
	term.endsWith(more)
	term.press("/trace\r")
	term.sees("trace_flags")
	term.endsWith(prompt)
	term.press("show tunnel profile default\r")
	term.endsWith(more)
	term.press("\x03")
	term.endsWith(prompt)
	// What goes elsewhere is not paged.
	term.press("show tunnel profile default | no-more\r")
	term.endsWith(prompt)
	want(t, term.asks(prompt, "show tunnel profile default | count"), "2")
	term.press("terminal length 0\rshow tunnel profile default\r")
	term.sees("trace_flags")
	term.endsWith(prompt)
}

func TestHistory(t *testing.T) {
	d := serve(t, office)
	home := t.TempDir()
	file := filepath.Join(home, ".l2tp_history")
	term := d.shell(start{env: []string{"HOME=" + home}})
	term.endsWith(prompt)
	term.asks(prompt, "user list")
	term.asks(prompt, "tunnel list")
	term.asks(prompt, `user create user_name=carol user_password="so secret"`)
	term.asks(prompt, `tunnel profile modify profile_name=office secr=swordfish`)
	term.press("\x1b[A\x1b[A\x1b[A")
	term.endsWith(prompt + "tunnel list")
	term.press("\x03\x12user li")
	term.sees("bck-i-search: user li")
	term.sees(prompt + "user list")
	term.press("\r")
	term.sees("carol")
	term.endsWith(prompt)
	term.press("\x04")
	if code := term.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("the history has mode %v", info.Mode())
	}
	for _, secret := range []string{"so secret", "swordfish"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the history has a secret:\n%s", text)
		}
	}
	if !strings.Contains(string(text), "user create user_name=carol user_password=********\n") {
		t.Errorf("the history is\n%s", text)
	}
	// The next shell knows it.
	again := d.shell(start{env: []string{"HOME=" + home}})
	again.endsWith(prompt)
	again.press("\x1b[A\x1b[A\x1b[A\x1b[A")
	again.endsWith(prompt + "tunnel list")
}

func TestHistoryOfOpenl2tp(t *testing.T) {
	d := serve(t, office)
	dir := t.TempDir()
	file := filepath.Join(dir, "history")
	term := d.shell(start{env: []string{"L2TP_HISTFILE=" + file, "L2TP_HISTFILESIZE=2"}})
	term.endsWith(prompt)
	for _, c := range []string{"user list", "tunnel list", "session list"} {
		term.asks(prompt, c)
	}
	if text, _ := os.ReadFile(file); string(text) != "tunnel list\nsession list\n" {
		t.Errorf("the history is %q", text)
	}
	none := d.shell(start{env: []string{"L2TP_HISTFILE=", "HOME=" + dir}})
	none.endsWith(prompt)
	none.asks(prompt, "user list")
	if _, err := os.Stat(filepath.Join(dir, ".l2tp_history")); err == nil {
		t.Error("a history was kept that was not wanted")
	}
}

func TestInterrupt(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	// It clears the line.
	term.press("tunnel delete")
	term.endsWith(prompt + "tunnel delete")
	term.press("\x03")
	term.endsWith(prompt)
	want(t, term.asks(prompt, "user list"), "alice")
	// It ends a command that goes on, and not the shell.
	term.press("events follow\r")
	d.does("user", "create", "user_name=dave", "user_password=x")
	term.sees("object-created user dave")
	term.press("\x03")
	term.endsWith(prompt)
	want(t, term.asks(prompt, "user list"), "dave")
	term.press("quit\r")
	if code := term.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestWatch(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{width: 80, height: 12})
	term.endsWith(prompt)
	term.press("watch 1 user list\r")
	term.sees("every 1s: user list")
	term.sees("alice")
	d.does("user", "create", "user_name=erin", "user_password=x")
	term.sees("erin")
	term.until("one listing only", func(lines []string) bool {
		return strings.Count(strings.Join(lines, "\n"), "alice") == 1
	})
	term.press("\x03")
	term.endsWith(prompt)
	want(t, term.asks(prompt, "watch tunel list"), `unknown command "tunel"`)
}

func TestColours(t *testing.T) {
	d := serve(t, office)
	for name, test := range map[string]struct {
		env    []string
		colour bool
	}{
		"a terminal":    {nil, true},
		"NO_COLOR":      {[]string{"NO_COLOR=1"}, false},
		"dumb terminal": {[]string{"TERM=dumb"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			term := d.shell(start{env: test.env})
			term.endsWith(prompt)
			term.press("user list\r")
			term.sees("bob")
			term.press("tunel list\r")
			term.sees("did you mean")
			if name != "dumb terminal" {
				term.press("\x12user\r")
			}
			term.endsWith(prompt)
			if got := strings.Contains(term.written(), "\x1b[1m") && strings.Contains(term.written(), "\x1b[31m"); got != test.colour {
				t.Errorf("colours: %v\n%q", got, term.written())
			}
			if escapes := strings.Contains(term.written(), "\x1b"); name == "dumb terminal" && escapes {
				t.Errorf("escape sequences: %q", term.written())
			}
			if sgr := strings.Contains(strings.ReplaceAll(term.written(), "\x1b[m", ""), "m"); sgr && !test.colour {
				if strings.Contains(term.written(), "\x1b[4m") || strings.Contains(term.written(), "\x1b[0m") {
					t.Errorf("styles: %q", term.written())
				}
			}
		})
	}
}

// A listing never takes more than a line for an object.
func TestNarrowTerminal(t *testing.T) {
	d := serve(t, office+"tunnel profile create profile_name=a-name-that-is-rather-long host_name=a.host.name.that.is.long.too\n")
	term := d.shell(start{width: 60, height: 24})
	term.endsWith(prompt)
	lines := term.asks(prompt, "tunnel profile list")
	if len(lines) != 5 {
		t.Errorf("%d lines, want a head and 4 profiles:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	want(t, lines, "a-name-that", "…")
	for _, l := range lines {
		if len([]rune(l)) > 60 {
			t.Errorf("too long: %q", l)
		}
	}
	// A long command goes on below, and is still one.
	long := "tunnel profile modify profile_name=a-name-that-is-rather-long host_name=some.other.name"
	term.press("\x0c" + long + "\r")
	term.sees(`modified tunnel profile "a-name-that-is-rather-long"`)
}

func TestEndOfInput(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	term.press("conf t\r")
	term.endsWith("l2tp(config)>")
	term.press("\x04")
	term.endsWith(prompt)
	term.press("\x04")
	if code := term.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The terminal is as it was when the shell has gone.
func TestTerminalIsRestored(t *testing.T) {
	d := serve(t, office)
	term := d.shell(start{})
	term.endsWith(prompt)
	term.press("user list\r")
	term.endsWith(prompt)
	_ = term.cmd.Process.Signal(syscall.SIGTERM)
	term.exits()
}
