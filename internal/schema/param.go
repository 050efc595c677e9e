package schema

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

// A Param is a parameter of an object, or something that is shown of it.
type Param struct {
	Name       string
	Alias      []string
	Help       string
	Unit       string
	Default    string // as it would be written; empty: there is none
	DefaultIs  string // the default in words
	Min, Max   int64  // of a number, or of a string's length; Max 0: none
	Zero       string // the word for 0
	Key        bool
	KeyGroup   string
	Required   bool
	CreateOnly bool
	Secret     bool
	Flag       bool // stands for yes where it has no value
	Action     bool // does something at once and is kept nowhere
	Lenient    bool // a file may have what is out of range
	Format     api.Format
	RefersTo   string // words of a kind

	path []protoreflect.FieldDescriptor // from the object to the field
}

func options(fd protoreflect.FieldDescriptor) *api.ParamOptions {
	return proto.GetExtension(fd.Options(), api.E_Param).(*api.ParamOptions)
}

func newParam(path []protoreflect.FieldDescriptor, o *api.ParamOptions) *Param {
	return &Param{
		Name:       string(path[len(path)-1].Name()),
		Alias:      o.GetAlias(),
		Help:       o.GetHelp(),
		Unit:       o.GetUnit(),
		Default:    o.GetDefault(),
		DefaultIs:  o.GetDefaultNote(),
		Min:        o.GetMin(),
		Max:        o.GetMax(),
		Zero:       o.GetZero(),
		Key:        o.GetKey(),
		KeyGroup:   o.GetKeyGroup(),
		Required:   o.GetRequired(),
		CreateOnly: o.GetCreateOnly(),
		Secret:     o.GetSecret(),
		Flag:       o.GetFlag(),
		Action:     o.GetAction(),
		Lenient:    o.GetLenient(),
		Format:     o.GetFormat(),
		RefersTo:   o.GetRefersTo(),
		path:       path,
	}
}

func (p *Param) field() protoreflect.FieldDescriptor { return p.path[len(p.path)-1] }

// holder returns the message that has the field. Without create it may be an
// empty read-only one.
func (p *Param) holder(m proto.Message, create bool) protoreflect.Message {
	r := m.ProtoReflect()
	for _, fd := range p.path[:len(p.path)-1] {
		if create {
			r = r.Mutable(fd).Message()
		} else {
			r = r.Get(fd).Message()
		}
	}
	return r
}

// Has reports whether the parameter is set in m.
func (p *Param) Has(m proto.Message) bool { return p.holder(m, false).Has(p.field()) }

// Clear makes the parameter not set in m.
func (p *Param) Clear(m proto.Message) { p.holder(m, true).Clear(p.field()) }

// Copy sets the parameter in dst as it is in src.
func (p *Param) Copy(dst, src proto.Message) {
	if !p.Has(src) {
		p.Clear(dst)
		return
	}
	v := p.holder(src, false).Get(p.field())
	if p.field().IsList() {
		p.copyList(dst, v.List())
		return
	}
	p.holder(dst, true).Set(p.field(), v)
}

func (p *Param) copyList(dst proto.Message, src protoreflect.List) {
	h := p.holder(dst, true)
	h.Clear(p.field())
	list := h.Mutable(p.field()).List()
	for i := range src.Len() {
		list.Append(src.Get(i))
	}
}

// Equal reports whether the parameter is the same in a and b.
func (p *Param) Equal(a, b proto.Message) bool {
	return p.Has(a) == p.Has(b) && p.Text(a) == p.Text(b)
}

// Equal reports whether two objects of a kind have the same parameters.
func Equal(a, b proto.Message) bool {
	return !slices.ContainsFunc(KindOf(a).Params, func(p *Param) bool { return !p.Equal(a, b) })
}

// Inherit sets in dst what is set in src and not in dst, keys excepted.
func Inherit(dst, src proto.Message) {
	for _, p := range KindOf(dst).Params {
		if !p.Key && !p.Has(dst) && p.Has(src) {
			p.Copy(dst, src)
		}
	}
}

// SetDefaults sets in m what is not set and has a built-in default.
func SetDefaults(m proto.Message) {
	for _, p := range KindOf(m).Params {
		if p.Default == "" || p.Has(m) {
			continue
		}
		if err := p.Set(m, p.Default); err != nil {
			panic("schema: default of " + p.Name + ": " + err.Error())
		}
	}
}

// Update sets in dst what is set in src, and unsets what unset names.
func Update(dst, src proto.Message, unset []string) {
	k := KindOf(dst)
	for _, p := range k.Params {
		if p.Has(src) {
			p.Copy(dst, src)
		}
	}
	for _, name := range unset {
		if p := k.Param(name); p != nil {
			p.Clear(dst)
		}
	}
}

// ClearActions takes out of m what is done at once and kept nowhere.
func ClearActions(m proto.Message) {
	for _, p := range KindOf(m).Params {
		if p.Action {
			p.Clear(m)
		}
	}
}

// Mask replaces the secrets in m by asterisks.
func Mask(m proto.Message) {
	for _, p := range KindOf(m).Params {
		if !p.Secret || !p.Has(m) {
			continue
		}
		v := protoreflect.ValueOfString(Masked)
		if p.field().Kind() == protoreflect.BytesKind {
			v = protoreflect.ValueOfBytes([]byte(Masked))
		}
		p.holder(m, true).Set(p.field(), v)
	}
}

// Masked is what is shown in place of a secret.
const Masked = "********"

// IsText reports whether the value is a text rather than a number or a switch.
func (p *Param) IsText() bool {
	return p.field().Kind() == protoreflect.StringKind
}

// IsTrace reports whether the value is trace flags.
func (p *Param) IsTrace() bool { return p.Format == api.Format_FORMAT_TRACE }

// Type is what kind of value the parameter has; of a list, each of its elements.
func (p *Param) Type() protoreflect.Kind { return p.field().Kind() }
