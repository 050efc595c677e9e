package schema

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"
)

// Quote writes a value so that Lex reads it as it is.
func Quote(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(":%.-_/@+,!*", r)
	})
	switch {
	case plain:
		return s
	case !strings.Contains(s, `"`):
		return `"` + s + `"`
	case !strings.Contains(s, `'`):
		return `'` + s + `'`
	}
	return `"` + strings.ReplaceAll(s, `"`, `"'"'"`) + `"`
}

// Format writes the command that gives an object what is set in m, one
// parameter a line. Secrets are written as they are.
func Format(op Op, m proto.Message) string { return FormatLines(op, m, "\n") }

// FormatLines writes the command as Format does, with lines that end as eol says.
func FormatLines(op Op, m proto.Message, eol string) string {
	var b strings.Builder
	k := KindOf(m)
	b.WriteString(k.Words + " " + string(op))
	first := true
	for _, p := range k.Params {
		if !p.Has(m) {
			continue
		}
		sep := " \\" + eol + "\t"
		if first && p.Key {
			sep = " "
		}
		first = false
		b.WriteString(sep + p.Name + "=" + Quote(p.Text(m)))
	}
	b.WriteString(eol)
	return b.String()
}

// IsEmpty reports whether m has nothing set but its keys.
func IsEmpty(m proto.Message) bool {
	for _, p := range KindOf(m).Params {
		if !p.Key && p.Has(m) {
			return false
		}
	}
	return true
}
