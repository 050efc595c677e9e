package shell

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"culvert/internal/schema"
)

var opHelp = map[schema.Op]string{
	schema.Create: "Make a new one",
	schema.Modify: "Change parameters of one that exists",
	schema.Unset:  "Make parameters be no longer set",
	schema.Delete: "Remove one",
	schema.Show:   "Show everything about one",
	schema.List:   "List all, or those that agree with parameters",
}

// help explains the command that the words begin.
func (s *Shell) help(words []schema.Word) error {
	if len(words) == 0 {
		return s.helpAll()
	}
	routes, used := grammar().follow(words)
	if used == 0 {
		return wrong(words[0], "%s", unknown("command", words[0].Name, grammar().offers()))
	}
	if r, err := only(routes, words); err == nil {
		return s.helpNode(r)
	}
	var rows [][]string
	for _, r := range routes {
		if !r.tail().hidden {
			rows = append(rows, []string{"  " + r.words(), r.tail().help})
		}
	}
	return s.writeRows(rows)
}

func (s *Shell) helpAll() error {
	fmt.Fprint(s.out, "Commands. help COMMAND, or ? anywhere in a line, tells more.\n\n")
	var rows [][]string
	for _, n := range sortedNodes(grammar()) {
		for _, text := range leaves(n) {
			rows = append(rows, []string{"  " + text[0], text[1]})
		}
	}
	if err := s.writeRows(rows); err != nil {
		return err
	}
	fmt.Fprint(s.out, "\nAfter any command that shows something: | FILTER\n\n")
	rows = nil
	for _, k := range filterKinds {
		rows = append(rows, []string{"  | " + strings.TrimSpace(k.name+" "+k.takes), k.help})
	}
	return s.writeRows(rows)
}

func sortedNodes(n *node) []*node {
	all := slices.DeleteFunc(slices.Clone(n.next), func(c *node) bool { return c.hidden })
	slices.SortFunc(all, func(a, b *node) int { return strings.Compare(a.word, b.word) })
	return all
}

// leaves are the lines of the overview for a first word: an object with its
// operations in one, a verb in one each.
func leaves(n *node) [][]string {
	if n.word == string(schema.Show) || n.word == string(schema.Delete) || len(n.next) == 0 {
		return [][]string{{n.word, n.help}}
	}
	var lines [][]string
	var walk func(r route)
	walk = func(r route) {
		words := r.words()
		if k := schema.KindNamed(words); k != nil && k.Words == words {
			lines = append(lines, []string{words, k.Help})
		}
		if tail := r.tail(); tail.verb != nil && !tail.hidden {
			lines = append(lines, []string{words, tail.help})
		}
		for _, c := range r.tail().next {
			if !c.hidden {
				walk(append(slices.Clone(r), c))
			}
		}
	}
	walk(route{n})
	return lines
}

// helpNode explains what can follow.
func (s *Shell) helpNode(r route) error {
	n := r.tail()
	title := r.words()
	if n.help != "" {
		title += ": " + n.help
	}
	if _, err := fmt.Fprintln(s.out, title); err != nil {
		return err
	}
	var rows [][]string
	for _, c := range n.next {
		if !c.hidden {
			rows = append(rows, []string{"  " + r.words() + " " + c.word, c.help})
		}
	}
	switch {
	case n.verb != nil:
		rows = append(rows, verbRows(n.verb)...)
	case n.kind != nil:
		rows = append(rows, opRows(n)...)
		if notes := n.kind.Notes; n.operator && len(notes) > 0 {
			rows = append(rows, []string{"  [NAME...]", notes[0]})
		}
	}
	if len(rows) > 0 {
		_, _ = io.WriteString(s.out, "\n")
	}
	return s.writeRows(rows)
}

func verbRows(v *verb) (rows [][]string) {
	if v.rest != "" {
		rows = append(rows, []string{"  " + v.rest, ""})
	}
	for _, a := range v.args {
		text := a.help
		if !a.flag {
			text += " (" + a.expected + ")"
		}
		rows = append(rows, []string{"  " + a.name, text})
	}
	return rows
}

func opRows(n *node) (rows [][]string) {
	for _, p := range n.kind.Params {
		if p.Takes(n.op, n.kind) {
			rows = append(rows, []string{"  " + p.Name, p.Help + describe(p)})
		}
	}
	for _, f := range n.kind.FlagsOf(n.op) {
		rows = append(rows, []string{"  " + f.Word, f.Help})
	}
	return rows
}

// describe says what a value looks like and what it is if it is not given.
func describe(p *schema.Param) string {
	s := " (" + p.Expected()
	if p.Unit != "" {
		s += ", in " + p.Unit
	}
	switch {
	case p.DefaultIs != "":
		s += "; default: " + p.DefaultIs
	case p.Default != "":
		s += "; default: " + defaultText(p)
	}
	return s + ")"
}

// candidateRows lists candidates with their help.
func candidateRows(c *completion) (rows [][]string) {
	for _, o := range c.candidates {
		rows = append(rows, []string{"  " + strings.TrimSuffix(o.text, "="), o.help})
	}
	return rows
}
