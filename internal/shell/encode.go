package shell

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"

	"culvert/internal/schema"
)

// toMap keeps the order of the fields.
func toMap(fields []schema.Field) yaml.MapSlice {
	m := yaml.MapSlice{}
	for _, f := range fields {
		m = append(m, yaml.MapItem{Key: f.Name, Value: toValue(f.Value)})
	}
	return m
}

func toValue(v any) any {
	switch v := v.(type) {
	case []schema.Field:
		return toMap(v)
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = toValue(x)
		}
		return list
	}
	return v
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
		if err := appendValue(b, item.Value, indent); err != nil {
			return err
		}
	}
	if len(m) > 0 {
		b.WriteString("\n" + indent[2:])
	}
	b.WriteString("}")
	return nil
}

func appendValue(b *strings.Builder, v any, indent string) error {
	switch v := v.(type) {
	case yaml.MapSlice:
		return appendJSON(b, v, indent+"  ")
	case []any:
		return appendList(b, v, indent)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b.WriteString(escapeC1(string(text)))
	return nil
}

// appendList writes a list on one line, or objects on lines of their own.
func appendList(b *strings.Builder, list []any, indent string) error {
	b.WriteString("[")
	for i, x := range list {
		if i > 0 {
			b.WriteString(",")
		}
		if _, ok := x.(yaml.MapSlice); ok {
			b.WriteString("\n" + indent + "  ")
		}
		if err := appendValue(b, x, indent+"  "); err != nil {
			return err
		}
	}
	b.WriteString("]")
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
