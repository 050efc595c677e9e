package schema

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
)

// A Command is one command, checked word by word. Object has the key and the
// parameters that were given.
type Command struct {
	Op     Op
	Kind   *Kind
	Object proto.Message
	Unset  []string // parameters that are to be no longer set
	Flags  []string // words of Show and List besides parameters
	Reason string   // of Delete
	Line   int
}

// Syntax says how strictly commands are read.
type Syntax struct {
	// Abbreviate accepts beginnings of words, where only one word begins so.
	Abbreviate bool
}

// Parse makes a command of words.
func (s Syntax) Parse(words []Word) (Command, error) {
	kind, rest, err := s.kind(words)
	if err != nil {
		return Command{}, err
	}
	c := Command{Kind: kind, Object: kind.New(), Line: words[0].Line}
	if c.Op, rest, err = s.op(kind, words[:len(words)-len(rest)], rest); err != nil {
		return Command{}, err
	}
	given := map[string]bool{}
	for _, w := range rest {
		if err := s.param(&c, w, given); err != nil {
			return Command{}, atLine(w.Line, err)
		}
	}
	return c, atLine(c.Line, c.check())
}

// atLine gives an error the line of a word.
func atLine(line int, err error) error {
	if err == nil {
		return nil
	}
	return &SyntaxError{line, err.Error()}
}

// kind finds the kind that the first words name: "tunnel profile" before
// "tunnel".
func (s Syntax) kind(words []Word) (*Kind, []Word, error) {
	if len(words) == 0 {
		return nil, nil, &SyntaxError{1, "expected a command"}
	}
	if words[0].HasValue {
		return nil, nil, &SyntaxError{words[0].Line, unknown("command", words[0].Name, kindWords(0, ""))}
	}
	first, err := s.match("command", words[0].Name, kindWords(0, ""))
	if err != nil {
		return nil, nil, atLine(words[0].Line, err)
	}
	seconds := kindWords(1, first)
	if len(words) > 1 && !words[1].HasValue && len(seconds) > 0 {
		if second, err := s.match("", words[1].Name, seconds); err == nil {
			return KindNamed(first + " " + second), words[2:], nil
		}
	}
	if k := KindNamed(first); k != nil {
		return k, words[1:], nil
	}
	msg := fmt.Sprintf("expected %s after %s", orList(quoteAll(seconds)), quoted(first))
	return nil, nil, &SyntaxError{words[0].Line, msg}
}

// kindWords returns the first words of all kinds, or the second words of those
// whose first word is first.
func kindWords(i int, first string) []string {
	var all []string
	for _, k := range Kinds() {
		for _, name := range append([]string{k.Words}, k.Alias...) {
			words := strings.Fields(name)
			if i < len(words) && (i == 0 || words[0] == first) && !slices.Contains(all, words[i]) {
				all = append(all, words[i])
			}
		}
	}
	return all
}

func (s Syntax) op(k *Kind, before, rest []Word) (Op, []Word, error) {
	var names []string
	for _, op := range k.Ops() {
		names = append(names, string(op))
	}
	if len(rest) == 0 {
		msg := fmt.Sprintf("expected %s after %s", orList(names), quoted(k.Words))
		return "", nil, &SyntaxError{before[0].Line, msg}
	}
	name := rest[0].Name
	op, err := s.match("operation of "+k.Words, name, names)
	if err != nil || rest[0].HasValue {
		all := append(kindWords(1, k.Words), names...)
		msg := fmt.Sprintf("unknown word %s after %s: expected %s%s", quoted(name),
			quoted(k.Words), orList(all), DidYouMean(name, all))
		return "", nil, &SyntaxError{rest[0].Line, msg}
	}
	return Op(op), rest[1:], nil
}

// match finds the word among candidates, by its beginning if that is allowed.
func (s Syntax) match(what, word string, candidates []string) (string, error) {
	if slices.Contains(candidates, word) {
		return word, nil
	}
	if !s.Abbreviate || word == "" {
		return "", fmt.Errorf("%s", unknown(what, word, candidates))
	}
	var found []string
	for _, c := range candidates {
		if strings.HasPrefix(c, strings.ToLower(word)) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s", unknown(what, word, candidates))
	case 1:
		return found[0], nil
	}
	if slices.Contains(found, strings.ToLower(word)) {
		return strings.ToLower(word), nil
	}
	return "", fmt.Errorf("%s %s is ambiguous: it can be %s", what, quoted(word), orList(found))
}

func unknown(what, word string, candidates []string) string {
	msg := fmt.Sprintf("unknown %s %s", what, quoted(word))
	if hint := DidYouMean(word, candidates); hint != "" {
		return msg + hint
	}
	if len(candidates) <= 12 {
		return msg + ": expected " + orList(candidates)
	}
	return msg
}

func quoteAll(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quoted(w)
	}
	return all
}

// param takes one word after the operation.
func (s Syntax) param(c *Command, w Word, given map[string]bool) error {
	if c.Op == Delete && c.Kind.Live && w.Name == "reason" && w.HasValue {
		c.Reason = w.Value
		return nil
	}
	name, err := s.find(c, w)
	if err != nil {
		return err
	}
	if given[name] {
		return fmt.Errorf("parameter %s is given twice", quoted(name))
	}
	given[name] = true
	p := c.Kind.Param(name)
	switch {
	case p == nil:
		return c.flag(name)
	case !c.mayTake(p):
		return c.doesNotTake(p)
	case c.Op == Unset && !p.Key:
		if w.HasValue {
			return fmt.Errorf("parameter %s: expected no value after unset", quoted(name))
		}
		c.Unset = append(c.Unset, name)
		return nil
	case !w.HasValue && p.Flag:
		return p.Set(c.Object, "yes")
	case !w.HasValue:
		return fmt.Errorf(`parameter %s: expected "=" and %s`, quoted(name), p.Expected())
	case w.Value == "" && p.emptyUnsets():
		if c.Op == Modify {
			c.Unset = append(c.Unset, name)
		}
		return nil
	}
	return p.Set(c.Object, w.Value)
}

// mayTake leaves what cannot be changed to checkChange, which says why.
func (c *Command) mayTake(p *Param) bool {
	change := c.Op == Modify || c.Op == Unset
	return p.Takes(c.Op, c.Kind) || change && !p.Action
}

func (c *Command) doesNotTake(p *Param) error {
	does := c.Kind.Words + " " + string(c.Op)
	if c.Op == Show || c.Op == Delete {
		return fmt.Errorf("parameter %s: %s takes only %s", quoted(p.Name), does,
			orList(c.Kind.keyNames()))
	}
	return fmt.Errorf("parameter %s: %s does not take it", quoted(p.Name), does)
}

// flag takes a bare word of show or list.
func (c *Command) flag(word string) error {
	flags := c.Kind.FlagsOf(c.Op)
	group := flags[slices.IndexFunc(flags, func(f Flag) bool { return f.Word == word })].Group
	for _, f := range flags {
		if f.Group != "" && f.Group == group && slices.Contains(c.Flags, f.Word) {
			return fmt.Errorf("%s and %s cannot be together: expected one of them", f.Word, word)
		}
	}
	c.Flags = append(c.Flags, word)
	return nil
}

// find finds a parameter by its name, an alias or, if that is allowed, the
// beginning of its name; or a flag of the operation, which has no value.
func (s Syntax) find(c *Command, w Word) (name string, err error) {
	if p := c.Kind.Param(w.Name); p != nil {
		return p.Name, nil
	}
	var names []string
	for _, f := range c.Kind.FlagsOf(c.Op) {
		if !w.HasValue {
			names = append(names, f.Word)
		} else if f.Word == w.Name {
			return "", fmt.Errorf("%s: expected no value", f.Word)
		}
	}
	for _, p := range c.Kind.Params {
		if p.Takes(c.Op, c.Kind) {
			names = append(names, p.Name)
		}
	}
	return s.match("parameter of "+c.Kind.Words, w.Name, names)
}

func (k *Kind) keyNames() []string {
	var names []string
	for _, p := range k.Params {
		if p.Key {
			names = append(names, p.Name)
		}
	}
	return names
}

// check finds what is missing in a command or cannot be together.
func (c *Command) check() error {
	if c.Op == List {
		return nil
	}
	if err := c.checkKeys(); err != nil {
		return err
	}
	switch c.Op {
	case Create:
		return c.checkRequired()
	case Modify, Unset:
		return c.checkChange()
	}
	return nil
}

// CheckKeys finds a key that is missing. When a live object is created it may
// be without a name of its own.
func (c *Command) checkKeys() error {
	groups := c.Kind.Keys()
	if c.Kind.Live && c.Op == Create {
		groups = groups[:len(groups)-1]
	}
	for _, group := range groups {
		var names []string
		for _, p := range group {
			names = append(names, p.Name)
		}
		if !slices.ContainsFunc(group, func(p *Param) bool { return p.Has(c.Object) }) {
			return fmt.Errorf("%s %s: expected %s", c.Kind.Words, c.Op, orList(names))
		}
	}
	return nil
}

func (c *Command) checkRequired() error {
	for _, p := range c.Kind.Params {
		if p.Required && !p.Has(c.Object) {
			return fmt.Errorf("%s create: expected %s=VALUE: %s", c.Kind.Words, p.Name, p.Help)
		}
	}
	return nil
}

func (c *Command) checkChange() error {
	changes := len(c.Unset)
	if c.renames() {
		changes++
	}
	for _, p := range c.Kind.Params {
		unset := slices.Contains(c.Unset, p.Name)
		if p.Key || !p.Has(c.Object) && !unset {
			continue
		}
		changes++
		if p.CreateOnly && c.Kind.Live {
			return fmt.Errorf("parameter %s cannot be modified: it is set when the %s is created",
				quoted(p.Name), c.Kind.Words)
		}
		if p.Required && unset {
			return fmt.Errorf("parameter %s cannot be unset: each %s has one", quoted(p.Name), c.Kind.Words)
		}
	}
	if changes == 0 {
		return fmt.Errorf("%s %s: expected a parameter to change", c.Kind.Words, c.Op)
	}
	return nil
}

// renames reports whether the command gives a live object a name: beside the
// number by which it says which one it means.
func (c *Command) renames() bool {
	if !c.Kind.Live || c.Op != Modify {
		return false
	}
	groups := c.Kind.Keys()
	for _, p := range groups[len(groups)-1] {
		if !p.Has(c.Object) {
			return false
		}
	}
	return true
}

// Check checks a command that did not come from Parse: a request of the API.
// Values are read again from their text, so that nothing enters that the
// language would not accept.
func (c *Command) Check() error {
	for _, p := range c.Kind.Params {
		if !p.Has(c.Object) {
			continue
		}
		if err := p.Set(c.Object, p.Text(c.Object)); err != nil {
			return err
		}
	}
	for _, name := range c.Unset {
		if p := c.Kind.Param(name); p == nil || p.Key || p.Action {
			return fmt.Errorf("%s", unknown("parameter of "+c.Kind.Words, name, nil))
		}
	}
	if !slices.Contains(c.Kind.Ops(), c.Op) {
		return fmt.Errorf("there is no %s %s", c.Kind.Words, c.Op)
	}
	return c.check()
}

// Begin reads the words that begin a command, for its help. The operation is
// empty if there is none yet.
func (s Syntax) Begin(words []Word) (*Kind, Op, error) {
	// An object that has only two words may be named by its first.
	if len(words) == 1 && !words[0].HasValue {
		first, err := s.match("command", words[0].Name, kindWords(0, ""))
		if err == nil && KindNamed(first) == nil {
			words = append(words, Word{Name: kindWords(1, first)[0]})
		}
	}
	k, rest, err := s.kind(words)
	if err != nil || len(rest) == 0 {
		return k, "", err
	}
	op, _, err := s.op(k, words, rest)
	return k, op, err
}
