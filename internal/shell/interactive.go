package shell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/ergochat/readline"

	"culvert/internal/schema"
)

// Interact reads commands at the terminal and carries them out, until the user
// leaves.
func (s *Shell) Interact(ctx context.Context) error {
	if s.Terminal.plain {
		return s.interactPlain(ctx)
	}
	e, err := newEditor(s)
	if err != nil {
		return err
	}
	defer e.close()
	for !s.leaving && ctx.Err() == nil {
		line, err := e.read()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case err != nil:
			if s.configuring {
				s.configuring = false
				continue
			}
			return nil
		}
		s.obey(ctx, line)
	}
	return nil
}

// interactPlain serves a terminal that obeys no escape sequences, which edits
// lines by itself.
func (s *Shell) interactPlain(ctx context.Context) error {
	lines := bufio.NewScanner(s.Terminal)
	for !s.leaving && ctx.Err() == nil {
		fmt.Fprint(s.Terminal, s.prompt())
		if !lines.Scan() {
			fmt.Fprintln(s.Terminal)
			return lines.Err()
		}
		s.obey(ctx, lines.Text())
	}
	return nil
}

// prompt says which daemon commands are for, and the mode.
func (s *Shell) prompt() string {
	prompt := "l2tp"
	if s.other || s.Server.Host != "" {
		prompt += "-" + shownOr(s.Server.Host, s.Server.Socket)
	}
	if s.configuring {
		prompt += "(config)"
	}
	return prompt + "> "
}

// obey carries out the commands of a line. ^C ends them, not the shell.
func (s *Shell) obey(ctx context.Context, line string) {
	commands, err := schema.Lex(line)
	if err != nil {
		s.complain(line, err)
		return
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	for _, words := range commands {
		if err := s.obeyOne(ctx, words); err != nil {
			s.complain(line, err)
			return
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(s.Terminal)
	}
}

// obeyOne carries out one command, whose output is paged.
func (s *Shell) obeyOne(ctx context.Context, words []schema.Word) error {
	s.out, s.format, s.width = s.Terminal, s.Output, s.Terminal.Width()
	defer func() { s.out = nil }()
	if s.unpaged || s.Terminal.plain || followed(words) {
		return s.run(ctx, words)
	}
	p := newPager(s.Terminal)
	s.out = p
	err := s.run(ctx, words)
	p.end()
	return err
}

// followed reports whether a command goes on until ^C: what it shows is not
// kept back for whole pages.
func followed(words []schema.Word) bool {
	first := strings.ToLower(words[0].Name)
	for _, w := range words {
		if w.Name == "follow" {
			return true
		}
	}
	return len(first) > 1 && (strings.HasPrefix("watch", first) || strings.HasPrefix("capture", first))
}

// complain says why a command was not carried out, and marks the place.
func (s *Shell) complain(line string, err error) {
	if errors.Is(err, errStopped) {
		return
	}
	if column := column(err); column > 0 && !strings.Contains(line, "\n") {
		room := s.Terminal.Width() - len(s.prompt())
		if column <= room {
			fmt.Fprintf(s.Terminal, "%s^\n", strings.Repeat(" ", len(s.prompt())+column-1))
		}
	}
	red := style(s.Terminal.colour)
	for _, line := range wrap(printable(err.Error()), max(s.Terminal.Width()-1, 20)) {
		fmt.Fprintln(s.Terminal, red.red(line))
	}
}

// An editor reads lines at the terminal.
type editor struct {
	s       *Shell
	rl      *readline.Instance
	history *history

	line   []rune // up to the last key
	pos    int
	listed string // the line for which TAB found nothing to add
	search bool   // ^R or ^S was pressed
	text   []byte // to be shown page by page
}

func newEditor(s *Shell) (*editor, error) {
	e := &editor{s: s, history: openHistory()}
	limit := e.history.limit
	if limit == 0 {
		limit = -1
	}
	rl, err := readline.NewFromConfig(&readline.Config{
		Stdin: s.Terminal, Stdout: e, Stderr: s.Terminal,
		FuncIsTerminal:         func() bool { return true },
		HistoryLimit:           limit,
		DisableAutoSaveHistory: true,
		HistorySearchFold:      true,
		Undo:                   true,
		AutoComplete:           e,
		Listener:               e.pressed,
		FuncFilterInputRune:    e.filter,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the terminal: %w", err)
	}
	e.rl = rl
	for _, line := range e.history.lines {
		_ = rl.SaveToHistory(line)
	}
	return e, nil
}

func (e *editor) close() { _ = e.rl.Close() }

// read reads a line and keeps it in the history, without secrets.
func (e *editor) read() (string, error) {
	e.rl.SetPrompt(e.s.prompt())
	line, err := e.rl.ReadLine()
	if err != nil {
		return "", err
	}
	if kept := e.history.add(line); kept != "" {
		_ = e.rl.SaveToHistory(kept)
	}
	return line, nil
}

// pressed is told the line after each key.
func (e *editor) pressed(line []rune, pos int, key rune) ([]rune, int, bool) {
	e.line, e.pos = line, pos
	switch key {
	case readline.CharBckSearch, readline.CharFwdSearch:
		e.search = true
	case 0, readline.CharEnter, readline.CharCtrlJ, readline.CharInterrupt, readline.CharBell,
		readline.CharLineStart, readline.CharLineEnd:
		e.search = false
	}
	return nil, 0, false
}

// filter sees each key first: ? gives help wherever it is no part of a text.
func (e *editor) filter(r rune) (rune, bool) {
	if r != '?' || e.search {
		return r, true
	}
	before := string(e.line[:min(e.pos, len(e.line))])
	if c := scanLine(before); c.last.quote != 0 || c.comment || inPattern(c) {
		return r, true
	}
	e.print("?", e.s.helpAt(before))
	return 0, false
}

// inPattern reports whether the cursor is in the regular expression of a filter.
func inPattern(c scan) bool {
	for i, w := range c.words {
		if isPipe(w) {
			return w.Name != "|" || len(c.words) > i+1
		}
	}
	return false
}

// print shows text below the line, page by page, and the line again.
func (e *editor) print(key, text string) {
	e.text = []byte(e.s.prompt() + string(e.line) + key + "\n" + text)
	_, _ = e.rl.Write(e.text)
	e.text = nil
}

// Write writes what the line editor writes. It takes the line away before it
// passes on a text of ours, and brings it back behind it.
func (e *editor) Write(b []byte) (int, error) {
	if len(e.text) == 0 || !bytes.Equal(b, e.text) {
		return e.s.Terminal.Write(b)
	}
	_, _ = newPager(e.s.Terminal).Write(b)
	return len(b), nil
}

// Do answers TAB: it adds what is certain, and lists what can be where nothing is.
func (e *editor) Do(line []rune, pos int) ([][]rune, int) {
	e.line, e.pos = line, pos
	before := string(line[:pos])
	c := e.s.completing(before)
	if text := c.insertion(); text != "" {
		return [][]rune{[]rune(text)}, pos
	}
	if len(c.candidates) == 0 {
		return nil, 0
	}
	if e.listed == before || len(c.candidates) == 1 {
		e.print("", e.s.candidateColumns(&c))
	}
	e.listed = before
	return nil, 0
}
