package schema_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"culvert/internal/schema"
)

// In a file a "#" begins a comment wherever it stands outside of quotes.
func TestLexFile(t *testing.T) {
	tests := []struct {
		text, value string
		warnings    int
	}{
		{"a v=x#y", "x", 1},
		{"a v=\"x\"#y", "x", 0},
		{"a v=\"x#y\"", "x#y", 0},
		{"a v=x #y", "x", 0},
		{"a v= #y", "", 0},
		{"a v= \\\n\tx", "x", 0},
	}
	for _, tt := range tests {
		commands, faults, warnings := schema.LexFile(tt.text)
		if len(faults) > 0 || len(warnings) != tt.warnings || commands[0][1].Value != tt.value {
			t.Errorf("%q: %v, faults %v, warnings %v", tt.text, commands, faults, warnings)
		}
	}
}

// Faults do not keep those behind them from being found, but quotes that do not
// close do.
func TestLexFileFaults(t *testing.T) {
	_, faults, _ := schema.LexFile("a\n =x b\nc v=#\nd 'x' =\ne \"\nf =y")
	var got []string
	for _, f := range faults {
		got = append(got, f.Msg)
	}
	want := `expected the name of a parameter before "="|` +
		`parameter "v": expected a value; one with # in it stands between quotes|` +
		`expected the name of a parameter before "="|expected a closing "`
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
}

// Every word is where its position says, and its value too.
func FuzzLex(f *testing.F) {
	f.Add("a b=c # d\n\te = \"f\ng\" \\\n h;i")
	f.Add("\ufeffж 'x'=\r\n ==")
	f.Fuzz(func(t *testing.T, text string) {
		commands, faults, warnings := schema.LexFile(text)
		for _, e := range append(faults, warnings...) {
			checkPosition(t, text, e.Position)
		}
		if !utf8.ValidString(text) && len(faults) == 0 {
			t.Fatalf("%q is taken", text)
		}
		last := 0
		for _, words := range commands {
			for _, w := range words {
				checkPosition(t, text, w.Position)
				if w.Offset < last || w.End < w.Offset || w.End > len(text) {
					t.Fatalf("%q: %+v after %d", text, w, last)
				}
				last = w.End
				if w.HasValue {
					checkPosition(t, text, w.ValueAt)
				}
			}
			if end := schema.CommandEnd(text, last); end < last || end > len(text) {
				t.Fatalf("%q: the command ends at %d", text, end)
			}
		}
	})
}

func checkPosition(t *testing.T, text string, at schema.Position) {
	t.Helper()
	before := text[:at.Offset]
	line := before[strings.LastIndexByte(before, '\n')+1:]
	if at.Line == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	if at.Line != strings.Count(before, "\n")+1 || at.Column != utf8.RuneCountInString(line)+1 {
		t.Fatalf("%q: %+v", text, at)
	}
}
