package shell

import (
	"slices"
	"strings"

	"culvert/internal/schema"
)

// A candidate is something that can stand where the cursor is.
type candidate struct {
	text string
	help string
	open bool // something follows without a blank: the value of NAME=
}

// A completion is what can stand where the cursor is.
type completion struct {
	scan
	candidates []candidate
	note       string // what is expected there, in words
}

// completing finds what can stand at the end of a line.
func (s *Shell) completing(line string) completion {
	c := completion{scan: scanLine(line)}
	if !c.comment {
		s.complete(&c)
	}
	typed := strings.ToLower(c.last.typed())
	c.candidates = slices.DeleteFunc(c.candidates, func(o candidate) bool {
		return !strings.HasPrefix(strings.ToLower(o.text), typed)
	})
	return c
}

func (s *Shell) complete(c *completion) {
	for i, w := range slices.Backward(c.words) {
		if isPipe(w) {
			c.filter(w, c.words[i+1:])
			return
		}
	}
	if !c.last.has && strings.HasPrefix(c.last.name, "|") {
		for _, k := range filterKinds {
			c.add(candidate{text: "|" + k.name, help: k.help})
		}
		return
	}
	s.completeCommand(c, c.words)
}

// filter completes what stands after a "|".
func (c *completion) filter(pipe schema.Word, words []schema.Word) {
	name := strings.TrimPrefix(pipe.Name, "|")
	if name == "" && len(words) > 0 {
		name, words = words[0].Name, words[1:]
	}
	switch {
	case name == "":
		for _, k := range filterKinds {
			c.add(candidate{text: k.name, help: k.help})
		}
	case len(words) > 0:
	case strings.HasPrefix("save", name):
		c.note = "the file that the output goes to"
		c.add(files(nil, c)...)
	default:
		if kind, err := filterNamed(schema.Word{Name: name}); err == nil && kind.takes != "" {
			c.note = "a regular expression"
		}
	}
}

func (c *completion) add(more ...candidate) { c.candidates = append(c.candidates, more...) }

// completeCommand completes a command of which the words are there.
func (s *Shell) completeCommand(c *completion, words []schema.Word) {
	routes, used := grammar().follow(words)
	if used == 0 {
		if len(words) == 0 {
			c.words = nil
			c.addWords([]route{{grammar()}})
		}
		return
	}
	if used == len(words) && !c.last.has {
		c.addWords(routes)
	}
	if len(routes) > 1 {
		routes = slices.DeleteFunc(routes, func(r route) bool { return r.tail().hidden })
	}
	if len(routes) != 1 {
		return
	}
	c.words = words[used:]
	switch n := routes[0].tail(); {
	case n.verb != nil:
		s.completeVerb(c, n.verb)
	case n.kind != nil:
		s.completeObject(c, n)
	}
}

// addWords adds the words that can follow, in order. A hidden one is offered if
// it was begun and nothing else fits.
func (c *completion) addWords(routes []route) {
	typed := strings.ToLower(c.last.typed())
	var hidden []candidate
	for _, r := range routes {
		for _, n := range r.tail().next {
			o := candidate{text: n.word, help: n.help}
			switch {
			case !strings.HasPrefix(n.word, typed):
			case n.hidden && typed != "":
				hidden = append(hidden, o)
			case !n.hidden && !c.offers(n.word):
				c.add(o)
			}
		}
	}
	if len(c.candidates) == 0 {
		c.add(hidden...)
	}
	slices.SortFunc(c.candidates, func(a, b candidate) int { return strings.Compare(a.text, b.text) })
}

func (c *completion) offers(text string) bool {
	return slices.ContainsFunc(c.candidates, func(o candidate) bool { return o.text == text })
}

// has reports whether the words give a parameter.
func (c *completion) has(name string) bool {
	return slices.ContainsFunc(c.words, func(w schema.Word) bool { return w.Name == name })
}

// completeVerb completes the arguments of a verb.
func (s *Shell) completeVerb(c *completion, v *verb) {
	if v.nested {
		words := c.words
		if len(words) > 0 && strings.Trim(words[0].Name, "0123456789smh") == "" {
			words = words[1:]
		}
		s.completeCommand(c, words)
		return
	}
	if c.last.has {
		if a, err := v.arg(schema.Word{Name: c.last.name, HasValue: true}); err == nil && a != nil {
			c.note = a.help + " (" + a.expected + ")"
			if a.values != nil {
				c.add(a.values(s, c)...)
			}
		}
		return
	}
	if v.values != nil {
		c.add(v.values(s, c)...)
	}
	if v.rest != "" {
		c.note = v.rest
	}
	for _, a := range v.args {
		switch {
		case c.has(a.name):
		case a.flag:
			c.add(candidate{text: a.name, help: a.help})
		default:
			c.add(candidate{text: a.name + "=", help: a.help + " (" + a.expected + ")", open: true})
		}
	}
}

// completeObject completes the parameters of an operation on an object.
func (s *Shell) completeObject(c *completion, n *node) {
	if c.last.has {
		s.completeValue(c, n)
		return
	}
	for _, p := range n.kind.Params {
		if p.Takes(n.op, n.kind) && !c.has(p.Name) && !c.hasOtherKey(n.kind, p) {
			c.add(paramCandidate(p, n.op))
		}
	}
	for _, f := range n.kind.FlagsOf(n.op) {
		if !c.has(f.Word) {
			c.add(candidate{text: f.Word, help: f.Help})
		}
	}
	if n.op == schema.Delete && n.kind.Live && !c.has("reason") {
		c.add(candidate{text: "reason=", help: "Told to the peer", open: true})
	}
	if n.operator && n.op != schema.Unset && !n.kind.Singleton {
		c.candidates = slices.Concat(s.spokenNames(n.kind), c.candidates)
	}
}

func paramCandidate(p *schema.Param, op schema.Op) candidate {
	o := candidate{text: p.Name + "=", help: p.Help + describe(p), open: true}
	if op == schema.Unset && !p.Key || p.Flag {
		o.text, o.open = p.Name, false
	}
	return o
}

// hasOtherKey reports whether the object is named already by another key of
// the same group.
func (c *completion) hasOtherKey(k *schema.Kind, p *schema.Param) bool {
	for _, group := range k.Keys() {
		if !slices.Contains(group, p) {
			continue
		}
		for _, other := range group {
			if c.has(other.Name) {
				return true
			}
		}
	}
	return false
}

// completeValue completes the value of a parameter.
func (s *Shell) completeValue(c *completion, n *node) {
	p := n.kind.Param(c.last.name)
	if p == nil {
		var found []*schema.Param
		for _, q := range n.kind.Params {
			if q.Takes(n.op, n.kind) && strings.HasPrefix(q.Name, strings.ToLower(c.last.name)) {
				found = append(found, q)
			}
		}
		if len(found) != 1 {
			return
		}
		p = found[0]
	}
	c.note = p.Help + describe(p)
	c.add(s.valuesOf(c, n, p)...)
}

// insertion is what TAB adds to the line: as much as all candidates have in
// common, and what follows it if there is only one.
func (c *completion) insertion() string {
	var rests []string
	for _, o := range c.candidates {
		if rest, ok := c.rest(o); ok {
			rests = append(rests, rest)
		}
	}
	if len(rests) != len(c.candidates) || len(rests) == 0 {
		return ""
	}
	return common(rests)
}

// rest is what of a candidate is not typed yet, quotes and the blank after it
// included. A text that needs quotes cannot be completed without them.
func (c *completion) rest(o candidate) (string, bool) {
	typed := c.last.typed()
	if len(typed) > len(o.text) {
		return "", false
	}
	rest := o.text[len(typed):]
	switch quote := c.last.quote; {
	case quote != 0 && strings.IndexByte(o.text, quote) >= 0:
		return "", false
	case quote != 0:
		rest += string(quote)
	case !o.open && strings.ContainsAny(o.text, " \t\"';#"):
		if typed != "" || strings.Contains(o.text, `"`) {
			return "", false
		}
		rest = `"` + rest + `"`
	}
	if !o.open {
		rest += " "
	}
	return rest, true
}

// common is the beginning that all texts have in common.
func common(texts []string) string {
	first := texts[0]
	for _, text := range texts[1:] {
		for !strings.HasPrefix(text, first) {
			first = first[:len(first)-1]
		}
	}
	// A character is not taken apart.
	return strings.ToValidUTF8(first, "")
}
