package shell

import (
	"strings"

	"culvert/internal/schema"
)

// A partial is the word that a line ends with, which may be empty.
type partial struct {
	raw   string // as it was typed, quotes included
	name  string
	has   bool   // there is an "="
	value string // without quotes
	quote byte   // that is still open
}

// A scan is the beginning of a line, up to the cursor, taken to pieces. Unlike
// schema.Lex it takes what is not finished.
type scan struct {
	words   []schema.Word // of the last command, the partial one apart
	last    partial
	comment bool // the cursor is in a comment
}

// scanLine takes the beginning of a line to pieces.
func scanLine(line string) scan {
	var s scan
	rest := line
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		switch {
		case rest == "":
			s.last = partial{}
			return s
		case rest[0] == '#':
			_, after, ok := strings.Cut(rest, "\n")
			if !ok {
				s.comment = true
				return s
			}
			s.words, rest = nil, after
			continue
		case rest[0] == ';':
			s.words, rest = nil, rest[1:]
			continue
		}
		p, after := scanWord(rest)
		if after == "" {
			s.last = p
			return s
		}
		s.words = append(s.words, p.word())
		rest = after
	}
}

// scanWord reads a word up to a blank or the end of a command.
func scanWord(text string) (p partial, rest string) {
	i := 0
	var b strings.Builder
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case p.quote != 0 && c == p.quote:
			p.quote = 0
			continue
		case p.quote != 0:
		case c == '"' || c == '\'':
			p.quote = c
			continue
		case strings.IndexByte(" \t\r\n;", c) >= 0:
			return p.done(text[:i], b.String()), text[i:]
		case c == '=' && !p.has && i > 0:
			p.has, p.name = true, b.String()
			b.Reset()
			continue
		}
		b.WriteByte(c)
	}
	return p.done(text, b.String()), ""
}

func (p partial) done(raw, text string) partial {
	p.raw = raw
	if p.has {
		p.value = text
	} else {
		p.name = text
	}
	return p
}

func (p partial) word() schema.Word {
	return schema.Word{Name: p.name, Value: p.value, HasValue: p.has,
		Quoted: !p.has && strings.ContainsAny(p.raw, `"'`)}
}

// typed is what there is already of the thing to be completed.
func (p partial) typed() string {
	if p.has {
		return p.value
	}
	return p.name
}
