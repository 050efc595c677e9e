package importer

import (
	"fmt"
	"net/netip"
	"strings"
)

// fields splits a line of a secrets file: blanks separate words, double or
// single quotes keep them together, a backslash takes the next character as it
// is, and # begins a comment.
func fields(line string) []string {
	var all []string
	var word strings.Builder
	quote, inWord := rune(0), false
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, inWord = r, true
		case r == '#':
			return finish(all, &word, inWord)
		case r == ' ' || r == '\t' || r == '\r':
			all = finish(all, &word, inWord)
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	return finish(all, &word, inWord)
}

func finish(all []string, word *strings.Builder, inWord bool) []string {
	if inWord {
		all = append(all, word.String())
		word.Reset()
	}
	return all
}

// A secretLine is a line of chap-secrets, pap-secrets or l2tp-secrets.
type secretLine struct {
	statement
	words []string
}

// secretLines reads a file of secrets.
func secretLines(f File) []secretLine {
	var all []secretLine
	for i, line := range strings.Split(f.Text, "\n") {
		words := fields(line)
		if len(words) == 0 {
			continue
		}
		s := statement{file: f.Name, line: i + 1, key: words[0], secret: true, value: "..."}
		all = append(all, secretLine{s, words})
	}
	return all
}

// addUsers makes users of pppd's secrets: client, server, secret, addresses. The
// names that we authenticate with ourselves are no users of ours.
func (d *draft) addUsers(f File, ours map[string]bool) {
	for _, l := range secretLines(f) {
		if ours[l.words[0]] {
			continue
		}
		if err := d.addUser(l); err != nil {
			d.note(l.statement, "%s", err)
			continue
		}
		d.carried++
	}
}

func (d *draft) addUser(l secretLine) error {
	switch {
	case len(l.words) < 3:
		return fmt.Errorf("expected client, server and secret")
	case l.words[0] == "*":
		return fmt.Errorf("holds for every client: users are created by name")
	case strings.HasPrefix(l.words[2], "@"):
		return fmt.Errorf("the secret is in a file of its own: give it by user modify")
	case l.words[2] == "*":
		return fmt.Errorf("takes any password: a user has one")
	}
	user := target{"user", l.words[0]}
	if d.has(user) {
		if d.get(user, "user_password") == l.words[2] {
			return nil
		}
		return fmt.Errorf("the user has another password above: one was kept")
	}
	if err := d.set(user, "user_password", l.words[2]); err != nil {
		return err
	}
	return d.addUserAddress(user, l.words[3:])
}

// addUserAddress gives a user his address, if it is one.
func (d *draft) addUserAddress(user target, addrs []string) error {
	if len(addrs) == 0 || addrs[0] == "*" {
		return nil
	}
	if len(addrs) > 1 {
		return fmt.Errorf("has several addresses: the user is imported without")
	}
	if a, err := netip.ParseAddr(addrs[0]); err != nil || !a.Is4() {
		return fmt.Errorf("%s is not one IPv4 address: the user is imported without", addrs[0])
	}
	return d.set(user, "ipaddr", addrs[0])
}

// A vault has the passwords that we authenticate with, by our name.
type vault map[string]string

// open notes the passwords in pppd's secrets by client.
func (v vault) open(f File) {
	for _, l := range secretLines(f) {
		if len(l.words) >= 3 && l.words[0] != "*" {
			v[l.words[0]] = l.words[2]
		}
	}
}
