package shell

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A progress says at a terminal how far long work has come.
type progress struct {
	w     io.Writer // nil: nobody looks
	what  string
	began time.Time
	last  time.Time
	shown int // columns that are taken
}

// Work that is done within progressDelay needs no word; then there is one every
// progressInterval.
const (
	progressDelay    = 500 * time.Millisecond
	progressInterval = 100 * time.Millisecond
)

func (s *Shell) progress(what string) *progress {
	p := &progress{what: what, began: time.Now()}
	if s.Terminal != nil && !s.Terminal.plain {
		p.w = s.Terminal
	}
	return p
}

// at says that done of total are done; total is 0 if that is not known.
func (p *progress) at(done, total int) {
	now := time.Now()
	if p.w == nil || now.Sub(p.began) < progressDelay || now.Sub(p.last) < progressInterval {
		return
	}
	p.last = now
	text := fmt.Sprintf("%s: %d", p.what, done)
	if total > 0 {
		text = fmt.Sprintf("%s of %d (%d%%)", text, total, done*100/total)
	}
	fmt.Fprintf(p.w, "\r%s%s", text, strings.Repeat(" ", max(p.shown-len(text), 0)))
	p.shown = len(text)
}

// end takes away what was said.
func (p *progress) end() {
	if p.shown > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.shown))
		p.shown = 0
	}
}
