package shell

import (
	"fmt"
	"io"

	"culvert/internal/schema"
)

// help explains the command that the words begin.
func help(w io.Writer, words []schema.Word) error {
	if len(words) == 0 || words[0].Name == "help" || words[0].Name == "config" {
		return helpAll(w)
	}
	k, op, err := syntax.Begin(words)
	if err != nil {
		return err
	}
	if op == "" {
		return helpKind(w, k)
	}
	return helpOp(w, k, op)
}

func helpAll(w io.Writer) error {
	fmt.Fprint(w, "Commands: OBJECT OPERATION [PARAMETER=VALUE]...\n\n")
	var rows [][]string
	for _, k := range schema.Kinds() {
		rows = append(rows, []string{"  " + k.Words, k.Help})
	}
	rows = append(rows,
		[]string{"  config save", "Write the configuration, to file=PATH or to the output"},
		[]string{"  help", "Explain a command: help OBJECT [OPERATION], or ? at its end"},
	)
	return writeTable(w, rows, nil)
}

func helpKind(w io.Writer, k *schema.Kind) error {
	fmt.Fprintf(w, "%s: %s\n\n", k.Words, k.Help)
	var rows [][]string
	for _, other := range schema.Kinds() {
		if len(other.Words) > len(k.Words) && other.Words[:len(k.Words)+1] == k.Words+" " {
			rows = append(rows, []string{"  " + other.Words, other.Help})
		}
	}
	for _, op := range k.Ops() {
		rows = append(rows, []string{"  " + k.Words + " " + string(op), opHelp[op]})
	}
	return writeTable(w, rows, nil)
}

var opHelp = map[schema.Op]string{
	schema.Create: "Make a new one",
	schema.Modify: "Change parameters of one that exists",
	schema.Unset:  "Make parameters be no longer set",
	schema.Delete: "Remove one",
	schema.Show:   "Show everything about one",
	schema.List:   "List all, or those that agree with parameters",
}

func helpOp(w io.Writer, k *schema.Kind, op schema.Op) error {
	if k.Singleton && op == schema.Show && len(k.FlagsOf(op)) == 0 {
		_, err := fmt.Fprintf(w, "%s %s: Show everything about it\n", k.Words, op)
		return err
	}
	fmt.Fprintf(w, "%s %s: %s\n\n", k.Words, op, opHelp[op])
	var rows [][]string
	for _, f := range k.FlagsOf(op) {
		rows = append(rows, []string{"  " + f.Word, f.Help})
	}
	for _, p := range k.Params {
		if !p.Takes(op, k) {
			continue
		}
		rows = append(rows, []string{"  " + p.Name, p.Help + describe(p)})
	}
	return writeTable(w, rows, nil)
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
