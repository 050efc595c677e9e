package shell

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A pager stops what is written to the terminal at the end of each page, until
// the user wants more.
type pager struct {
	t      *Terminal
	height int // lines of a page
	width  int

	shown   int    // lines since the last stop
	endless bool   // the user wants no more stops
	sought  string // lines are skipped up to one with this
	line    strings.Builder
}

// pagerHelp is what the pager says at the end of a page.
const pagerHelp = "-- more: space page, enter line, / find, G all, q quit --"

func newPager(t *Terminal) *pager {
	width, height := t.size()
	return &pager{t: t, height: max(height-1, 2), width: max(width, 20)}
}

// Write passes lines until a page is full. It fails with errStopped once the
// user has seen enough.
func (p *pager) Write(b []byte) (int, error) {
	for _, part := range strings.SplitAfter(string(b), "\n") {
		p.line.WriteString(part)
		if !strings.HasSuffix(part, "\n") {
			continue
		}
		line := p.line.String()
		p.line.Reset()
		if err := p.pass(line); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// pass writes a line, after a stop if it would not be on the page.
func (p *pager) pass(line string) error {
	if p.sought != "" {
		if !strings.Contains(strings.ToLower(unstyled(line)), p.sought) {
			return nil
		}
		p.sought = ""
	}
	rows := 1 + max(utf8.RuneCountInString(unstyled(line))-2, 0)/p.width
	if !p.endless && p.shown+rows > p.height {
		if err := p.stop(); err != nil {
			return err
		}
	}
	if p.sought != "" {
		return p.pass(line)
	}
	p.shown += rows
	_, err := io.WriteString(p.t, line)
	return err
}

// stop asks what to do at the end of a page.
func (p *pager) stop() error {
	defer func() { _, _ = io.WriteString(p.t, "\r\x1b[K") }()
	text := cut(pagerHelp, p.width-1)
	for {
		key, err := p.t.key(text)
		text = ""
		if err != nil {
			return errStopped
		}
		switch key {
		case ' ', 'f':
			p.shown = 0
		case keyEnter, '\n', 'j':
			p.shown = p.height - 1
		case 'G':
			p.endless = true
		case '/':
			return p.find()
		case 'q', 'Q', keyInterrupt, keyEOF:
			return errStopped
		default:
			continue
		}
		return nil
	}
}

// find asks for a word and has lines skipped up to the next one with it.
func (p *pager) find() error {
	word, ok := p.t.line("\r\x1b[K/")
	if !ok {
		return errStopped
	}
	p.sought, p.shown = strings.ToLower(word), 0
	return nil
}

// end writes what has no line end, and says if nothing was found.
func (p *pager) end() {
	if p.sought != "" {
		fmt.Fprintf(p.t, "not found: %s\n", p.sought)
	}
	_, _ = io.WriteString(p.t, p.line.String())
}
