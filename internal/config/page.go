package config

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/internal/schema"
)

// A page is a text that is being changed: offsets are those of the text as it was.
type page struct {
	text    string
	eol     string
	lines   [][]schema.Word
	cuts    []span
	inserts []insert
}

type span struct{ from, to int }

type insert struct {
	at   int
	text string
}

func newPage(text string) *page {
	p := &page{text: text, eol: "\n"}
	p.lines, _, _ = schema.LexFile(text)
	first := text
	if len(p.lines) > 0 {
		words := p.lines[0]
		first = text[:p.lineAfter(words[len(words)-1].End)]
	}
	if strings.HasSuffix(first, "\r\n") {
		p.eol = "\r\n"
	}
	return p
}

// cut removes what is between two offsets.
func (p *page) cut(from, to int) { p.cuts = append(p.cuts, span{from, to}) }

// setValue replaces the value of a word by what m has.
func (p *page) setValue(w schema.Word, q *schema.Param, m proto.Message) {
	if !w.HasValue {
		p.put(w.End, "="+schema.Quote(q.Text(m)))
		return
	}
	p.cut(w.ValueAt.Offset, w.End)
	p.put(w.ValueAt.Offset, quoteAs(p.text[w.ValueAt.Offset:w.End], q, m))
}

// add puts a word behind the last one of a statement: in a line of its own if the others
// have, or if the line gets long.
func (p *page) add(words []schema.Word, word string) {
	first, last := words[0], words[len(words)-1]
	said := p.text[first.Offset:last.End]
	if strings.Contains(said, "\\\n") || strings.Contains(said, "\\\r\n") || len(said)+len(word) > 100 {
		p.put(last.End, " \\"+p.eol+"\t"+word)
		return
	}
	p.put(last.End, " "+word)
}

func (p *page) put(at int, text string) { p.inserts = append(p.inserts, insert{at, text}) }

// insert puts the statement that makes an object between lines.
func (p *page) insert(at int, op schema.Op, m proto.Message) {
	statement := p.eol + schema.FormatLines(op, m, p.eol)
	if at > 0 && p.text[at-1] != '\n' {
		statement = p.eol + statement
	}
	if firstLine(p.text[at:]) != "" {
		statement += p.eol
	}
	p.put(at, statement)
}

// lineAfter is where the line behind a statement begins, whose last word ends at an
// offset.
func (p *page) lineAfter(end int) int {
	end = schema.CommandEnd(p.text, end)
	if end > 0 && p.text[end-1] == '\n' {
		return end
	}
	if i := strings.IndexByte(p.text[end:], '\n'); i >= 0 && p.blankOrComment(end, end+i) {
		return end + i + 1
	}
	if p.blankOrComment(end, len(p.text)) {
		return len(p.text)
	}
	return p.lineAfterOthers(end)
}

// lineAfterOthers passes over the statements that share the line.
func (p *page) lineAfterOthers(end int) int {
	for _, words := range p.lines {
		if words[0].Offset >= end {
			return p.lineAfter(words[len(words)-1].End)
		}
	}
	return len(p.text)
}

func (p *page) blankOrComment(from, to int) bool {
	rest := strings.TrimLeft(p.text[from:to], " \t\r")
	return rest == "" || rest[0] == '#'
}

// remove removes a statement: with its lines and its own comment if it has them for
// itself, else up to the next statement in the line.
func (p *page) remove(words []schema.Word) {
	from, end := words[0].Offset, words[len(words)-1].End
	lineStart := strings.LastIndexByte(p.text[:from], '\n') + 1
	to := schema.CommandEnd(p.text, end)
	alone := strings.Trim(p.text[lineStart:from], " \t\ufeff") == ""
	if to < len(p.text) && p.text[to-1] != '\n' {
		rest := strings.IndexByte(p.text[to:]+"\n", '\n')
		if p.blankOrComment(to, to+rest) {
			to = min(to+rest+1, len(p.text))
		} else {
			alone = false
		}
	}
	if !alone {
		p.removeInLine(from, end)
		return
	}
	from = lineStart
	if strings.HasPrefix(p.text[from:], "\ufeff") {
		from += len("\ufeff")
	}
	if next := firstLine(p.text[to:]); next == "" || next[0] == '#' {
		from = p.commentAbove(from)
		if next == "" && (from == 0 || strings.HasSuffix(p.text[:from], "\n\n") ||
			strings.HasSuffix(p.text[:from], "\n\r\n")) {
			to = min(to+len(p.text[to:])-len(afterLine(p.text[to:])), len(p.text))
		}
	}
	p.cut(from, to)
}

// firstLine is the first line of a text without blanks around it.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

func afterLine(text string) string {
	_, after, _ := strings.Cut(text, "\n")
	return after
}

// commentAbove is where the comment begins that stands right above a line.
func (p *page) commentAbove(at int) int {
	floor := 0 // what is above may be between quotes
	after, _ := slices.BinarySearchFunc(p.lines, at, func(words []schema.Word, at int) int {
		return cmp.Compare(words[0].Offset, at)
	})
	if after > 0 {
		before := p.lines[after-1]
		floor = schema.CommandEnd(p.text, before[len(before)-1].End)
	}
	for at > floor {
		before := strings.LastIndexByte(p.text[:at-1], '\n') + 1
		line := strings.TrimLeft(p.text[before:at], " \t")
		if before < floor || !strings.HasPrefix(line, "#") {
			break
		}
		at = before
	}
	return at
}

// removeInLine removes one of several statements in a line, with the ";" that is
// between them.
func (p *page) removeInLine(from, end int) {
	after := end + len(p.text[end:]) - len(strings.TrimLeft(p.text[end:], " \t"))
	if after < len(p.text) && p.text[after] == ';' {
		rest := p.text[after+1:]
		p.cut(from, len(p.text)-len(strings.TrimLeft(rest, " \t")))
		return
	}
	before := strings.TrimRight(p.text[:from], " \t")
	if strings.HasSuffix(before, ";") {
		from = len(before) - 1
	}
	p.cut(from, end)
}

// render returns the text as it is now.
func (p *page) render() []byte {
	slices.SortStableFunc(p.cuts, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	slices.SortStableFunc(p.inserts, func(a, b insert) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	at, cuts := 0, p.cuts
	keep := func(to int) {
		for len(cuts) > 0 && cuts[0].from < to {
			if cuts[0].from > at {
				b.WriteString(p.text[at:cuts[0].from])
			}
			at = max(at, min(cuts[0].to, to))
			if cuts[0].to > to {
				return
			}
			cuts = cuts[1:]
		}
		if at < to {
			b.WriteString(p.text[at:to])
			at = to
		}
	}
	for _, i := range p.inserts {
		keep(i.at)
		b.WriteString(i.text)
	}
	keep(len(p.text))
	return []byte(b.String())
}
