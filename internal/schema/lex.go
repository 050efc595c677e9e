package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Position is a place in a text.
type Position struct {
	Line   int // from 1
	Column int // from 1, in characters
	Offset int // from 0, in bytes
}

// A Word is one word of a command: a bare word, or a name with a value.
type Word struct {
	Position        // where it begins
	Name     string // the bare word, or what is before "="
	Value    string // what is after "=", without its quotes
	HasValue bool
	Quoted   bool // the word is not followed by a value and had quotes

	ValueAt Position // where the value begins, quotes included
	End     int      // the offset behind the word and its value
}

// A SyntaxError is a fault in the text of a command.
type SyntaxError struct {
	Position
	Msg string
}

// Error gives the fault without the position, which the caller prefixes.
func (e *SyntaxError) Error() string { return e.Msg }

// Lex splits a text into commands and those into words.
//
// Blanks separate words. A command ends at the end of its line or at ";". A
// backslash at the end of a line joins it with the next one. A word that begins
// with "#" begins a comment. Double or single quotes keep everything between
// them as it is, line ends included. Blanks may stand around "=".
func Lex(text string) ([][]Word, error) {
	commands, faults := lex(&lexer{}, text)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	return commands, nil
}

// LexFile splits the text of a file as Lex does, and returns all faults that it
// finds. In a file a "#" begins a comment inside of words too, as openl2tp reads
// it; warnings say where.
func LexFile(text string) (commands [][]Word, faults, warnings []*SyntaxError) {
	l := &lexer{file: true}
	commands, faults = lex(l, text)
	return commands, faults, l.warnings
}

func lex(l *lexer, text string) (commands [][]Word, faults []*SyntaxError) {
	*l = lexer{text: text, rest: text, line: 1, file: l.file}
	l.skip("\ufeff")
	if at := invalidUTF8(l.rest); at >= 0 {
		l.advance(at)
		return nil, []*SyntaxError{l.fault(l.position(), "expected text in UTF-8")}
	}
	for l.rest != "" {
		words, fault := l.command()
		switch {
		case fault != nil:
			faults = append(faults, fault)
			l.recover()
		case len(words) > 0:
			commands = append(commands, words)
		}
	}
	return commands, faults
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(text[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

type lexer struct {
	text      string
	rest      string
	line      int
	lineStart int // offset of the line, behind a byte order mark
	file      bool
	warnings  []*SyntaxError
}

func (l *lexer) position() Position {
	at := len(l.text) - len(l.rest)
	return Position{l.line, utf8.RuneCountInString(l.text[l.lineStart:at]) + 1, at}
}

func (l *lexer) fault(at Position, format string, args ...any) *SyntaxError {
	return &SyntaxError{at, fmt.Sprintf(format, args...)}
}

// advance consumes n bytes.
func (l *lexer) advance(n int) {
	passed := l.rest[:n]
	l.rest = l.rest[n:]
	if lines := strings.Count(passed, "\n"); lines > 0 {
		l.line += lines
		l.lineStart = len(l.text) - len(l.rest) - len(passed) + strings.LastIndexByte(passed, '\n') + 1
	}
}

// skip consumes a byte order mark, which is no part of the first line.
func (l *lexer) skip(mark string) {
	if strings.HasPrefix(l.rest, mark) {
		l.advance(len(mark))
		l.lineStart = len(mark)
	}
}

// command reads the words up to the end of a command and consumes that.
func (l *lexer) command() ([]Word, *SyntaxError) {
	var words []Word
	for {
		l.blanks()
		if l.atEnd() {
			l.end()
			return words, nil
		}
		w, fault := l.word()
		if fault != nil {
			return nil, fault
		}
		words = append(words, w)
	}
}

// recover skips what remains of a command that has a fault. Behind quotes that
// do not close nothing can be said of the rest.
func (l *lexer) recover() {
	for {
		l.blanks()
		if l.atEnd() {
			l.end()
			return
		}
		if _, _, fault := l.textOf(false); fault != nil {
			l.rest = ""
			return
		}
	}
}

// blanks skips blanks, joined lines and comments.
func (l *lexer) blanks() {
	for l.rest != "" {
		switch {
		case l.rest[0] == ' ' || l.rest[0] == '\t' || l.carriageReturn():
			l.advance(1)
		case l.joined() > 0:
			l.advance(l.joined())
		case l.rest[0] == '#':
			n := strings.IndexByte(l.rest, '\n')
			if n < 0 {
				n = len(l.rest)
			}
			l.advance(n)
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
	if l.rest != "" {
		l.advance(1)
	}
}

// word reads a bare word, or a name with its value.
func (l *lexer) word() (w Word, fault *SyntaxError) {
	w.Position = l.position()
	w.Name, w.Quoted, fault = l.textOf(true)
	w.End = len(l.text) - len(l.rest)
	if fault != nil || w.Quoted || !l.equals() {
		return w, fault
	}
	if w.Name == "" {
		return w, l.fault(w.Position, `expected the name of a parameter before "="`)
	}
	w.HasValue = true
	w.ValueAt = l.position()
	if l.file && strings.HasPrefix(l.rest, "#") {
		return w, l.fault(w.ValueAt, `parameter %s: expected a value; one with # in it stands between quotes`,
			quoted(w.Name))
	}
	if l.rest != "" && (!strings.ContainsRune(" \t\r\n;\\", rune(l.rest[0])) || l.valueFollows()) {
		w.ValueAt = l.position()
		w.Value, _, fault = l.textOf(false)
	}
	w.End = len(l.text) - len(l.rest)
	return w, fault
}

// equals consumes "=" with blanks before it.
func (l *lexer) equals() bool {
	saved := *l
	l.blanks()
	if strings.HasPrefix(l.rest, "=") {
		l.advance(1)
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
		_, quoted, fault := ahead.textOf(true)
		if fault != nil || quoted || !ahead.equals() {
			return true
		}
	}
	*l = saved
	return false
}

// textOf reads up to a blank or the end of the command. A name ends at "=" too.
func (l *lexer) textOf(name bool) (text string, quoted bool, fault *SyntaxError) {
	var b strings.Builder
	for !l.atEnd() {
		c := l.rest[0]
		switch {
		case c == ' ' || c == '\t' || l.carriageReturn() || l.joined() > 0 || name && c == '=':
			return b.String(), quoted, nil
		case c == '#' && l.file:
			l.commentInWord()
			return b.String(), quoted, nil
		case c == '"' || c == '\'':
			s, fault := l.quoted(c)
			if fault != nil {
				return "", false, fault
			}
			b.WriteString(s)
			quoted = true
		default:
			b.WriteByte(c)
			l.advance(1)
		}
	}
	return b.String(), quoted, nil
}

// commentInWord warns of a "#" that seems to belong to a word. Behind a closing quote
// it does not.
func (l *lexer) commentInWord() {
	at := l.position()
	if before := l.text[at.Offset-1]; before != '"' && before != '\'' {
		l.warnings = append(l.warnings, l.fault(at,
			"# begins a comment here; a value with # in it stands between quotes"))
	}
}

func (l *lexer) quoted(quote byte) (string, *SyntaxError) {
	s, _, ok := strings.Cut(l.rest[1:], string(quote))
	if !ok {
		return "", l.fault(l.position(), "expected a closing %c", quote)
	}
	l.advance(len(s) + 2)
	return s, nil
}

// CommandEnd returns the offset behind the end of a command in a file, a comment and
// the end of its line included, whose last word ends at an offset.
func CommandEnd(text string, at int) int {
	l := lexer{text: text, rest: text[at:], line: 1, file: true}
	l.blanks()
	l.end()
	return len(text) - len(l.rest)
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
			return nil, &SyntaxError{commands[1][0].Position, "expected one command"}
		}
		if len(commands) == 1 {
			return commands[0], nil
		}
		return nil, nil
	}
	words := make([]Word, 0, len(args))
	column := 1
	for _, arg := range args {
		at := Position{Line: 1, Column: column, Offset: column - 1}
		w := Word{Position: at, ValueAt: at}
		w.Name, w.Value, w.HasValue = strings.Cut(arg, "=")
		if w.HasValue {
			w.ValueAt.Column += utf8.RuneCountInString(w.Name) + 1
		}
		words = append(words, w)
		column += utf8.RuneCountInString(arg) + 1
	}
	return words, nil
}
