package shell

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// show prints one object: what holds (effective) where that is known, else
// what is set.
func (s *Shell) show(m, effective proto.Message) error {
	k := schema.KindOf(m)
	if effective == nil {
		effective = m
	}
	fields := k.Fields(effective)
	switch s.Output {
	case "json":
		return writeJSON(s.Stdout, toMap(fields), "", "\n")
	case "yaml":
		return writeYAML(s.Stdout, toMap(fields))
	}
	var rows [][]string
	for _, f := range fields {
		rows = appendRows(rows, "", f, inherited(f, m))
	}
	fmt.Fprintln(s.Stdout, schema.Label(m))
	return writeTable(s.Stdout, rows, nil)
}

// inherited marks a value that is not set in m itself.
func inherited(f schema.Field, m proto.Message) string {
	switch {
	case f.Param == nil || f.Param.Has(m):
		return ""
	case plainText(f) == defaultText(f.Param):
		return "default"
	}
	return "inherited"
}

// defaultText is a default as it is shown.
func defaultText(p *schema.Param) string {
	if p.Default == "0" && p.Zero != "" {
		return p.Zero
	}
	return p.Default
}

// appendRows adds a row for a field, or one for each of those that it holds.
func appendRows(rows [][]string, prefix string, f schema.Field, note string) [][]string {
	inner, ok := f.Value.([]schema.Field)
	if !ok {
		return append(rows, []string{"  " + prefix + f.Name, valueText(f), note})
	}
	if f.Name != "status" || prefix != "" {
		prefix += f.Name + "."
	}
	for _, g := range inner {
		rows = appendRows(rows, prefix, g, "")
	}
	return rows
}

// valueText is the value with its unit.
func valueText(f schema.Field) string {
	text := plainText(f)
	if _, number := f.Value.(uint64); number && f.Param.Unit != "" && text != f.Param.Zero {
		text += " " + f.Param.Unit
	}
	return text
}

func plainText(f schema.Field) string {
	switch v := f.Value.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case uint64:
		if v == 0 && f.Param.Zero != "" {
			return f.Param.Zero
		}
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, fmt.Sprint(x))
		}
		return strings.Join(parts, ",")
	case []schema.Field:
		var parts []string
		for _, g := range v {
			parts = append(parts, g.Name+"="+plainText(g))
		}
		return strings.Join(parts, " ")
	}
	return fmt.Sprint(f.Value)
}

// A listing prints pages of objects.
type listing struct {
	output string
	w      io.Writer
	kind   *schema.Kind
	widths []int
	count  int
}

func newListing(output string, w io.Writer, k *schema.Kind) *listing {
	return &listing{output: output, w: w, kind: k}
}

func (l *listing) page(objects []*api.Object) error {
	if l.output == "table" {
		return l.tablePage(objects)
	}
	for _, o := range objects {
		if err := l.one(toMap(l.kind.Fields(schema.Unwrap(o)))); err != nil {
			return err
		}
	}
	return nil
}

// one prints one object of a list in JSON or YAML.
func (l *listing) one(m yaml.MapSlice) error {
	l.count++
	if l.output == "yaml" {
		return writeYAML(l.w, []yaml.MapSlice{m})
	}
	opening := "[\n  "
	if l.count > 1 {
		opening = ",\n  "
	}
	if _, err := io.WriteString(l.w, opening); err != nil {
		return err
	}
	return writeJSON(l.w, m, "  ", "")
}

func (l *listing) tablePage(objects []*api.Object) error {
	var rows [][]string
	if l.count == 0 {
		rows = append(rows, l.columns())
	}
	l.count++
	for _, o := range objects {
		rows = append(rows, l.row(schema.Unwrap(o)))
	}
	l.widths = widen(l.widths, rows)
	return writeTable(l.w, rows, l.widths)
}

func (l *listing) columns() []string {
	var names []string
	for _, c := range l.kind.Columns {
		names = append(names, strings.ToUpper(c[strings.LastIndex(c, ".")+1:]))
	}
	return names
}

func (l *listing) row(m proto.Message) []string {
	var row []string
	for _, c := range l.kind.Columns {
		row = append(row, l.kind.Field(c).Shown(m))
	}
	return row
}

// end closes a list in JSON, and says in JSON and YAML that one is empty.
func (l *listing) end() error {
	closing := ""
	switch {
	case l.output == "table":
	case l.count == 0:
		closing = "[]\n"
	case l.output == "json":
		closing = "\n]\n"
	}
	_, err := io.WriteString(l.w, closing)
	return err
}

func widen(widths []int, rows [][]string) []int {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

func writeTable(w io.Writer, rows [][]string, widths []int) error {
	widths = widen(widths, rows)
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(printable(line.String()), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

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

// toMap keeps the order of the fields.
func toMap(fields []schema.Field) yaml.MapSlice {
	m := yaml.MapSlice{}
	for _, f := range fields {
		v := f.Value
		if inner, ok := v.([]schema.Field); ok {
			v = toMap(inner)
		}
		m = append(m, yaml.MapItem{Key: f.Name, Value: v})
	}
	return m
}

func writeYAML(w io.Writer, v any) error {
	b, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func writeJSON(w io.Writer, m yaml.MapSlice, indent, after string) error {
	var b strings.Builder
	if err := appendJSON(&b, m, indent+"  "); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String()+after)
	return err
}

// appendJSON writes an object with its members in order, which encoding/json
// cannot do for a map.
func appendJSON(b *strings.Builder, m yaml.MapSlice, indent string) error {
	b.WriteString("{")
	for i, item := range m {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(b, "\n%s%q: ", indent, item.Key)
		if inner, ok := item.Value.(yaml.MapSlice); ok {
			if err := appendJSON(b, inner, indent+"  "); err != nil {
				return err
			}
			continue
		}
		text, err := json.Marshal(item.Value)
		if err != nil {
			return err
		}
		b.WriteString(escapeC1(string(text)))
	}
	if len(m) > 0 {
		b.WriteString("\n" + indent[2:])
	}
	b.WriteString("}")
	return nil
}

// escapeC1 escapes those control characters in JSON that encoding/json leaves
// as they are, and which terminals obey.
func escapeC1(text string) string {
	if !strings.ContainsFunc(text, isC1) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isC1(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isC1(r rune) bool { return r >= 0x7f && r < 0xa0 }
