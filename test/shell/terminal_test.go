package shell_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A terminal is a program at a pseudo-terminal, with what its user sees.
type terminal struct {
	t     testing.TB
	cmd   *exec.Cmd
	pty   *os.File
	width int

	mu      sync.Mutex
	screen  vt10x.Terminal
	raw     bytes.Buffer  // everything that was written
	changed chan struct{} // closed when more is written
	ended   bool
}

// A session is how a program is started at a terminal.
type start struct {
	program string
	args    []string
	env     []string
	width   int
	height  int
}

// open starts a program at a terminal.
func open(t testing.TB, s start) *terminal {
	t.Helper()
	if s.width == 0 {
		s.width = 100
	}
	if s.height == 0 {
		s.height = 30
	}
	term := &terminal{t: t, width: s.width, changed: make(chan struct{}),
		screen: vt10x.New(vt10x.WithSize(s.width, s.height))}
	term.cmd = exec.Command(s.program, s.args...)
	term.cmd.Env = append([]string{"TERM=xterm", "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, s.env...)
	f, err := pty.StartWithSize(term.cmd, &pty.Winsize{Rows: uint16(s.height), Cols: uint16(s.width)})
	if err != nil {
		t.Fatalf("starting %s at a terminal: %v", s.program, err)
	}
	term.pty = f
	done := make(chan struct{})
	go func() { defer close(done); term.read() }()
	t.Cleanup(func() {
		_ = term.cmd.Process.Kill()
		_ = term.cmd.Wait()
		f.Close()
		<-done
	})
	return term
}

func (term *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := term.pty.Read(b)
		term.mu.Lock()
		_, _ = term.screen.Write(b[:n])
		term.raw.Write(b[:n])
		term.ended = err != nil
		close(term.changed)
		term.changed = make(chan struct{})
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// press types keys.
func (term *terminal) press(keys string) {
	term.t.Helper()
	if _, err := term.pty.WriteString(keys); err != nil {
		term.t.Fatalf("typing %q: %v", keys, err)
	}
}

// until waits for the screen to be as it should.
func (term *terminal) until(what string, ok func(lines []string) bool) {
	term.t.Helper()
	deadline := time.After(patience)
	for {
		term.mu.Lock()
		lines, changed, ended := term.lines(), term.changed, term.ended
		term.mu.Unlock()
		if ok(lines) {
			return
		}
		if ended {
			term.t.Fatalf("the program ended before the screen had %s:\n%s", what, strings.Join(lines, "\n"))
		}
		select {
		case <-changed:
		case <-deadline:
			term.t.Fatalf("the screen never had %s:\n%s", what, strings.Join(lines, "\n"))
		}
	}
}

// lines are those of the screen, without the empty ones at its end.
func (term *terminal) lines() []string {
	var lines []string
	for line := range strings.SplitSeq(term.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// sees waits for a text anywhere on the screen.
func (term *terminal) sees(text string) {
	term.t.Helper()
	term.until(fmt.Sprintf("%q", text), func(lines []string) bool {
		return strings.Contains(strings.Join(lines, "\n"), text)
	})
}

// ends waits for the last line of the screen to be line.
func (term *terminal) endsWith(line string) {
	term.t.Helper()
	term.until(fmt.Sprintf("%q as its last line", line), func(lines []string) bool {
		return len(lines) > 0 && lines[len(lines)-1] == strings.TrimRight(line, " ")
	})
}

// asks carries out a command and waits for the next prompt. It returns the
// lines between.
func (term *terminal) asks(prompt, command string) []string {
	term.t.Helper()
	term.press("\x0c") // clear the screen
	term.until("only the prompt", func(lines []string) bool {
		return len(lines) == 1 && lines[0] == strings.TrimRight(prompt, " ")
	})
	term.press(command + "\r")
	term.until("the next prompt", func(lines []string) bool {
		return len(lines) > 1 && strings.HasPrefix(lines[len(lines)-1], strings.TrimRight(prompt, " ")) &&
			!strings.HasSuffix(lines[len(lines)-1], command)
	})
	term.mu.Lock()
	defer term.mu.Unlock()
	lines := term.lines()
	return lines[1 : len(lines)-1]
}

// exits waits for the program to end and returns its exit code.
func (term *terminal) exits() int {
	term.t.Helper()
	done := make(chan error, 1)
	go func() { done <- term.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		term.t.Fatalf("the program goes on:\n%s", term.screen.String())
	}
	return term.cmd.ProcessState.ExitCode()
}

// written is everything that the program has written to the terminal.
func (term *terminal) written() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.raw.String()
}
