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
	"slices"
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

- A command ends at the end of its line or at ` + "`;`" + `. A backslash at the end of a line joins
  it with the next one. A word that begins with ` + "`#`" + ` begins a comment; in a file one
  inside of a word does too.
- Values with blanks, ` + "`;`" + `, ` + "`#`" + ` or quotes in them stand between double or single
  quotes. Nothing between quotes is special, ends of lines neither.
- Operations are create, modify, unset (parameters by name, without a value), delete, show and
  list; the last two have no place in a file.
- A file is applied as a whole: if one command is wrong nothing changes, and all that is wrong is
  said with its line and column. What a command names may come later in the file.
- In a shell, words may be cut short as long as they stay unambiguous. In a file they may not.
- Numbers are decimal, or hexadecimal with 0x. Where a word stands beside a range from 0, as in
  "a number from 0 to 65535 or unlimited", 0 is that word. Switches are yes or no (or on, off, true, false,
  enable, disable, 1, 0). Bytes are hexadecimal digits, with or without 0x. An empty value where
  none can be one is the same as unset.
- Files for openl2tpd load as they are, see [openl2tp.md](openl2tp.md).

In the tables, *change* says whether a parameter can be modified once the object exists: *yes*; *later*
of what holds for those tunnels and sessions that begin afterwards; or *no*. *Also* has the other
names that are understood. A parameter marked † may be out of its range in a file, as in those for
openl2tpd: a number above it counts as its end, 0 below it as not set, with a warning.
`

func manual() string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, k := range schema.Kinds() {
		section(&b, k)
	}
	traceFlags(&b)
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
	flags(b, k)
	parameters(b, k)
	choices(b, k)
	if len(k.Status) == 0 {
		return
	}
	filters(b, k)
	b.WriteString("\nShown besides:\n\n| name | meaning |\n|---|---|\n")
	for _, p := range k.Status {
		fmt.Fprintf(b, "| %s | %s |\n", p.Name, cell(p.Help))
	}
}

// flags lists the words that are no parameters.
func flags(b *strings.Builder, k *schema.Kind) {
	if len(k.Flags) == 0 {
		return
	}
	b.WriteString("\n| with the word | it shows |\n|---|---|\n")
	for _, f := range k.Flags {
		fmt.Fprintf(b, "| `%s %s %s` | %s |\n", k.Words, f.Op, f.Word, f.Help)
	}
}

// filters says by what a listing can be narrowed.
func filters(b *strings.Builder, k *schema.Kind) {
	var names []string
	for _, p := range k.Status {
		if k.Listable(p.Name) != nil {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 || !slices.Contains(k.Ops(), schema.List) {
		return
	}
	fmt.Fprintf(b, "\n`%s list` shows those that agree with any parameter that is no secret, and with %s.\n",
		k.Words, strings.Join(names, ", "))
}

// parameters is the table of what can be set. That of what begins from profiles says
// whether these have it too.
func parameters(b *strings.Builder, k *schema.Kind) {
	profile := schema.KindNamed(k.Words + " profile")
	head, rule := "| parameter | value | default | change |", "|---|---|---|---|"
	if profile != nil && k.Live && !k.ReadOnly {
		head, rule = head+" in profiles |", rule+"---|"
	}
	fmt.Fprintf(b, "\n%s also | meaning |\n%s---|---|\n", head, rule)
	for _, p := range k.Params {
		name := cell(p.Name)
		if p.Lenient && p.RefersTo == "" {
			name += " †"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |", name, value(p), cell(standard(p)), change(p, k))
		if profile != nil && k.Live && !k.ReadOnly {
			fmt.Fprintf(b, " %s |", inProfiles(p, k, profile))
		}
		fmt.Fprintf(b, " %s | %s%s |\n", strings.Join(p.Alias, ", "), cell(p.Help), marks(p, k))
	}
}

// change says whether a parameter can be modified, and when that holds.
func change(p *schema.Param, k *schema.Kind) string {
	switch {
	case k.ReadOnly || p.Key && !renames(p, k):
		return "no"
	case p.Action:
		return "at once"
	case p.CreateOnly && k.Live:
		return "no"
	case k.Live || k.Singleton || !strings.HasSuffix(k.Words, "profile"):
		return "yes"
	}
	return "later"
}

// renames reports whether the parameter is the name of what has a number too.
func renames(p *schema.Param, k *schema.Kind) bool {
	groups := k.Keys()
	last := groups[len(groups)-1]
	return k.Live && len(last) > 1 && p == last[0]
}

func inProfiles(p *schema.Param, k, profile *schema.Kind) string {
	if q := profile.Param(p.Name); q != nil && !q.Key {
		return profile.Words
	}
	return ""
}

// choices explains the words of values that are not plain by themselves.
func choices(b *strings.Builder, k *schema.Kind) {
	for _, p := range k.Params {
		var said []string
		for _, c := range p.Choices() {
			if c.Help != "" {
				said = append(said, "`"+c.Word+"`: "+c.Help)
			}
		}
		if len(said) > 0 {
			fmt.Fprintf(b, "\n%s: %s.\n", p.Name, strings.Join(said, "; "))
		}
	}
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func value(p *schema.Param) string {
	s := cell(p.Expected())
	if p.Flag {
		s += "; alone: yes"
	}
	if p.IsTrace() {
		s = "[trace flags](#trace-flags)"
	}
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
	if p.Secret {
		m = append(m, "secret: never shown")
	}
	if len(m) == 0 {
		return ""
	}
	return " *(" + strings.Join(m, "; ") + ")*"
}

// traceFlags explains the values of all parameters for what is traced.
func traceFlags(b *strings.Builder) {
	b.WriteString("\n## Trace flags\n\nA number, or words joined by commas; a word may be cut short. " +
		"`all` is all of them, `none` is 0.\n\n| word | number |\n|---|---|\n")
	for i, w := range schema.TraceFlagWords {
		fmt.Fprintf(b, "| %s | %d |\n", w, 1<<i)
	}
}
