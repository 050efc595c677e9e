package shell

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/proto"

	"culvert/internal/schema"
)

// A listing prints pages of objects.
type listing struct {
	s       *Shell
	kind    *schema.Kind
	columns []string
	widths  []int
	count   int
}

func (s *Shell) listing(k *schema.Kind) *listing {
	return &listing{s: s, kind: k, columns: k.Columns}
}

func (l *listing) page(objects []proto.Message) error {
	if l.s.format == "table" {
		return l.tablePage(objects)
	}
	for _, m := range objects {
		if err := l.one(toMap(l.kind.Fields(m))); err != nil {
			return err
		}
	}
	return nil
}

// one prints one object of a list in JSON or YAML.
func (l *listing) one(m yaml.MapSlice) error {
	l.count++
	if l.s.format == "yaml" {
		return writeYAML(l.s.out, []yaml.MapSlice{m})
	}
	opening := "[\n  "
	if l.count > 1 {
		opening = ",\n  "
	}
	if _, err := io.WriteString(l.s.out, opening); err != nil {
		return err
	}
	return writeJSON(l.s.out, m, "  ", "")
}

func (l *listing) tablePage(objects []proto.Message) error {
	var rows [][]string
	for _, m := range objects {
		rows = append(rows, l.row(m))
	}
	t := table{head: l.heads(), rows: rows, widths: l.widths, bare: l.count > 0}
	l.count++
	l.widths = t.fit(l.s.width)
	return l.s.writeTable(&t)
}

func (l *listing) heads() []string {
	var heads []string
	for _, c := range l.columns {
		heads = append(heads, strings.ToUpper(c[strings.LastIndex(c, ".")+1:]))
	}
	return heads
}

func (l *listing) row(m proto.Message) []string {
	var row []string
	for _, c := range l.columns {
		p := l.kind.Field(c)
		text := printable(p.Shown(m))
		if n, err := strconv.ParseUint(text, 10, 64); err == nil && p.Name == "uptime" {
			text = spell(n)
		}
		if c == "state" {
			text = l.s.style().state(text)
		}
		row = append(row, text)
	}
	return row
}

// end closes a list in JSON, and says in JSON and YAML that one is empty.
func (l *listing) end() error {
	closing := ""
	switch {
	case l.s.format == "table":
	case l.count == 0:
		closing = "[]\n"
	case l.s.format == "json":
		closing = "\n]\n"
	}
	_, err := io.WriteString(l.s.out, closing)
	return err
}

// A table is rows in columns under heads.
type table struct {
	head   []string
	rows   [][]string
	widths []int // at least; 0 for a column that is left out
	bare   bool  // the heads are printed already
}

// leastWidth is what a column may be cut to before one is left out.
const leastWidth = 12

// fit chooses the widths of the columns, so that a line fits into width, if
// that is not 0: the widest columns are cut, and where that does not suffice the
// last ones are left out. The first ones name an object.
func (t *table) fit(width int) []int {
	natural := widen(widen(slices.Clone(t.widths), [][]string{t.head}), t.rows)
	t.widths = natural
	if width <= 0 {
		return t.widths
	}
	for columns := len(natural); columns > 0; columns-- {
		t.widths = slices.Clone(natural)
		clear(t.widths[columns:])
		least := leastWidth
		if columns <= 2 {
			least = 1
		}
		if squeeze(t.widths, width, least) {
			break
		}
	}
	return t.widths
}

// squeeze cuts the widest columns, to no less than least, until a line fits into
// width. It reports whether it does.
func squeeze(widths []int, width, least int) bool {
	for total(widths) > width {
		i := slices.Index(widths, slices.Max(widths))
		if widths[i] <= least {
			return false
		}
		widths[i]--
	}
	return true
}

// total is how wide a line is.
func total(widths []int) int {
	sum := 0
	for _, w := range widths {
		if w > 0 {
			sum += w + 2
		}
	}
	return max(sum-2, 0)
}

// writeTable prints a table whose widths are chosen.
func (s *Shell) writeTable(t *table) error {
	var b strings.Builder
	if !t.bare {
		appendLine(&b, t.head, t.widths)
		head := strings.TrimSuffix(b.String(), "\n")
		b.Reset()
		if err := writeHead(s.out, s.style().bold(head)); err != nil {
			return err
		}
	}
	for _, row := range t.rows {
		appendLine(&b, row, t.widths)
	}
	_, err := io.WriteString(s.out, b.String())
	return err
}

// A headWriter is told which lines are the heads of a table.
type headWriter interface {
	writeHead(line string) error
}

func writeHead(w io.Writer, line string) error {
	if h, ok := w.(headWriter); ok {
		return h.writeHead(line)
	}
	_, err := io.WriteString(w, line+"\n")
	return err
}

// appendLine appends a row in columns. A cell that is too wide is cut.
func appendLine(b *strings.Builder, row []string, widths []int) {
	var line strings.Builder
	for i, cell := range row {
		w := widths[i]
		if w == 0 {
			continue
		}
		cell = cut(cell, w)
		line.WriteString(cell + strings.Repeat(" ", w-visible(cell)+2))
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// cut shortens text that is wider than width. Text in colour is never that wide.
func cut(text string, width int) string {
	if visible(text) <= width {
		return text
	}
	return string([]rune(unstyled(text))[:max(width-1, 0)]) + "…"
}

func widen(widths []int, rows [][]string) []int {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], visible(cell))
		}
	}
	return widths
}

// visible is how many columns text takes on a terminal.
func visible(text string) int { return utf8.RuneCountInString(unstyled(text)) }

// printable replaces control characters, with which a peer's names could drive
// the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || isC1(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}
