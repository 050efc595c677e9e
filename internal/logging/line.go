package logging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// newLines logs a line of text or JSON each. Both escape what is not printable.
func newLines(w io.Writer, format string, time bool) slog.Handler {
	o := &slog.HandlerOptions{Level: everything}
	if !time {
		o.ReplaceAttr = without(slog.TimeKey)
	}
	if format == "json" {
		return slog.NewJSONHandler(printable{w, escapeJSON}, o)
	}
	return slog.NewTextHandler(printable{w, escapeText}, o)
}

// printable escapes what slog leaves as it is, but a terminal minds: DEL for
// one, and in JSON what turns the direction of writing.
type printable struct {
	io.Writer
	escape func(rune) string
}

// Write is io.Writer's, for one line.
func (p printable) Write(b []byte) (int, error) {
	line := bytes.TrimSuffix(b, []byte("\n"))
	if bytes.IndexFunc(line, unprintable) < 0 {
		return p.Writer.Write(b)
	}
	_, err := io.WriteString(p.Writer, escaped(string(line), p.escape)+"\n")
	return len(b), err
}

// escaped replaces what is not printable.
func escaped(s string, escape func(rune) string) string {
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escapeText writes a rune as Go does.
func escapeText(r rune) string {
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// escapeJSON writes a rune as JSON does in strings, where alone there are any.
func escapeJSON(r rune) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune{r}) {
		fmt.Fprintf(&b, `\u%04x`, u)
	}
	return b.String()
}

func unprintable(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }

// without leaves attributes of slog's own out.
func without(keys ...string) func([]string, slog.Attr) slog.Attr {
	return func(groups []string, a slog.Attr) slog.Attr {
		for _, k := range keys {
			if a.Key == k && len(groups) == 0 {
				return slog.Attr{}
			}
		}
		return a
	}
}

// A sender puts a record together with its line, "message key=value ...", and
// sends both: to a target that has a place of its own for time and level.
type sender struct {
	*scratch
	attrs slog.Handler // writes key=value into scratch
	own   []slog.Attr  // of WithAttrs, for those who want them one by one
	send  func(line string, r slog.Record, own []slog.Attr)
}

// A scratch is where a line is put together. One is enough for a target.
type scratch struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func newSender(send func(line string, r slog.Record, own []slog.Attr)) *sender {
	s := &sender{scratch: new(scratch), send: send}
	s.attrs = slog.NewTextHandler(&s.buf, &slog.HandlerOptions{
		Level:       everything,
		ReplaceAttr: without(slog.TimeKey, slog.LevelKey, slog.MessageKey),
	})
	return s
}

// Enabled is slog.Handler's.
func (s *sender) Enabled(context.Context, slog.Level) bool { return true }

// Handle is slog.Handler's.
func (s *sender) Handle(ctx context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
	if err := s.attrs.Handle(ctx, r); err != nil {
		return err
	}
	line := OneLine(r.Message)
	if rest := strings.TrimSpace(s.buf.String()); rest != "" {
		line += " " + OneLine(rest)
	}
	s.send(line, r, s.own)
	return nil
}

// WithAttrs is slog.Handler's.
func (s *sender) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *s
	c.attrs = s.attrs.WithAttrs(attrs)
	c.own = append(s.own[:len(s.own):len(s.own)], attrs...)
	return &c
}

// WithGroup is slog.Handler's.
func (s *sender) WithGroup(name string) slog.Handler {
	c := *s
	c.attrs = s.attrs.WithGroup(name)
	return &c
}

// OneLine escapes what is not printable, so that a text is one line and harms
// no terminal.
func OneLine(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	return escaped(s, escapeText)
}
