// Command reference writes the reference manual of the configuration out of
// the schema: a page of Markdown, and culvertd.conf(5).
//
//	reference -o FILE -man FILE
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"culvert/internal/schema"
)

func main() {
	path := flag.String("o", "", "`FILE` to write in Markdown")
	page := flag.String("man", "", "`FILE` to write as a page of the manual")
	flag.Parse()
	err := errors.Join(os.WriteFile(*path, []byte(manual()), 0o644),
		os.WriteFile(*page, []byte(manPage()), 0o644))
	if err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

const introduction = `# Reference: commands and parameters

This page is generated from the schema under api/; ` + "`go generate ./api`" + ` writes it anew.

A configuration file is a list of commands, the same that ` + "`l2tpconfig`" + ` takes:

    OBJECT OPERATION PARAMETER=VALUE...

- A command ends at the end of its line or at ` + "`;`" + `. A backslash at the end of a line joins it with the
  next one. A word that begins with ` + "`#`" + ` begins a comment.
- Values with blanks, ` + "`;`" + ` or quotes in them stand between double or single quotes. Nothing between
  quotes is special.
- Operations are create, modify, unset (parameters by name, without a value), delete, show and
  list; the last two have no place in a file.
- A file is applied as a whole: if one command is wrong nothing changes. What a command names may
  come later in the file.
- In a shell, words may be cut short as long as they stay unambiguous. In a file they may not.
- Numbers are decimal, or hexadecimal with 0x. Switches are yes or no (or on, off, true, false,
  enable, disable, 1, 0).

In the tables, *create* marks what cannot be modified once a tunnel or session exists, *secret*
what is never shown.
`

func manual() string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, k := range schema.Kinds() {
		section(&b, k)
	}
	return b.String()
}

func section(b *strings.Builder, k *schema.Kind) {
	var ops []string
	for _, op := range k.Ops() {
		ops = append(ops, "`"+k.Words+" "+string(op)+"`")
	}
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\nCommands: %s.\n", k.Words, k.Help, strings.Join(ops, ", "))
	for _, note := range k.Notes {
		fmt.Fprintf(b, "\n%s\n", note)
	}
	if len(k.Alias) > 0 {
		fmt.Fprintf(b, "\nAlso called: `%s`.\n", strings.Join(k.Alias, "`, `"))
	}
	for _, f := range k.Flags {
		fmt.Fprintf(b, "\n`%s %s %s`: %s.\n", k.Words, f.Op, f.Word, f.Help)
	}
	b.WriteString("\n| parameter | value | default | meaning |\n|---|---|---|---|\n")
	for _, p := range k.Params {
		fmt.Fprintf(b, "| %s | %s | %s | %s%s |\n", cell(p.Name), value(p), cell(standard(p)),
			cell(p.Help), marks(p, k))
	}
	if len(k.Status) == 0 {
		return
	}
	b.WriteString("\nShown besides:\n\n| name | meaning |\n|---|---|\n")
	for _, p := range k.Status {
		fmt.Fprintf(b, "| %s | %s |\n", p.Name, cell(p.Help))
	}
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func value(p *schema.Param) string {
	s := cell(p.Expected())
	if p.Unit != "" {
		s += ", in " + p.Unit
	}
	return s
}

func standard(p *schema.Param) string {
	if p.DefaultIs != "" {
		return p.DefaultIs
	}
	if p.Default == "0" && p.Zero != "" {
		return p.Zero
	}
	return p.Default
}

func marks(p *schema.Param, k *schema.Kind) string {
	var m []string
	if p.Key {
		m = append(m, "names the "+k.Words)
	}
	if p.Required {
		m = append(m, "required")
	}
	if p.CreateOnly && k.Live {
		m = append(m, "create")
	}
	if p.Secret {
		m = append(m, "secret")
	}
	if len(p.Alias) > 0 {
		m = append(m, "also "+strings.Join(p.Alias, ", "))
	}
	if len(m) == 0 {
		return ""
	}
	return " *(" + strings.Join(m, "; ") + ")*"
}
