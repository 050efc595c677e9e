package schema

import (
	"errors"
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

	At       Position            // where the command begins
	ParamAt  map[string]Position // where its parameters are, by their names
	Lenient  bool                // it was read leniently
	Warnings []*SyntaxError      // what was read otherwise than it was written

	secret string // the parameter just read, if it is one
}

// Syntax says how strictly commands are read.
type Syntax struct {
	// Abbreviate accepts beginnings of words, where only one word begins so.
	Abbreviate bool
	// Lenient takes values that openl2tp takes although they are out of range for
	// what they are in range, and warns.
	Lenient bool
	// Lookup, if there is one, is asked for names of hosts that stand where addresses are
	// expected.
	Lookup Lookup
}

// Parse makes a command of words. The error is a *SyntaxError.
func (s Syntax) Parse(words []Word) (Command, error) {
	c, faults := s.ParseAll(words)
	if len(faults) > 0 {
		return Command{}, faults[0]
	}
	return c, nil
}

// ParseAll makes a command of words, and returns all faults that it finds.
func (s Syntax) ParseAll(words []Word) (Command, []*SyntaxError) {
	c, rest, fault := s.begin(words)
	if fault != nil {
		return c, []*SyntaxError{fault}
	}
	var faults []*SyntaxError
	for _, w := range rest {
		if err := s.param(&c, w); err != nil {
			fault := &SyntaxError{placeOf(w, err), err.Error()}
			faults = append(faults, hintAtQuotes(words, w, fault))
		}
	}
	if err := c.check(); err != nil && len(faults) == 0 {
		faults = append(faults, &SyntaxError{c.placeOf(err), err.Error()})
	}
	return c, faults
}

// begin reads the words up to the operation.
func (s Syntax) begin(words []Word) (c Command, rest []Word, fault *SyntaxError) {
	kind, rest, fault := s.kind(words)
	if fault != nil {
		return c, nil, fault
	}
	c = Command{Kind: kind, Object: kind.New(), At: words[0].Position, Lenient: s.Lenient,
		ParamAt: make(map[string]Position)}
	c.Op, rest, fault = s.op(kind, words[:len(words)-len(rest)], rest)
	return c, rest, fault
}

// placeOf is where an error about a word is: at its value if that is wrong.
func placeOf(w Word, err error) Position {
	if _, ok := errors.AsType[*ValueError](err); ok && w.HasValue {
		return w.ValueAt
	}
	return w.Position
}

// placeOf is where an error about the whole command is: at the parameter that
// it names, or at the beginning.
func (c *Command) placeOf(err error) Position {
	if pe, ok := errors.AsType[*paramError](err); ok {
		if at, ok := c.ParamAt[pe.param]; ok {
			return at
		}
	}
	return c.At
}

// A paramError is a fault of one parameter of a command.
type paramError struct{ param, msg string }

func (e *paramError) Error() string { return e.msg }

// hintAtQuotes adds to a fault where quotes before it go over the end of a line:
// there a quote may be missing.
func hintAtQuotes(words []Word, at Word, fault *SyntaxError) *SyntaxError {
	for _, w := range words {
		lines := strings.Count(w.Name+w.Value, "\n")
		if lines > 0 && w.Offset < at.Offset {
			fault.Msg += fmt.Sprintf("; is a quote missing in line %d?", w.Line)
			break
		}
	}
	return fault
}

// kind finds the kind that the first words name: "tunnel profile" before
// "tunnel".
func (s Syntax) kind(words []Word) (*Kind, []Word, *SyntaxError) {
	if len(words) == 0 {
		return nil, nil, &SyntaxError{Position{Line: 1, Column: 1}, "expected a command"}
	}
	at := words[0].Position
	if words[0].HasValue {
		return nil, nil, &SyntaxError{at, unknown("command", words[0].Name, kindWords(0, ""))}
	}
	first, err := s.match("command", words[0].Name, kindWords(0, ""))
	if err != nil {
		return nil, nil, &SyntaxError{at, err.Error()}
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
	if len(words) > 1 {
		at = words[1].Position
		msg = fmt.Sprintf("unknown word %s after %s: expected %s%s", quoted(words[1].Name),
			quoted(first), orList(seconds), DidYouMean(words[1].Name, seconds))
	}
	return nil, nil, &SyntaxError{at, msg}
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

func (s Syntax) op(k *Kind, before, rest []Word) (Op, []Word, *SyntaxError) {
	var names []string
	for _, op := range k.Ops() {
		names = append(names, string(op))
	}
	if len(rest) == 0 {
		msg := fmt.Sprintf("expected %s after %s", orList(names), quoted(k.Words))
		return "", nil, &SyntaxError{before[0].Position, msg}
	}
	name := rest[0].Name
	op, err := s.match("operation of "+k.Words, name, names)
	if err == nil && rest[0].HasValue {
		return "", nil, &SyntaxError{rest[0].ValueAt, fmt.Sprintf("%s %s: expected no value", k.Words, op)}
	}
	if err != nil {
		all := append(kindWords(1, k.Words), names...)
		msg := fmt.Sprintf("unknown word %s after %s: expected %s%s", quoted(name),
			quoted(k.Words), orList(all), DidYouMean(name, all))
		return "", nil, &SyntaxError{rest[0].Position, msg}
	}
	return Op(op), rest[1:], nil
}

// param takes one word after the operation.
func (s Syntax) param(c *Command, w Word) error {
	if c.Op == Delete && c.Kind.Live && w.Name == "reason" && w.HasValue {
		c.Reason = w.Value
		return nil
	}
	if narrows, err := c.narrow(w); narrows {
		return err
	}
	name, err := s.find(c, w)
	if err != nil {
		return c.unlessSecret(w, err)
	}
	if _, given := c.ParamAt[name]; given {
		return fmt.Errorf("parameter %s is given twice", quoted(name))
	}
	c.ParamAt[name] = w.Position
	p := c.Kind.Param(name)
	c.secret = ""
	if p != nil && p.Secret && w.HasValue {
		c.secret = p.Name
	}
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
	}
	return s.set(c, p, w)
}

// unlessSecret keeps an error from showing an unknown word that may belong to the
// secret before it, which has blanks and no quotes.
func (c *Command) unlessSecret(w Word, err error) error {
	if c.secret == "" || w.HasValue && strings.Contains(err.Error(), "did you mean") {
		return err
	}
	return fmt.Errorf("unexpected word after %s: a value with blanks stands between quotes",
		quoted(c.secret))
}

// set gives the parameter its value.
func (s Syntax) set(c *Command, p *Param, w Word) error {
	text, taken := w.Value, true
	if s.Lenient && p.Lenient {
		var warning string
		if text, taken, warning = p.nearest(w.Value); warning != "" {
			c.Warnings = append(c.Warnings, &SyntaxError{w.ValueAt, warning})
		}
	}
	if s.Lookup != nil && p.takesAddress() && isDomainName(text) {
		addr, warning, err := p.addressOf(text, s.Lookup)
		if err != nil {
			return err
		}
		text = addr
		c.Warnings = append(c.Warnings, &SyntaxError{w.ValueAt, warning})
	}
	if !taken || text == "" && p.emptyUnsets() {
		if c.Op == Modify {
			c.Unset = append(c.Unset, p.Name)
		}
		return nil
	}
	return p.Set(c.Object, text)
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
		return k, "", asError(err)
	}
	op, _, err := s.op(k, words, rest)
	return k, op, asError(err)
}

// asError keeps a nil pointer from being an error.
func asError(fault *SyntaxError) error {
	if fault == nil {
		return nil
	}
	return fault
}
