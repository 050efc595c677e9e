package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"culvert/test/lab"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.loop"))
}

// evil is what a peer may call itself.
const evil = "alice\n<0>Jan  1 00:00:00 kernel: gone\x1b[2J\r\x00\u2028\u202e\xff"

// listen makes a socket as syslog and the journal have one.
func listen(t *testing.T) (path string, conn *net.UnixConn) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, conn
}

// next reads one datagram.
func next(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 64<<10)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func open(t *testing.T, specs []string, o Options) *Log {
	t.Helper()
	l, err := Open(specs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestStderr(t *testing.T) {
	for _, tt := range []struct {
		format string
		time   bool
		want   string
	}{
		{"text", false, `^level=INFO msg="tunnel up" tunnel=5\n$`},
		{"text", true, `^time=\S+ level=INFO msg="tunnel up" tunnel=5\n$`},
		{"json", false, `^{"level":"INFO","msg":"tunnel up","tunnel":5}\n$`},
	} {
		s := new(lab.Output)
		l := open(t, []string{"stderr"}, Options{Format: tt.format, Time: tt.time, Stderr: s})
		l.Logger().Info("tunnel up", "tunnel", 5)
		l.Logger().Debug("nobody wants this")
		l.Close()
		if got := s.String(); !regexp.MustCompile(tt.want).MatchString(got) {
			t.Errorf("%s, time %t: %q, want %s", tt.format, tt.time, got, tt.want)
		}
	}
}

func TestEveryLineIsOneLine(t *testing.T) {
	syslogPath, syslogConn := listen(t)
	journalPath, journalConn := listen(t)
	file := filepath.Join(t.TempDir(), "log")
	for _, format := range []string{"text", "json"} {
		s := new(lab.Output)
		l := open(t, []string{"stderr", "file:" + file, "syslog", "journald"}, Options{
			Format: format, Stderr: s, SyslogSocket: syslogPath, JournalSocket: journalPath})
		l.Logger().With("user", evil).Warn(evil, "err", errors.New(evil), "peer", []string{evil})
		l.Close()
		written, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(file)
		wantOneLine(t, "stderr", s.String(), 1)
		wantOneLine(t, "file", string(written), 1)
		wantOneLine(t, "syslog", next(t, syslogConn)+"\n", 1)
		entry := next(t, journalConn)
		wantOneLine(t, "journald", entry, 6)
		for line := range strings.Lines(entry) {
			if !regexp.MustCompile(`^(MESSAGE|PRIORITY|SYSLOG_IDENTIFIER|CULVERT_[A-Z]+)=`).MatchString(line) {
				t.Errorf("journald: field %q", line)
			}
		}
	}
}

func wantOneLine(t *testing.T, what, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n"); n != lines || !strings.HasSuffix(text, "\n") {
		t.Errorf("%s: %d lines, want %d: %q", what, n, lines, text)
	}
	for _, c := range text {
		if c != '\n' && (c < ' ' || c == 0x7f || c == '\u2028' || c == '\u202e') {
			t.Errorf("%s: %q has the character %U", what, text, c)
		}
	}
}

func TestSyslog(t *testing.T) {
	path, conn := listen(t)
	l := open(t, []string{"syslog:local3"}, Options{SyslogSocket: path})
	log := l.Logger().With("tunnel", 5)
	for _, tt := range []struct {
		log  func(string, ...any)
		want int
	}{
		{log.Error, 19<<3 | 3}, {log.Warn, 19<<3 | 4}, {log.Info, 19<<3 | 6},
	} {
		tt.log("tunnel up", "user", "alice")
		want := fmt.Sprintf(`^<%d>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d culvertd\[%d\]: tunnel up tunnel=5 user=alice$`,
			tt.want, os.Getpid())
		if got := next(t, conn); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q, want %s", got, want)
		}
	}
}

func TestJournal(t *testing.T) {
	path, conn := listen(t)
	l := open(t, []string{"journald"}, Options{JournalSocket: path})
	l.Logger().With("session", "5/7").Warn("authentication failed", "user", "alice", "again-in", time.Second)
	want := "MESSAGE=authentication failed session=5/7 user=alice again-in=1s\nPRIORITY=4\n" +
		"SYSLOG_IDENTIFIER=culvertd\nCULVERT_SESSION=5/7\nCULVERT_USER=alice\nCULVERT_AGAIN_IN=1s\n" +
		"CULVERT_TUNNEL=5\n"
	if got := next(t, conn); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSocketComesBack: syslog may be started anew while the daemon runs.
func TestSocketComesBack(t *testing.T) {
	path, conn := listen(t)
	l := open(t, []string{"syslog"}, Options{SyslogSocket: path})
	l.Logger().Info("one")
	next(t, conn)
	conn.Close()
	os.Remove(path)
	l.Logger().Info("nobody is there")
	for l.Lost() == 0 {
		time.Sleep(time.Millisecond)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l.Logger().Info("two")
	if got := next(t, conn); !strings.HasSuffix(got, ": two") {
		t.Errorf("%q, want two", got)
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, []string{"file:" + path}, Options{Format: "json"})
	l.Logger().Info("one")
	waitFor(t, path, "one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("two")
	waitFor(t, path, "two")
	if moved, _ := os.ReadFile(path + ".1"); bytes.Contains(moved, []byte("two")) {
		t.Errorf("the old file has the new line: %s", moved)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("mode %v, %v: want nothing for others", info.Mode(), err)
	}
	os.Remove(path)
	os.Mkdir(path, 0o700)
	if err := l.Reopen(); err == nil {
		t.Error("a folder was opened as a file")
	}
}

func waitFor(t *testing.T, path, text string) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b, _ := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%s has %q, want %s", path, b, text)
		}
	}
}

// TestStuckTarget: one that takes nothing holds nobody up, and the others get all.
func TestStuckTarget(t *testing.T) {
	r, w := io.Pipe()
	file := filepath.Join(t.TempDir(), "log")
	l := open(t, []string{"stderr", "file:" + file}, Options{Stderr: w})
	begin := time.Now()
	const n = queueLength / 2
	for range 2 {
		for i := range n {
			l.Logger().Info("line", "i", i)
		}
	}
	for range 100 {
		l.Logger().Info("too much")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("logging took %v", took)
	}
	if l.Lost() < 99-1 {
		t.Errorf("%d lines are counted as lost, want 99 or so", l.Lost())
	}
	begin = time.Now()
	l.Close()
	if took := time.Since(begin); took > 3*closeLimit {
		t.Errorf("closing took %v", took)
	}
	if b, _ := os.ReadFile(file); bytes.Count(b, []byte("\n")) < 2*n {
		t.Errorf("the file has %d lines, want %d", bytes.Count(b, []byte("\n")), 2*n)
	}
	r.Close() // lets the queue's goroutine go
	for _, q := range l.queues {
		<-q.done
	}
}

func TestLevels(t *testing.T) {
	s := new(lab.Output)
	l := open(t, []string{"stderr"}, Options{Stderr: s, Level: slog.LevelWarn})
	log := l.Logger()
	log.Info("no")
	l.SetLevel(slog.LevelInfo)
	log.Info("yes1")
	if !l.ToggleDebug() {
		t.Error("ToggleDebug switched off, want on")
	}
	log.Debug("yes2")
	l.SetLevel(slog.LevelError)
	log.Debug("yes3")
	l.ToggleDebug()
	log.Warn("no")
	// What is traced goes past the level.
	log.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelDebug, "yes4", 0))
	l.Close()
	if got := s.String(); strings.Count(got, "yes") != 4 || strings.Contains(got, "msg=no") {
		t.Errorf("%q, want yes1 to yes4", got)
	}
}

func TestWrongTargets(t *testing.T) {
	for spec, want := range map[string]string{
		"":               "expected stderr, journald, syslog, syslog:FACILITY or file:PATH",
		"std":            "expected stderr",
		"file:":          "expected stderr",
		"syslog:local9":  "expected a facility: kern, user",
		"syslog:":        "expected a facility",
		"file:/no/where": "opening the log: open /no/where: no such file",
		"journald":       "log target journald: stat /no/socket: no such file",
	} {
		_, err := Open([]string{spec}, Options{JournalSocket: "/no/socket"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
	if _, err := Open([]string{"stderr"}, Options{Format: "xml"}); err == nil {
		t.Error("format xml was taken")
	}
}

func TestAutomatic(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Setenv("JOURNAL_STREAM", "1:2")
	if got := automatic(Options{Stderr: f})[0]; got != "stderr" {
		t.Errorf("the stream of another: %s, want stderr", got)
	}
	info, _ := f.Stat()
	t.Setenv("JOURNAL_STREAM", streamOf(info))
	if got := automatic(Options{Stderr: f})[0]; got != "journald" {
		t.Errorf("our stream: %s, want journald", got)
	}
}

// FuzzLine: whatever a peer says, a line is one line, and JSON stays JSON.
func FuzzLine(f *testing.F) {
	f.Add(evil, "a=b c")
	f.Fuzz(func(t *testing.T, message, value string) {
		var text, object bytes.Buffer
		var sent string
		handlers := []slog.Handler{
			newLines(&text, "text", false), newLines(&object, "json", false),
			newSender(func(line string, _ slog.Record, _ []slog.Attr) { sent = line }),
		}
		for _, h := range handlers {
			slog.New(h).With("user", value).Info(message, "host_name", value)
		}
		wantOneLine(t, "text", text.String(), 1)
		wantOneLine(t, "json", object.String(), 1)
		wantOneLine(t, "sender", sent+"\n", 1)
		if !json.Valid(object.Bytes()) {
			t.Errorf("%q is not JSON", object.String())
		}
	})
}
