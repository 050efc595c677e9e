package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Word is one word of a command: a bare word, or a name with a value.
type Word struct {
	Line     int
	Name     string // the bare word, or what is before "="
	Value    string // what is after "=", without its quotes
	HasValue bool
	Quoted   bool // the word is not followed by a value and had quotes
}

// A SyntaxError is a fault in the text of a command.
type SyntaxError struct {
	Line int
	Msg  string
}

// Error gives the fault without the line, which the caller prefixes.
func (e *SyntaxError) Error() string { return e.Msg }

// Lex splits a text into commands and those into words.
//
// Blanks separate words. A command ends at the end of its line or at ";". A
// backslash at the end of a line joins it with the next one. A word that begins
// with "#" begins a comment. Double or single quotes keep everything between
// them as it is, line ends included. Blanks may stand around "=".
func Lex(text string) ([][]Word, error) {
	if !utf8.ValidString(text) {
		return nil, &SyntaxError{invalidLine(text), "expected text in UTF-8"}
	}
	l := lexer{rest: strings.TrimPrefix(text, "\ufeff"), line: 1}
	var commands [][]Word
	for l.rest != "" {
		words, err := l.command()
		if err != nil {
			return nil, err
		}
		if len(words) > 0 {
			commands = append(commands, words)
		}
	}
	return commands, nil
}

func invalidLine(text string) int {
	line := 1
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return line
			}
		}
		if r == '\n' {
			line++
		}
	}
	return line
}

type lexer struct {
	rest string
	line int
}

// command reads the words up to the end of a command and consumes that.
func (l *lexer) command() ([]Word, error) {
	var words []Word
	for {
		l.blanks()
		if l.atEnd() {
			l.end()
			return words, nil
		}
		w, err := l.word()
		if err != nil {
			return nil, err
		}
		words = append(words, w)
	}
}

// blanks skips blanks, joined lines and comments.
func (l *lexer) blanks() {
	for l.rest != "" {
		switch {
		case l.rest[0] == ' ' || l.rest[0] == '\t' || l.carriageReturn():
			l.rest = l.rest[1:]
		case l.joined() > 0:
			l.rest = l.rest[l.joined():]
			l.line++
		case l.rest[0] == '#':
			_, after, found := strings.Cut(l.rest, "\n")
			l.rest = after
			if found {
				l.rest = "\n" + after
			}
		default:
			return
		}
	}
}

// carriageReturn reports whether the rest begins with the first byte of CR LF.
func (l *lexer) carriageReturn() bool {
	return l.rest == "\r" || strings.HasPrefix(l.rest, "\r\n")
}

// joined returns the length of a backslash and the end of line after it, or 0.
func (l *lexer) joined() int {
	for _, s := range []string{"\\\n", "\\\r\n"} {
		if strings.HasPrefix(l.rest, s) {
			return len(s)
		}
	}
	return 0
}

func (l *lexer) atEnd() bool {
	return l.rest == "" || l.rest[0] == '\n' || l.rest[0] == ';'
}

func (l *lexer) end() {
	if l.rest == "" {
		return
	}
	if l.rest[0] == '\n' {
		l.line++
	}
	l.rest = l.rest[1:]
}

// word reads a bare word, or a name with its value.
func (l *lexer) word() (Word, error) {
	w := Word{Line: l.line}
	var err error
	if w.Name, w.Quoted, err = l.text(true); err != nil {
		return w, err
	}
	if w.Quoted || !l.equals() {
		return w, nil
	}
	if w.Name == "" {
		return w, &SyntaxError{l.line, `expected the name of a parameter before "="`}
	}
	w.HasValue = true
	if l.rest == "" || strings.ContainsRune(" \t\r\n;\\", rune(l.rest[0])) && !l.valueFollows() {
		return w, nil
	}
	w.Value, _, err = l.text(false)
	return w, err
}

// equals consumes "=" with blanks before it.
func (l *lexer) equals() bool {
	saved := *l
	l.blanks()
	if strings.HasPrefix(l.rest, "=") {
		l.rest = l.rest[1:]
		return true
	}
	*l = saved
	return false
}

// valueFollows skips the blanks between "=" and a value. Where a command ends,
// or where the next word has an "=" of its own, the value is empty.
func (l *lexer) valueFollows() bool {
	saved := *l
	l.blanks()
	if !l.atEnd() {
		ahead := *l
		_, quoted, err := ahead.text(true)
		if err != nil || quoted || !ahead.equals() {
			return true
		}
	}
	*l = saved
	return false
}

// text reads up to a blank or the end of the command. A name ends at "=" too.
func (l *lexer) text(name bool) (text string, quoted bool, err error) {
	var b strings.Builder
	for !l.atEnd() {
		c := l.rest[0]
		switch {
		case c == ' ' || c == '\t' || l.carriageReturn() || l.joined() > 0 || name && c == '=':
			return b.String(), quoted, nil
		case c == '"' || c == '\'':
			s, err := l.quoted(c)
			if err != nil {
				return "", false, err
			}
			b.WriteString(s)
			quoted = true
		default:
			b.WriteByte(c)
			l.rest = l.rest[1:]
		}
	}
	return b.String(), quoted, nil
}

func (l *lexer) quoted(quote byte) (string, error) {
	s, after, ok := strings.Cut(l.rest[1:], string(quote))
	if !ok {
		return "", &SyntaxError{l.line, fmt.Sprintf("expected a closing %c", quote)}
	}
	l.line += strings.Count(s, "\n")
	l.rest = after
	return s, nil
}

// Words makes words of the arguments of a program: each is a word or
// NAME=VALUE. A single argument with blanks is a whole command.
func Words(args []string) ([]Word, error) {
	if len(args) == 1 && strings.ContainsAny(args[0], " \t\n") {
		commands, err := Lex(args[0])
		if err != nil {
			return nil, err
		}
		if len(commands) > 1 {
			return nil, &SyntaxError{1, "expected one command"}
		}
		if len(commands) == 1 {
			return commands[0], nil
		}
		return nil, nil
	}
	words := make([]Word, 0, len(args))
	for _, arg := range args {
		w := Word{Line: 1}
		w.Name, w.Value, w.HasValue = strings.Cut(arg, "=")
		words = append(words, w)
	}
	return words, nil
}
