package importer

import (
	"fmt"
	"strings"
)

// An iniFormat says how a file of sections is written.
type iniFormat struct {
	comments string // a line, or the rest of one, after any of these is a comment
	lower    bool   // keys do not mind case, nor how many blanks they have
}

// statements reads a file of sections: [NAME] and then KEY=VALUE or KEY. The
// sections themselves are statements with the key "[".
func (f iniFormat) statements(file File) ([]statement, error) {
	var all []statement
	section := ""
	for i, line := range strings.Split(file.Text, "\n") {
		if cut := strings.IndexAny(line, f.comments); cut >= 0 {
			line = line[:cut]
		}
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		s := statement{file: file.Name, line: i + 1, section: section}
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, closed := strings.CutSuffix(name, "]")
			if !closed {
				return nil, fmt.Errorf(`%s:%d: expected "]" at the end of %s`, file.Name, i+1, line)
			}
			section = strings.Join(strings.Fields(name), " ")
			s.section, s.key = section, "["
			all = append(all, s)
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		s.key, s.value = strings.TrimSpace(key), strings.TrimSpace(value)
		if f.lower {
			s.key = strings.ToLower(strings.Join(strings.Fields(s.key), " "))
		}
		all = append(all, s)
	}
	return all, nil
}
