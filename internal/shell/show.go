package shell

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
	"culvert/internal/schema"
)

// showPart prints an object, or the part of it that a flag names.
func (s *Shell) showPart(r *api.ShowResponse, part string) error {
	m := schema.Unwrap(r.GetObject())
	effective := schema.Unwrap(r.GetEffective())
	if effective == nil {
		effective = m
	}
	fields := schema.KindOf(m).Fields(effective)
	switch part {
	case "config", "configuration":
		fields = slices.DeleteFunc(fields, func(f schema.Field) bool { return f.Name == "status" })
	case "status":
		fields = inside(fields, "status")
	case "statistics":
		fields = inside(inside(fields, "status"), "statistics")
	case "transport":
		fields = inside(inside(fields, "status"), "control")
	}
	if part != "" && !strings.HasPrefix(part, "conf") && s.format == "table" {
		// Nothing of this is a parameter of the object.
		return s.showTable(schema.Label(m), nil, fields, nil)
	}
	link := schema.Unwrap(r.GetLink())
	if link == nil {
		return s.showFields(m, fields, r.GetOrigins())
	}
	inner := schema.KindOf(link).Fields(link)
	if s.format != "table" {
		return s.showFields(m, append(fields, schema.Field{Name: "link", Value: inner}), nil)
	}
	if err := s.showFields(m, fields, r.GetOrigins()); err != nil {
		return err
	}
	return s.showTable("its PPP link", link, inner, r.GetLinkOrigins())
}

// inside returns the fields of the group of that name.
func inside(fields []schema.Field, name string) []schema.Field {
	for _, f := range fields {
		if inner, ok := f.Value.([]schema.Field); ok && f.Name == name {
			return inner
		}
	}
	return nil
}

// show prints one object: what holds (effective) where that is known, else
// what is set.
func (s *Shell) show(m, effective proto.Message, origins map[string]string) error {
	if effective == nil {
		effective = m
	}
	return s.showFields(m, schema.KindOf(m).Fields(effective), origins)
}

func (s *Shell) showFields(m proto.Message, fields []schema.Field, origins map[string]string) error {
	switch s.format {
	case "json":
		return writeJSON(s.out, toMap(fields), "", "\n")
	case "yaml":
		return writeYAML(s.out, toMap(fields))
	}
	return s.showTable(schema.Label(m), m, fields, origins)
}

// showTable prints fields under a title, one a line, with where they come from
// if they are those of m.
func (s *Shell) showTable(
	title string, m proto.Message, fields []schema.Field, origins map[string]string,
) error {
	var rows [][]string
	for _, f := range fields {
		if f.Name == "status" && len(rows) > 0 {
			// What is the case may be called as what was asked for.
			rows = append(rows, []string{s.style().bold("its state")})
		}
		rows = s.appendRows(rows, "", f, s.style().dim(origin(f, m, origins)))
	}
	if _, err := fmt.Fprintln(s.out, s.style().bold(printable(title))); err != nil {
		return err
	}
	return s.writeRows(rows)
}

// origin says where the value of a parameter comes from.
func origin(f schema.Field, m proto.Message, origins map[string]string) string {
	if from, ok := origins[f.Name]; ok {
		if from == "given" && f.Param != nil && f.Param.Key {
			return ""
		}
		return printable(from)
	}
	switch {
	case m == nil || f.Param == nil || f.Param.Has(m):
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
	if flags, err := schema.ParseTraceFlags(p.Default); err == nil && p.IsTrace() {
		return flags.String()
	}
	return p.Default
}

// appendRows adds a row for a field, or one for each of those that it holds.
func (s *Shell) appendRows(rows [][]string, prefix string, f schema.Field, note string) [][]string {
	inner, ok := f.Value.([]schema.Field)
	if list := groups(f.Value); list != nil {
		for _, group := range list {
			name := "  " + prefix + f.Name + "." + plainText(group[0])
			rest := plainText(schema.Field{Value: group[1:]})
			rows = append(rows, []string{printable(name), printable(rest), note})
		}
		return rows
	}
	if lines := sentences(f); len(lines) > 1 {
		for _, text := range lines {
			rows = append(rows, []string{"  " + prefix + f.Name, printable(text), note})
		}
		return rows
	}
	if !ok {
		text := printable(valueText(f))
		if f.Name == "state" {
			text = s.style().state(text)
		}
		return append(rows, []string{"  " + prefix + f.Name, text, note})
	}
	if f.Name != "status" || prefix != "" {
		prefix += f.Name + "."
	}
	for _, g := range inner {
		rows = s.appendRows(rows, prefix, g, "")
	}
	return rows
}

// sentences returns a list of texts that is no parameter, whose texts may hold commas
// themselves: each is on a row of its own.
func sentences(f schema.Field) (all []string) {
	list, _ := f.Value.([]any)
	if f.Param == nil || f.Param.Type() != protoreflect.StringKind || f.Name != "warnings" {
		return nil
	}
	for _, x := range list {
		all = append(all, fmt.Sprint(x))
	}
	return all
}

// groups returns a list of groups of fields, or nil if the value is another.
func groups(value any) (all [][]schema.Field) {
	list, _ := value.([]any)
	for _, x := range list {
		if group, ok := x.([]schema.Field); ok && len(group) > 0 {
			all = append(all, group)
		}
	}
	return all
}

// valueText is the value with its unit.
func valueText(f schema.Field) string {
	text := plainText(f)
	if n, number := f.Value.(uint64); number && f.Param.Unit != "" && text != f.Param.Zero {
		text += " " + f.Param.Unit
		if f.Param.Unit == "s" && n >= 120 {
			text += " (" + spell(n) + ")"
		}
	}
	return text
}

// spell writes seconds as people say them: 3d 4h, 2h 5m, 3m 20s.
func spell(n uint64) string {
	units := []struct {
		name    string
		seconds uint64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}
	var words []string
	for _, u := range units {
		if count := n / u.seconds; count > 0 && len(words) < 2 {
			words = append(words, fmt.Sprintf("%d%s", count, u.name))
			n -= count * u.seconds
		} else if len(words) > 0 {
			break
		}
	}
	if len(words) == 0 {
		return "0s"
	}
	return strings.Join(words, " ")
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
			parts = append(parts, plainText(schema.Field{Param: f.Param, Value: x}))
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

// writeRows prints rows in columns. What does not fit beside the first goes on
// below itself: nothing that was asked for is left out.
func (s *Shell) writeRows(rows [][]string) error { return writeRows(s.out, rows, s.width) }

func writeRows(w io.Writer, rows [][]string, width int) error {
	widths := widen(nil, rows)
	if width > 0 && len(widths) > 1 {
		room := width - 1
		for i, taken := range widths {
			if i != 1 {
				room -= taken + 2
			}
		}
		widths[1] = min(widths[1], max(room, 20))
	}
	var b strings.Builder
	for _, row := range rows {
		appendWrapped(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// appendWrapped appends a row whose second cell takes as many lines as it needs.
func appendWrapped(b *strings.Builder, row []string, widths []int) {
	if len(row) < 2 || visible(row[1]) <= widths[1] {
		appendLine(b, row, widths)
		return
	}
	for i, text := range wrap(row[1], widths[1]) {
		line := []string{"", text}
		if i == 0 {
			line = append([]string{row[0], text}, row[2:]...)
		}
		appendLine(b, line, widths)
	}
}

// wrap breaks text into lines, at blanks and commas where there are any.
func wrap(text string, width int) (lines []string) {
	runes := []rune(text)
	for len(runes) > width {
		cut := width
		for i := width; i > width/2; i-- {
			if runes[i-1] == ' ' || runes[i-1] == ',' {
				cut = i
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(runes[:cut]), " "))
		runes = []rune(strings.TrimLeft(string(runes[cut:]), " "))
	}
	return append(lines, string(runes))
}
