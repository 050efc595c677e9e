package shell

import (
	"bytes"
	"io"
	"os"

	"golang.org/x/term"
)

// A Terminal is where the user sits. Bytes are read from it one at a time, so
// that what was typed ahead is there for whoever reads next.
type Terminal struct {
	in, out *os.File
	plain   bool // it obeys no escape sequences
	colour  bool

	answer []byte // to the question where the cursor is
}

// OpenTerminal returns the terminal that in and out are, or nil if they are not.
func OpenTerminal(in io.Reader, out io.Writer) *Terminal {
	i, okIn := in.(*os.File)
	o, okOut := out.(*os.File)
	if !okIn || !okOut || !term.IsTerminal(int(i.Fd())) || !term.IsTerminal(int(o.Fd())) {
		return nil
	}
	kind := os.Getenv("TERM")
	return &Terminal{in: i, out: o, plain: kind == "" || kind == "dumb", colour: wantsColour()}
}

// Width is how many columns the terminal has.
func (t *Terminal) Width() int {
	width, _ := t.size()
	return width
}

func (t *Terminal) size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// Read reads one byte.
func (t *Terminal) Read(b []byte) (int, error) {
	if len(t.answer) > 0 {
		n := copy(b, t.answer)
		t.answer = t.answer[n:]
		return n, nil
	}
	return t.in.Read(b[:min(len(b), 1)])
}

var (
	whereIsCursor = []byte("\x1b[6n")
	atFirstColumn = []byte("\x1b[1;1R")
)

// Write writes to the terminal. The line editor asks terminals where the cursor
// is, and would wait for ever for one that does not answer. As every command
// ends its output with a line end, the answer is known.
func (t *Terminal) Write(b []byte) (int, error) {
	n := len(b)
	if bytes.Contains(b, whereIsCursor) {
		b = bytes.ReplaceAll(b, whereIsCursor, nil)
		t.answer = atFirstColumn
	}
	if !t.colour {
		b = styles.ReplaceAll(bytes.Clone(b), nil)
	}
	if _, err := t.out.Write(b); err != nil {
		return 0, err
	}
	return n, nil
}

// raw makes keys come at once, unseen, ^C among them. What it returns undoes it.
func (t *Terminal) raw() (restore func()) {
	old, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(t.in.Fd()), old) }
}

// Keys that do something.
const (
	keyInterrupt = 3
	keyEOF       = 4
	keyBackspace = 8
	keyEnter     = '\r'
	keyDelete    = 127
)

// key shows a text and waits for a key.
func (t *Terminal) key(text string) (byte, error) {
	defer t.raw()()
	_, _ = io.WriteString(t, text)
	b := make([]byte, 1)
	_, err := t.Read(b)
	return b[0], err
}

// line shows a question and reads a line, which is not kept in the history. It
// returns false if the user gave up.
func (t *Terminal) line(question string) (string, bool) {
	defer t.raw()()
	_, _ = io.WriteString(t, question)
	var text []byte
	b := make([]byte, 1)
	for {
		if _, err := t.Read(b); err != nil {
			return "", false
		}
		switch c := b[0]; {
		case c == keyEnter || c == '\n':
			_, _ = io.WriteString(t.out, "\r\n")
			return string(text), true
		case c == keyInterrupt || c == keyEOF:
			_, _ = io.WriteString(t.out, "^C\r\n")
			return "", false
		case (c == keyBackspace || c == keyDelete) && len(text) > 0:
			text = text[:len(text)-1]
			_, _ = io.WriteString(t.out, "\b \b")
		case c >= ' ' && c != keyDelete:
			text = append(text, c)
			_, _ = t.out.Write(b)
		}
	}
}
