package importer

import (
	"fmt"
	"strings"
)

// A statement is one setting of a foreign configuration.
type statement struct {
	file    string
	line    int
	section string
	key     string
	value   string
	secret  bool // the value is not repeated in notes
}

// label names the statement in notes, without a secret.
func (s statement) label() string {
	switch {
	case s.key == "[":
		return "[" + s.section + "]"
	case s.value == "":
		return s.key
	case s.secret:
		return s.key + " ..."
	}
	return s.key + " " + s.value
}

// on says what the value of a switch is; what is no switch is taken as no.
func (s statement) on() bool {
	switch strings.ToLower(s.value) {
	case "yes", "true", "on", "1":
		return true
	}
	return false
}

// A rule carries a statement over. What it cannot carry over it says by an
// error, of which a Note is made.
type rule func(d *draft, s statement) error

// apply applies the rule of a statement, or says that there is none.
func (d *draft) apply(rules map[string]rule, s statement) {
	r, known := rules[s.key]
	if !known {
		d.note(s, "unknown to the importer")
		return
	}
	if err := r(d, s); err != nil {
		d.note(s, "%s", err)
		return
	}
	d.carried++
}

// to sets a parameter to the statement's value.
func to(t target, param string) rule {
	return func(d *draft, s statement) error { return d.set(t, param, s.value) }
}

// toSwitch sets a switch.
func toSwitch(t target, param string) rule {
	return func(d *draft, s statement) error { return d.set(t, param, yesNo(s.on())) }
}

// toNot sets a switch to the contrary.
func toNot(t target, param string) rule {
	return func(d *draft, s statement) error { return d.set(t, param, yesNo(!s.on())) }
}

// toZero sets a number whose 0 has a word of its own.
func toZero(t target, param, zero string) rule {
	return func(d *draft, s statement) error {
		if s.value == "0" {
			return d.set(t, param, zero)
		}
		return d.set(t, param, s.value)
	}
}

// without says why a statement has no counterpart.
func without(why string) rule {
	return func(*draft, statement) error { return fmt.Errorf("%s", why) }
}

// unless is without, for switches that say so: one value holds here anyway.
func unless(holds bool, why string) rule {
	return func(_ *draft, s statement) error {
		if s.on() == holds {
			return nil
		}
		return fmt.Errorf("%s", why)
	}
}

// needless is for what holds here anyway, or has no meaning here.
func needless(*draft, statement) error { return nil }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
