package config

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/internal/schema"
)

// Parse reads the text of a configuration file: commands that create, modify,
// unset or delete, in full words. It does not look whether what they name exists.
// Names of hosts that stand where addresses are expected are looked up, or refused if
// lookup is nil. The error has all faults of the language that are in the text, for Faults.
func Parse(text []byte, lookup schema.Lookup) ([]schema.Command, error) {
	lines, broken, warnings := schema.LexFile(string(text))
	syntax := schema.Syntax{Lenient: true, Lookup: lookUpOnce(lookup)}
	cmds := make([]schema.Command, 0, len(lines))
	for _, words := range lines {
		c, found := syntax.ParseAll(words)
		if len(found) == 0 && (c.Op == schema.Show || c.Op == schema.List) {
			found = append(found, &schema.SyntaxError{Position: c.At,
				Msg: c.Kind.Words + " " + string(c.Op) +
					" has no place in a configuration file: expected create, modify, unset or delete"})
		}
		broken = append(broken, found...)
		cmds = append(cmds, c)
	}
	if len(broken) > 0 {
		return nil, syntaxFaults(broken)
	}
	return withWarnings(cmds, warnings), nil
}

func syntaxFaults(broken []*schema.SyntaxError) faults {
	slices.SortStableFunc(broken, func(a, b *schema.SyntaxError) int {
		return cmp.Compare(a.Offset, b.Offset)
	})
	var fs faults
	for _, e := range broken {
		fs = append(fs, syntaxFault(e))
	}
	return fs
}

// withWarnings gives warnings to the last command that begins before them.
func withWarnings(cmds []schema.Command, warnings []*schema.SyntaxError) []schema.Command {
	for _, w := range warnings {
		for i := len(cmds) - 1; i >= 0; i-- {
			if cmds[i].At.Offset <= w.Offset {
				cmds[i].Warnings = append(cmds[i].Warnings, w)
				break
			}
		}
	}
	return cmds
}

// Format writes a configuration as commands that Parse reads, with the
// secrets. Only what was set is written.
func Format(s *Snapshot) []byte {
	return format(s, func(m proto.Message) proto.Message { return m })
}

// FormatMasked is Format with asterisks for the secrets.
func FormatMasked(s *Snapshot) []byte {
	return format(s, func(m proto.Message) proto.Message {
		m = proto.Clone(m)
		schema.Mask(m)
		return m
	})
}

func format(s *Snapshot, shown func(proto.Message) proto.Message) []byte {
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
			b.WriteString(heading + schema.Format(op, shown(m)) + "\n")
			heading = ""
		}
	}
	return []byte(b.String())
}
