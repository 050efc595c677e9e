package shell_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const lns = `pool create pool_name=addresses addresses=10.9.0.0/16
ppp profile modify profile_name=default ip_pool_name=addresses local_ipaddr=10.8.0.1 auth_none=yes
`

// live starts two daemons with a tunnel "t" and so many sessions s0, s1, ...
// between them, and returns the one that began them.
func live(t *testing.T, sessions int, conf string) *daemon {
	t.Helper()
	peer := serve(t, lns)
	var b strings.Builder
	b.WriteString(conf)
	fmt.Fprintf(&b, "tunnel create tunnel_name=t dest_ipaddr=127.0.0.1 our_udp_port=0 peer_udp_port=%s\n", peer.port)
	for i := range sessions {
		fmt.Fprintf(&b, "session create tunnel_name=t session_name=s%d user_name=alice user_password=x\n", i)
	}
	d := serve(t, b.String())
	d.wait("the sessions", func() bool {
		return strings.Count(d.does("session", "list"), " up ") == sessions
	})
	return d
}

// sessions is how many there are.
func (d *daemon) sessions() int {
	d.t.Helper()
	return strings.Count(d.does("session", "list", "names"), "\n")
}

func TestQuestions(t *testing.T) {
	d := live(t, 3, "")
	term := d.shell(start{})
	term.endsWith(prompt)
	ask := func(command, question, answer string) {
		t.Helper()
		term.press("\x0c")
		term.endsWith(prompt)
		term.press(command + "\r")
		term.sees(question)
		term.press(answer)
	}
	ask("tunnel delete tunnel_name=t", `tunnel "t" has 3 sessions, which will be dropped. Go ahead? [y/N]`, "n\r")
	term.sees("nothing was changed")
	term.endsWith(prompt)
	// Nothing but a yes is one.
	ask("tunnel delete tunnel_name=t", "Go ahead? [y/N]", "\r")
	term.sees("nothing was changed")
	ask("drop session s0 s1", "2 sessions will be dropped. Go ahead?", "\x03")
	term.sees("nothing was changed")
	ask("session delete tunnel_name=t session_name=s0", `session "t/s0" is up and will be dropped.`, "maybe\r")
	term.sees("nothing was changed")
	ask("drop session all", "3 sessions will be dropped. Go ahead?", "no\r")
	term.sees("nothing was changed")
	if n := d.sessions(); n != 3 {
		t.Fatalf("%d sessions are left of 3", n)
	}
	ask("drop session s0", "session \"t/s0\" will be dropped. Go ahead?", "y\r")
	term.sees("dropped 1 session")
	term.endsWith(prompt)
	// A session is still there while it says goodbye.
	d.wait("the end of a session", func() bool { return d.sessions() == 2 })
	ask("drop tunnel t", "1 tunnel with 2 sessions will be dropped. Go ahead?", "yes\r")
	term.sees("dropped 1 tunnel")
	term.endsWith(prompt)
	d.wait("the end of all sessions", func() bool { return d.sessions() == 0 })
}

// Nobody is asked who said yes beforehand, or who is not there.
func TestNoQuestions(t *testing.T) {
	d := live(t, 3, "")
	term := d.shell(start{args: []string{"-y", "drop", "session", "t/s0"}})
	term.sees("dropped 1 session")
	if code := term.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out := d.does("drop", "session", "t/s1"); out != "dropped 1 session\n" {
		t.Errorf("a script: %q", out)
	}
	asked := d.shell(start{args: []string{"tunnel", "delete", "tunnel_name=t"}})
	asked.sees("Go ahead?")
	asked.press("n\r")
	if code := asked.exits(); code != 1 {
		t.Errorf("exit code %d after a no", code)
	}
	if out := d.does("tunnel", "delete", "tunnel_name=t"); out != "deleted tunnel \"t\"\n" {
		t.Errorf("a script: %q", out)
	}
}

func TestQuestionBeforeLoading(t *testing.T) {
	d := live(t, 2, "")
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, []byte("user create user_name=a user_password=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	term := d.shell(start{})
	term.endsWith(prompt)
	term.press("config load file=" + file + "\r")
	term.sees(`- tunnel "t"`)
	term.sees("2 sessions will be dropped. Go ahead?")
	term.press("n\r")
	term.sees("nothing was changed")
	if n := d.sessions(); n != 2 {
		t.Errorf("%d sessions are left of 2", n)
	}
}

func TestDropMany(t *testing.T) {
	const many = 60
	d := live(t, many, "")
	if out, code := d.tries("drop", "session"); code != 2 || !strings.Contains(out, "all") {
		t.Errorf("nothing named: %d, %s", code, out)
	}
	if out := d.does("drop", "session", "t/s1", "s2", "s2"); out != "dropped 2 sessions\n" {
		t.Errorf("two: %q", out)
	}
	if out := d.does("drop", "session", "tunnel_name=t", "user_name=alice"); out != fmt.Sprintf("dropped %d sessions\n", many-2) {
		t.Errorf("all of a tunnel and user: %q", out)
	}
	if out, code := d.tries("drop", "user", "alice"); code != 1 || !strings.Contains(out, "has no session") {
		t.Errorf("a user without sessions: %d, %s", code, out)
	}
	if out := d.does("drop", "tunnel", "all"); out != "dropped 1 tunnel\n" {
		t.Errorf("tunnels: %q", out)
	}
}

// What is completed of tunnels and sessions is what there is.
func TestCompletionOfLiveObjects(t *testing.T) {
	d := live(t, 2, "")
	term := d.shell(start{})
	term.endsWith(prompt)
	for _, test := range []struct{ typed, line string }{
		{"tunnel show tunnel_n\tt\t", "tunnel show tunnel_name=t"},
		{"session show tunnel_name=t session_n\ts1\t", "session show tunnel_name=t session_name=s1"},
		{"show session t/s\t", "show session t/s"},
		{"show session t/s0\t", "show session t/s0"},
		{"drop tunnel t\t", "drop tunnel t"},
		{"drop user al\t", "drop user alice"},
		{"session trace t/s1\t", "session trace t/s1"},
	} {
		term.press(test.typed)
		term.endsWith(prompt + test.line)
		term.press("\x03")
		term.endsWith(prompt)
	}
	term.press("session show tunnel_name=nosuch session_name=\t\t")
	term.endsWith(prompt + "session show tunnel_name=nosuch session_name=")
}

func TestTraceAndCapture(t *testing.T) {
	d := live(t, 1, "")
	if out := d.does("session", "trace", "t/s0"); !strings.Contains(out, "-> ICRQ") {
		t.Errorf("session trace: %s", out)
	}
	if out := d.does("tunnel", "trace", "tunnel_name=t", "limit=1"); strings.Count(out, "\n") != 1 {
		t.Errorf("one record: %s", out)
	}
	if out := d.does("events"); !strings.Contains(out, "session-up tunnel=t session=s0") {
		t.Errorf("events: %s", out)
	}
	file := filepath.Join(t.TempDir(), "packets")
	term := d.shell(start{})
	term.endsWith(prompt)
	term.press("capture start file=" + file + "\r")
	d.wait("the capture", func() bool { _, err := os.Stat(file); return err == nil })
	d.does("drop", "session", "all")
	d.wait("packets in the capture", func() bool { info, err := os.Stat(file); return err == nil && info.Size() > 200 })
	term.press("\x03")
	term.sees("written to " + file + ", 0 missed")
	term.endsWith(prompt)
	text, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(text), "\x0a\x0d\x0d\x0a") {
		t.Errorf("not pcapng: %.16q, %v", text, err)
	}
}

// Each part of what there is to show has what belongs there, and nothing is
// said of where a counter comes from.
func TestShownParts(t *testing.T) {
	d := live(t, 1, "")
	for _, c := range []struct {
		command string
		has     []string
		not     string
	}{
		{"system show", []string{"max_tunnels", "started_at", "statistics.tunnels_created"}, ""},
		{"system show configuration", []string{"max_tunnels"}, "started_at"},
		{"system show status", []string{"started_at", "sessions_up", "tunnels_refused"}, "inherited"},
		{"system show statistics", []string{"tunnels_created ", "messages.SCCRQ"}, "started_at"},
		{"tunnel show tunnel_name=t", []string{"hello_timeout", "established", "peer_tunnel_id"}, ""},
		{"tunnel show config tunnel_name=t", []string{"hello_timeout"}, "established"},
		{"tunnel show transport tunnel_name=t", []string{"ns ", "nr "}, "hello_timeout"},
		{"session show tunnel_name=t session_name=s0", []string{"user_name", "peer_session_id", "lcp_echo_interval"}, ""},
	} {
		out := d.does(c.command)
		for _, text := range c.has {
			if !strings.Contains(out, text) {
				t.Errorf("%s: %q is missing:\n%s", c.command, text, out)
			}
		}
		if c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%s: %q is there:\n%s", c.command, c.not, out)
		}
	}
}

// Flags may stand behind a command.
func TestFlagsBehindCommand(t *testing.T) {
	d := serve(t, "")
	if out := d.does("tunnel", "list", "--output", "json"); out != "[]\n" {
		t.Errorf("--output json: %q", out)
	}
	if out := d.does("user", "create", "user_name=-a", "user_password=-o", "-q"); out != "" {
		t.Errorf("-q: %q", out)
	}
	if out, code := d.tries("tunnel", "list", "--colour"); code != 2 || !strings.Contains(out, "--colour") {
		t.Errorf("an unknown flag: %d, %s", code, out)
	}
}
