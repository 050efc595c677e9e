package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

// A ValueError says that a text cannot be the value of a parameter. It does
// not repeat the value of a secret.
type ValueError struct {
	Param    string
	Value    string // empty if the parameter is secret
	Expected string
}

// Error gives the parameter, the value and what was expected.
func (e *ValueError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: expected %s", e.Param, e.Expected)
	}
	return fmt.Sprintf("%s=%s: expected %s", e.Param, e.Value, e.Expected)
}

func (p *Param) fail(text, expected string) error {
	switch {
	case p.Secret:
		text = ""
	case text == "":
		text = `""`
	default:
		expected += DidYouMean(text, p.Words())
		text = bounded(text)
	}
	return &ValueError{p.Name, text, expected}
}

// Set sets the parameter to what text says.
func (p *Param) Set(m proto.Message, text string) error {
	if !utf8.ValidString(text) {
		return p.fail("", "text in UTF-8")
	}
	if p.field().IsList() {
		return p.setList(m, text)
	}
	v, err := p.parse(text)
	if err != nil {
		return err
	}
	p.holder(m, true).Set(p.field(), v)
	return nil
}

func (p *Param) setList(m proto.Message, text string) error {
	h := p.holder(m, true)
	h.Clear(p.field())
	if text == "" && !p.Required {
		return nil
	}
	list := h.Mutable(p.field()).List()
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		v, err := p.parse(word)
		if err == nil && word == "" {
			err = p.fail(text, p.Expected()+", separated by commas")
		}
		if err != nil {
			return err
		}
		list.Append(v)
	}
	return nil
}

// emptyUnsets reports whether an empty value means none: it is text, and the empty one
// cannot be its value.
func (p *Param) emptyUnsets() bool {
	if p.Key || p.Required {
		return false
	}
	if p.field().IsList() {
		return true
	}
	_, err := p.parse("")
	return err != nil && p.field().Kind() == protoreflect.StringKind
}

func (p *Param) parse(text string) (protoreflect.Value, error) {
	switch p.field().Kind() {
	case protoreflect.BoolKind:
		return p.parseBool(text)
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return p.parseUint(text)
	case protoreflect.EnumKind:
		return p.parseEnum(text)
	case protoreflect.StringKind:
		return p.parseString(text)
	case protoreflect.BytesKind:
		return p.parseHex(text)
	}
	panic("schema: no text form for " + string(p.field().FullName()))
}

func (p *Param) parseBool(text string) (protoreflect.Value, error) {
	switch strings.ToLower(text) {
	case "yes", "on", "true", "enable", "1":
		return protoreflect.ValueOfBool(true), nil
	case "no", "off", "false", "disable", "0":
		return protoreflect.ValueOfBool(false), nil
	}
	return protoreflect.Value{}, p.fail(text, "yes or no")
}

func (p *Param) parseUint(text string) (protoreflect.Value, error) {
	if p.Format == api.Format_FORMAT_TRACE {
		return p.parseTrace(text)
	}
	var n uint64
	if p.Zero == "" || !strings.EqualFold(text, p.Zero) {
		var err error
		if n, err = parseNumber(text); err != nil || !p.inRange(n) {
			return protoreflect.Value{}, p.fail(text, p.Expected())
		}
	}
	if p.field().Kind() == protoreflect.Uint64Kind {
		return protoreflect.ValueOfUint64(n), nil
	}
	return protoreflect.ValueOfUint32(uint32(n)), nil
}

// parseNumber takes decimal and, with 0x, hexadecimal. A leading zero does
// not make a number octal: nobody who writes mtu=0500 means 320.
func parseNumber(text string) (uint64, error) {
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		return strconv.ParseUint(hex, 16, 32)
	}
	return strconv.ParseUint(text, 10, 32)
}

func (p *Param) inRange(n uint64) bool {
	return n >= uint64(p.Min) && (p.Max == 0 || n <= uint64(p.Max))
}

func (p *Param) parseEnum(text string) (protoreflect.Value, error) {
	values := p.field().Enum().Values()
	for i := range values.Len() {
		v := values.Get(i)
		if v.Number() != 0 && strings.EqualFold(EnumWord(v), text) {
			return protoreflect.ValueOfEnum(v.Number()), nil
		}
	}
	return protoreflect.Value{}, p.fail(text, p.Expected())
}

// EnumWord returns the word for a value of an enum, empty for the one that
// stands for nothing.
func EnumWord(v protoreflect.EnumValueDescriptor) string {
	return proto.GetExtension(v.Options(), api.E_Value).(*api.WordOptions).GetWord()
}

// Words returns the words that the value can be: all there are for a switch or an
// enum, those for single flags of trace flags, the one for zero of a number.
func (p *Param) Words() []string {
	switch p.field().Kind() {
	case protoreflect.BoolKind:
		return []string{"yes", "no"}
	case protoreflect.EnumKind:
		return p.enumWords()
	}
	switch {
	case p.Format == api.Format_FORMAT_TRACE:
		return append(slices.Clone(TraceFlagWords), "all", "none")
	case p.Zero != "":
		return []string{p.Zero}
	}
	return nil
}

// A Choice is one of the words that a value can be, and what it means where that is
// not said by the word.
type Choice struct{ Word, Help string }

// Choices returns the words of an enum with what they mean, or nil.
func (p *Param) Choices() (all []Choice) {
	if p.field().Kind() != protoreflect.EnumKind {
		return nil
	}
	values := p.field().Enum().Values()
	for i := range values.Len() {
		o := proto.GetExtension(values.Get(i).Options(), api.E_Value).(*api.WordOptions)
		if o.GetWord() != "" {
			all = append(all, Choice{o.GetWord(), o.GetHelp()})
		}
	}
	return all
}

func (p *Param) enumWords() []string {
	var words []string
	values := p.field().Enum().Values()
	for i := range values.Len() {
		if w := EnumWord(values.Get(i)); w != "" {
			words = append(words, w)
		}
	}
	return words
}

// Expected says what a value of the parameter looks like.
func (p *Param) Expected() string {
	switch p.field().Kind() {
	case protoreflect.BoolKind, protoreflect.EnumKind:
		return orList(p.Words())
	case protoreflect.StringKind:
		return p.expectedString()
	case protoreflect.BytesKind:
		return p.expectedHex()
	}
	if p.Format == api.Format_FORMAT_TRACE {
		return traceForm
	}
	s := fmt.Sprintf("a number of at least %d", p.Min)
	if p.Max != 0 {
		s = fmt.Sprintf("a number from %d to %d", p.Min, p.Max)
	}
	if p.Zero != "" {
		s += " or " + p.Zero
	}
	return s
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Text returns the value as it would be written, empty if it is not set. It
// does not hide secrets.
func (p *Param) Text(m proto.Message) string {
	if !p.Has(m) {
		return ""
	}
	v := p.holder(m, false).Get(p.field())
	if !p.field().IsList() {
		return p.text(v)
	}
	var parts []string
	for i := range v.List().Len() {
		parts = append(parts, p.text(v.List().Get(i)))
	}
	return strings.Join(parts, ",")
}

func (p *Param) text(v protoreflect.Value) string {
	switch fd := p.field(); fd.Kind() {
	case protoreflect.BoolKind:
		if v.Bool() {
			return "yes"
		}
		return "no"
	case protoreflect.EnumKind:
		if ev := fd.Enum().Values().ByNumber(v.Enum()); ev != nil {
			return EnumWord(ev)
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.MessageKind:
		return messageText(v.Message())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		if v.Uint() == 0 && p.Zero != "" {
			return p.Zero
		}
		if p.Format == api.Format_FORMAT_TRACE {
			return TraceFlags(v.Uint()).String()
		}
	case protoreflect.BytesKind:
		return hexText(v.Bytes())
	}
	return v.String()
}

// Shown returns the value as a listing shows it: asterisks for a secret, and
// something to see where there is nothing.
func (p *Param) Shown(m proto.Message) string {
	switch has := p.Has(m); {
	case has && p.Secret:
		return Masked
	case has:
		return p.Text(m)
	case p.field().HasPresence():
		return "-"
	}
	switch p.field().Kind() {
	case protoreflect.BoolKind:
		return "no"
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return "0"
	}
	return "-"
}
