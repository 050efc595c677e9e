package shell

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"culvert/internal/schema"
)

// A call is a verb with what it was given.
type call struct {
	ctx   context.Context
	verb  *verb
	given map[string]string
	rest  []schema.Word // bare words
}

// newCall reads what follows the words of a verb.
func newCall(ctx context.Context, v *verb, words []schema.Word) (*call, error) {
	c := &call{ctx: ctx, verb: v, given: map[string]string{}}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if v.nested && (i > 0 || !w.HasValue) {
			c.rest = words[i:]
			break
		}
		if i+1 < len(words) && v.isSpaced(w) && !words[i+1].HasValue {
			i++
			w.Value, w.HasValue = words[i].Name, true
		}
		if err := c.take(w); err != nil {
			return nil, err
		}
	}
	for _, a := range v.args {
		if _, ok := c.given[a.name]; a.required && !ok {
			return nil, usagef("%s: expected %s=VALUE: %s", v.words, a.name, a.help)
		}
	}
	return c, nil
}

// isSpaced reports whether the value of an argument may follow the word.
func (v *verb) isSpaced(w schema.Word) bool {
	a, err := v.arg(w)
	return err == nil && a != nil && a.spaced && !w.HasValue
}

func (c *call) take(w schema.Word) error {
	a, err := c.verb.arg(w)
	switch {
	case err != nil:
		return err
	case a == nil:
		c.rest = append(c.rest, w)
		return nil
	case a.flag && w.HasValue:
		return wrong(w, "%s: expected no value", a.name)
	case !a.flag && !w.HasValue:
		return wrong(w, "parameter %s: expected \"=\" and %s", quoted(a.name), a.expected)
	}
	if _, twice := c.given[a.name]; twice {
		return wrong(w, "parameter %s is given twice", quoted(a.name))
	}
	c.given[a.name] = w.Value
	return nil
}

// arg finds the argument that the word means. A bare word that means none is
// one of the rest, if the verb takes any: then it must be said in full.
func (v *verb) arg(w schema.Word) (*arg, error) {
	var found []*arg
	var names []string
	for i := range v.args {
		a := &v.args[i]
		names = append(names, a.name)
		if a.name == strings.ToLower(w.Name) && !w.Quoted {
			return a, nil
		}
		if strings.HasPrefix(a.name, strings.ToLower(w.Name)) && w.Name != "" && !w.Quoted {
			found = append(found, a)
		}
	}
	switch {
	case !w.HasValue && v.rest != "":
		return nil, nil
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var can []string
		for _, a := range found {
			can = append(can, a.name)
		}
		return nil, wrong(w, "parameter %s is ambiguous: it can be %s", quoted(w.Name), orList(can))
	case len(names) == 0:
		return nil, wrong(w, "%s: expected nothing after it, not %s", v.words, quoted(w.Name))
	}
	return nil, wrong(w, "%s", unknown("parameter of "+v.words, w.Name, names))
}

// has reports whether an argument was given.
func (c *call) has(name string) bool {
	_, ok := c.given[name]
	return ok
}

// number returns the value of an argument, or 0 if it was not given.
func (c *call) number(name string) (uint64, error) {
	text, ok := c.given[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, usagef("%s=%s: expected a number", name, text)
	}
	return n, nil
}

// one returns the only bare word, which must be there.
func (c *call) one() (string, error) {
	if len(c.rest) != 1 {
		return "", usagef("%s: expected %s", c.verb.words, c.verb.rest)
	}
	return c.rest[0].Name, nil
}

// wrong is a fault of a word.
func wrong(w schema.Word, format string, args ...any) error {
	return &schema.SyntaxError{Position: w.Position, Msg: fmt.Sprintf(format, args...)}
}

func unknown(what, word string, candidates []string) string {
	msg := fmt.Sprintf("unknown %s %s", what, quoted(word))
	if hint := schema.DidYouMean(word, candidates); hint != "" {
		return msg + hint
	}
	if len(candidates) <= 12 && len(candidates) > 0 {
		return msg + ": expected " + orList(candidates)
	}
	return msg
}

func quoted(s string) string { return strconv.Quote(s) }

// orList joins alternatives as people read them.
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
