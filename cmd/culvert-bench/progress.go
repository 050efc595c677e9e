package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"culvert/internal/bench"
)

// plainInterval is how often progress is told, unless asked otherwise, where it cannot
// replace what was told before.
const plainInterval = 10 * time.Second

// A ticker shows progress: one line again and again on a terminal, lines elsewhere.
type ticker struct {
	w        io.Writer
	terminal bool
	interval time.Duration // elsewhere
	last     time.Duration
}

func newTicker(w io.Writer, interval time.Duration) *ticker {
	f, ok := w.(*os.File)
	return &ticker{w: w, interval: interval, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (t *ticker) tell(p bench.Progress) {
	switch {
	case t.terminal && p.Last:
		fmt.Fprint(t.w, "\r\x1b[K")
	case t.terminal:
		fmt.Fprintf(t.w, "\r\x1b[K%s", p)
	case p.At-t.last >= t.interval || p.Last:
		t.last = p.At
		fmt.Fprintln(t.w, p)
	}
}
