package main

import (
	"fmt"
	"strings"

	"culvert/internal/schema"
)

// The page's frame is in mdoc; the parameters are in manParameters.
const manHead = `.\" Generated from the schema under api/ by "go generate ./api".
.Dd November 21, 2026
.Dt CULVERTD.CONF 5
.Os
.Sh NAME
.Nm culvertd.conf
.Nd configuration of the L2TP daemon
.Sh DESCRIPTION
The file
.Pa /etc/culvert/culvertd.conf
is a list of commands, the same that
.Xr l2tpconfig 1
takes while the daemon runs:
.Pp
.Dl OBJECT OPERATION PARAMETER=VALUE...
.Pp
A command ends at the end of its line or at
.Ql \&; .
A backslash at the end of a line joins it with the next one.
A word that begins with
.Ql #
begins a comment.
Values with blanks, semicolons or quotes in them stand between double or single
quotes; nothing between quotes is special.
.Pp
Operations are
.Cm create ,
.Cm modify ,
.Cm unset
(parameters by name, without a value) and
.Cm delete .
The shell has
.Cm show
and
.Cm list
besides.
.Pp
The file is applied as a whole: if one command is wrong nothing changes.
What a command names may come later in the file.
Numbers are decimal, or hexadecimal with 0x.
Where a word stands beside a range from 0, as in
.Dq a number from 0 to 65535 or unlimited ,
0 is that word.
Switches are
.Cm yes
or
.Cm no ,
or on, off, true, false, enable, disable, 1 and 0.
.Pp
.Ql culvertd --check
says what is wrong with the file,
.Ql systemctl reload culvertd
loads it, and
.Ql l2tpconfig write memory
writes what runs into it.
Passwords are in it, so only the daemon's user and group should be able to read
it.
Files of openl2tpd load as they are.
.Sh OBJECTS AND PARAMETERS
`

const manFoot = `.Sh EXAMPLES
A server gives addresses to its users:
.Bd -literal -offset indent
ppp profile modify profile_name=default local_ipaddr=10.20.0.1 \e
    ip_pool_name=homes
pool create pool_name=homes addresses=10.20.0.0/24 reserved=10.20.0.1
user create user_name=alice user_password="correct horse"
.Ed
.Pp
A client has a tunnel and a session in it, which are opened again whenever they
end:
.Bd -literal -offset indent
system modify deny_remote_tunnel_creates=yes
tunnel create tunnel_name=office dest_ipaddr=192.0.2.1 persist=yes
session create tunnel_name=office session_name=vpn \e
    user_name=alice user_password="correct horse"
.Ed
.Sh SEE ALSO
.Xr l2tpconfig 1 ,
.Xr culvert 7 ,
.Xr culvertd 8
`

// manPage is culvertd.conf(5).
func manPage() string {
	var b strings.Builder
	b.WriteString(manHead)
	for _, k := range schema.Kinds() {
		manSection(&b, k)
	}
	b.WriteString(manFoot)
	return b.String()
}

func manSection(b *strings.Builder, k *schema.Kind) {
	var ops []string
	for _, op := range k.Ops() {
		ops = append(ops, string(op))
	}
	fmt.Fprintf(b, ".Ss %s\n", k.Words)
	b.WriteString(roff(k.Help + "."))
	b.WriteString(roff("Operations: " + strings.Join(ops, ", ") + "."))
	for _, note := range k.Notes {
		b.WriteString(".Pp\n" + roff(note))
	}
	if len(k.Alias) > 0 {
		b.WriteString(".Pp\n" + roff("Also called "+strings.Join(k.Alias, ", ")+"."))
	}
	b.WriteString(".Bl -tag -width Ds\n")
	for _, p := range k.Params {
		manParameter(b, p, k)
	}
	b.WriteString(".El\n")
}

func manParameter(b *strings.Builder, p *schema.Param, k *schema.Kind) {
	fmt.Fprintf(b, ".It Cm %s Ns = Ns Ar %s\n", p.Name, manValue(p))
	b.WriteString(roff(p.Help + "."))
	if expected := p.Expected(); expected != "" {
		if p.Unit != "" {
			expected += ", in " + p.Unit
		}
		b.WriteString(roff("Expected: " + expected + "."))
	}
	if s := standard(p); s != "" {
		b.WriteString(roff("Default: " + s + "."))
	}
	if m := strings.Trim(marks(p, k), " *()"); m != "" {
		b.WriteString(roff("(" + m + ")"))
	}
}

// manValue is a word for the parameter's value.
func manValue(p *schema.Param) string {
	switch words := p.Words(); {
	case len(words) == 2 && words[0] == "yes":
		return "yes | no"
	case p.Unit != "":
		return p.Unit
	}
	return "value"
}

// manWidth is how long a line of the page's source may be.
const manWidth = 78

// roff makes lines of a text, each sentence on lines of its own, in which
// nothing can be taken for a command of the formatter.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "`", "").Replace(text)
	var b strings.Builder
	column, ended := 0, false
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case ended || column+1+len(word) > manWidth:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		if column == 0 && (word[0] == '.' || word[0] == '\'') {
			word = `\&` + word
		}
		b.WriteString(word)
		column += len(word)
		ended = strings.HasSuffix(word, ".")
	}
	b.WriteByte('\n')
	return b.String()
}
