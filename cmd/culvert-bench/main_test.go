package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"culvert/internal/bench"
)

// bench runs the program.
func runBench(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongCommands(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, "expected the name or address of an LNS"},
		{[]string{"192.0.2.1", "192.0.2.2"}, `unexpected argument "192.0.2.2"`},
		{[]string{"--nonsense", "192.0.2.1"}, "nonsense"},
		{[]string{"-t", "0", "192.0.2.1"}, "0 tunnels"},
		{[]string{"-u", "%s", "192.0.2.1"}, "--user"},
		{[]string{"--auth", "md5", "192.0.2.1"}, "--auth md5"},
		{[]string{"--source", "192.0.2", "192.0.2.1"}, "--source"},
		{[]string{"--end", "bang", "192.0.2.1"}, "bang"},
		{[]string{"--password-file", "/nonexistent", "192.0.2.1"}, "/nonexistent"},
		{[]string{"--traffic-target", "x", "192.0.2.1"}, "--traffic-target"},
		{[]string{"--challenge", "192.0.2.1"}, "secret"},
		{[]string{"192.0.2.1:99999"}, "99999"},
	}
	for _, test := range tests {
		code, _, stderr := runBench(t, test.args...)
		if code != exitUsage || !strings.Contains(stderr, test.want) {
			t.Errorf("culvert-bench %v: %d, %q, want %d and %q", test.args, code, stderr, exitUsage, test.want)
		}
		if n := strings.Count(stderr, "\n"); n != 1 {
			t.Errorf("culvert-bench %v: %d lines, want 1", test.args, n)
		}
	}
}

// TestUnknownName: the command may be right, and the resolver wrong or away.
func TestUnknownName(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want int
	}{
		"no name":         {[]string{":1701"}, exitUsage},
		"no such address": {[]string{"-6", "192.0.2.1"}, exitUsage},
		"no such name":    {[]string{"no..such.name"}, exitNothing}, // without asking anybody
		"and wrong flags": {[]string{"--auth", "md5", "no..such.name"}, exitUsage},
	} {
		code, _, stderr := runBench(t, test.args...)
		if code != test.want || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %d, %q, want %d and a line", name, code, stderr, test.want)
		}
	}
}

// silent is a UDP port on which nobody answers.
func silent(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// TestSilentLNS: over real sockets, to the report's files.
func TestSilentLNS(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(passwordVariable, "hunter2-password")
	t.Setenv(secretVariable, "hunter2-secret")
	json, html := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.html")
	code, stdout, stderr := runBench(t, "-s", "3", "--connect-timeout", "50ms", "--json", json, "--html", html, silent(t))
	if code != exitNothing {
		t.Errorf("exit code %d, want %d: %s", code, exitNothing, stderr)
	}
	for name, want := range map[string]string{json: `"failed": 3`, html: "its tunnel did not come up"} {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, without %q", name, err, want)
		}
		stdout += string(text)
	}
	if strings.Contains(stdout+stderr, "hunter2") {
		t.Error("a secret is in the output")
	}
	if !strings.Contains(stderr, "0/3 up") {
		t.Errorf("progress: %q", stderr)
	}
}

// TestJSONAlone: programs read the output. The page is written besides.
func TestJSONAlone(t *testing.T) {
	html := filepath.Join(t.TempDir(), "r.html")
	for name, more := range map[string][]string{"alone": nil, "with a page": {"--html", html}} {
		args := append([]string{"-q", "--connect-timeout", "50ms", "--json", "-", silent(t)}, more...)
		_, stdout, stderr := runBench(t, args...)
		if !strings.HasPrefix(stdout, "{") || !strings.HasSuffix(stdout, "}\n") || stderr != "" {
			t.Errorf("%s: output %q, errors %q", name, stdout, stderr)
		}
	}
	if page, err := os.ReadFile(html); err != nil || !strings.Contains(string(page), "</html>") {
		t.Errorf("the page: %v, %.40q", err, page)
	}
}

func TestFilesAreOpenedFirst(t *testing.T) {
	code, stdout, stderr := runBench(t, "--html", "/nonexistent/r.html", silent(t))
	if code != exitNothing || stdout != "" || !strings.Contains(stderr, "/nonexistent/r.html") {
		t.Errorf("%d, %q, %q", code, stdout, stderr)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte(" open sesame \r\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(passwordVariable, "other")
	got, err := readSecret(file, passwordVariable)
	if err != nil || got != " open sesame " {
		t.Errorf("readSecret = %q, %v", got, err)
	}
	if got, err = readSecret("", passwordVariable); err != nil || got != "other" {
		t.Errorf("readSecret = %q, %v", got, err)
	}
}

func TestExitCodes(t *testing.T) {
	report := func(change func(r *bench.Report)) *bench.Report {
		r := &bench.Report{
			Settings: bench.Settings{Tunnels: 1, Sessions: 10}, Tunnels: bench.Tunnels{CameUp: 1},
			Sessions: bench.Sessions{CameUp: 10},
		}
		change(r)
		return r
	}
	for name, test := range map[string]struct {
		change func(r *bench.Report)
		want   int
	}{
		"all":         {func(*bench.Report) {}, exitSuccess},
		"one failed":  {func(r *bench.Report) { r.Sessions.Failed = 1 }, exitFailures},
		"one dropped": {func(r *bench.Report) { r.Sessions.Dropped = 1 }, exitFailures},
		"tunnel lost": {func(r *bench.Report) { r.Tunnels.Lost = 1 }, exitFailures},
		"hung":        {func(r *bench.Report) { r.Sessions.CameUp, r.Sessions.Cancelled = 1, 9 }, exitFailures},
		"time is up":  {func(r *bench.Report) { r.Sessions.CameUp, r.Sessions.Unplaced = 1, 9 }, exitFailures},
		"interrupted": {onTheirWay(func(r *bench.Report) { r.Interrupted = true }), exitSuccess},
		"churn":       {onTheirWay(func(r *bench.Report) { r.Settings.Churn = true }), exitSuccess},
		"churn that failed": {onTheirWay(func(r *bench.Report) {
			r.Settings.Churn, r.Sessions.Failed = true, 1
		}), exitFailures},
		"tunnel hung": {func(r *bench.Report) {
			r.Settings.Sessions, r.Sessions.CameUp, r.Settings.Tunnels = 0, 0, 2
		}, exitFailures},
		"none":      {func(r *bench.Report) { r.Sessions.CameUp = 0 }, exitNothing},
		"no tunnel": {func(r *bench.Report) { r.Settings.Sessions, r.Tunnels.CameUp = 0, 0 }, exitNothing},
		"tunnels":   {func(r *bench.Report) { r.Settings.Sessions, r.Sessions.CameUp = 0, 0 }, exitSuccess},
	} {
		if got := exitCode(report(test.change)); got != test.want {
			t.Errorf("%s: exit code %d, want %d", name, got, test.want)
		}
	}
}

// onTheirWay is a change after which some sessions, and a tunnel, were not up yet when the
// run ended.
func onTheirWay(change func(r *bench.Report)) func(r *bench.Report) {
	return func(r *bench.Report) {
		r.Sessions.CameUp, r.Sessions.Cancelled, r.Sessions.Unplaced, r.Settings.Tunnels = 5, 2, 3, 2
		change(r)
	}
}

func TestTargets(t *testing.T) {
	for target, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:1701", "192.0.2.1:5": "192.0.2.1:5", "2001:db8::1": "[2001:db8::1]:1701",
		"[2001:db8::1]": "[2001:db8::1]:1701", "[2001:db8::1]:5": "[2001:db8::1]:5",
		"fe80::1%eth0": "[fe80::1%eth0]:1701", "[fe80::1%eth0]:5": "[fe80::1%eth0]:5",
	} {
		got, err := resolve(context.Background(), target, false, false)
		if err != nil || got.String() != want {
			t.Errorf("resolve(%q) = %v, %v, want %s", target, got, err, want)
		}
	}
	if got, err := resolve(context.Background(), "192.0.2.1", false, true); err == nil {
		t.Errorf("the IPv6 address of 192.0.2.1 is %v", got)
	}
}

// TestProgressElsewhere: a line now and then, and the last.
func TestProgressElsewhere(t *testing.T) {
	var b bytes.Buffer
	ticker := newTicker(&b, plainInterval)
	for s := range 25 {
		ticker.tell(bench.Progress{At: time.Duration(s) * time.Second, Last: s == 24})
	}
	if n := strings.Count(b.String(), "\n"); n != 3 || strings.ContainsAny(b.String(), "\r\x1b") {
		t.Errorf("%d lines, want 3: %q", n, b.String())
	}
}

// TestProgressOnTerminal: one line that is replaced, and gone in the end.
func TestProgressOnTerminal(t *testing.T) {
	var b bytes.Buffer
	ticker := &ticker{w: &b, terminal: true}
	for s := range 3 {
		ticker.tell(bench.Progress{At: time.Duration(s) * time.Second, Last: s == 2})
	}
	if text := b.String(); strings.Contains(text, "\n") || strings.Count(text, "\r\x1b[K") != 3 ||
		!strings.HasSuffix(text, "\x1b[K") {
		t.Errorf("%q", text)
	}
}

// TestManualHasEveryFlag: culvert-bench(1) has what culvert-bench takes, and no more.
func TestManualHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../../packaging/man/culvert-bench.1")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string) // letters by names
	item := regexp.MustCompile(`(?m)^\.It Fl (?:([A-Za-z0-9]) , )?-([a-z0-9-]+)`)
	for _, m := range item.FindAllStringSubmatch(string(text), -1) {
		documented[m[2]] = m[1]
	}
	cmd := newCommand(new(int))
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if letter, ok := documented[f.Name]; !ok || letter != f.Shorthand {
			t.Errorf("culvert-bench.1 has --%s as %q, %v, want letter %q", f.Name, letter, ok, f.Shorthand)
		}
		delete(documented, f.Name)
	})
	for name := range documented {
		t.Errorf("culvert-bench.1 has --%s, which is no flag", name)
	}
}
