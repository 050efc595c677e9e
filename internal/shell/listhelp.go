package shell

import (
	"context"
	"strings"

	"culvert/internal/schema"
)

// helpAt is what ? shows at the end of a line: what can stand there.
func (s *Shell) helpAt(before string) string {
	c := s.completing(before)
	var b strings.Builder
	if c.note != "" {
		for _, line := range wrap("<"+c.note+">", max(s.Terminal.Width()-3, 20)) {
			b.WriteString("  " + line + "\n")
		}
	}
	_ = writeRows(&b, candidateRows(&c), s.Terminal.Width())
	if isComplete(before) {
		b.WriteString("  <enter>\n")
	}
	if b.Len() == 0 {
		return "  nothing is known that can stand here\n"
	}
	return b.String()
}

// isComplete reports whether the line would be a command as it is.
func isComplete(before string) bool {
	c := scanLine(before)
	words := c.words
	if c.last.raw != "" || len(words) == 0 {
		return false
	}
	n, used, err := grammar().resolve(words)
	if err != nil {
		return false
	}
	if n.verb != nil {
		_, err := newCall(context.TODO(), n.verb, words[used:])
		return err == nil
	}
	_, err = parse(n.kind, n.op, words[used:], schema.Position{})
	return n.operator || err == nil
}

// candidateColumns lists candidates in as many columns as fit.
func (s *Shell) candidateColumns(c *completion) string {
	width := s.Terminal.Width()
	longest := 0
	for _, o := range c.candidates {
		longest = max(longest, visible(o.text)+2)
	}
	columns := max(width/max(longest, 1), 1)
	rows := (len(c.candidates) + columns - 1) / columns
	var b strings.Builder
	for row := range rows {
		var line strings.Builder
		for i := row; i < len(c.candidates); i += rows {
			text := printable(c.candidates[i].text)
			line.WriteString(text + strings.Repeat(" ", max(longest-visible(text), 0)))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
