package config

import (
	"strings"

	"culvert/internal/schema"
)

// Parse reads the text of a configuration file: commands that create or
// modify, in full words. It does not look whether what they name exists. An
// error is a *schema.SyntaxError with its line.
func Parse(text []byte) ([]schema.Command, error) {
	lines, err := schema.Lex(string(text))
	if err != nil {
		return nil, err
	}
	cmds := make([]schema.Command, 0, len(lines))
	for _, words := range lines {
		c, err := schema.Syntax{}.Parse(words)
		if err != nil {
			return nil, err
		}
		if c.Op == schema.Show || c.Op == schema.List {
			return nil, &schema.SyntaxError{Line: c.Line, Msg: c.Kind.Words + " " + string(c.Op) +
				" has no place in a configuration file: expected create, modify, unset or delete"}
		}
		cmds = append(cmds, c)
	}
	return cmds, nil
}

// Format writes a configuration as commands that Parse reads, with the
// secrets. Only what was set is written.
func Format(s *Snapshot) []byte {
	var b strings.Builder
	for _, k := range schema.Kinds() {
		objects := s.Objects(k)
		heading := "# " + k.Words + "\n\n"
		for _, m := range objects {
			op := schema.Create
			if k.Singleton || k.Builtin != "" && name(m) == k.Builtin {
				op = schema.Modify
			}
			if op == schema.Modify && schema.IsEmpty(m) {
				continue
			}
			b.WriteString(heading + schema.Format(op, m) + "\n")
			heading = ""
		}
	}
	return []byte(b.String())
}
