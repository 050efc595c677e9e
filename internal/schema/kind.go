package schema

import (
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"culvert/api"
)

// A Kind is a kind of management object.
type Kind struct {
	Words     string // as in commands: "tunnel profile"
	Help      string
	Notes     []string
	Singleton bool
	Live      bool
	ReadOnly  bool     // it comes and goes by itself
	Builtin   string   // the name of the object that always exists
	Alias     []string // other words, as "ip pool"
	Columns   []string
	Flags     []Flag

	Params []*Param // what can be set, in the order of declaration
	Status []*Param // what is shown besides

	field protoreflect.FieldDescriptor // in api.Object
}

var kinds = sync.OnceValue(func() []*Kind {
	var all []*Kind
	fields := (&api.Object{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		all = append(all, newKind(fields.Get(i)))
	}
	return all
})

// Kinds returns all kinds, in the order in which a configuration is written:
// what is referred to comes first.
func Kinds() []*Kind { return kinds() }

func newKind(field protoreflect.FieldDescriptor) *Kind {
	md := field.Message()
	o := proto.GetExtension(md.Options(), api.E_Object).(*api.ObjectOptions)
	k := &Kind{
		Words:     o.GetWords(),
		Help:      o.GetHelp(),
		Notes:     o.GetNotes(),
		Singleton: o.GetSingleton(),
		Live:      o.GetLive(),
		ReadOnly:  o.GetReadOnly(),
		Alias:     o.GetAlias(),
		Builtin:   o.GetBuiltin(),
		Columns:   o.GetColumns(),
		field:     field,
	}
	for _, f := range o.GetFlags() {
		k.Flags = append(k.Flags, Flag{Op(f.GetOperation()), f.GetWord(), f.GetHelp(), f.GetGroup()})
	}
	k.collect(md, nil, false)
	return k
}

// collect adds the parameters of a message, which is reached by path.
func (k *Kind) collect(md protoreflect.MessageDescriptor, path []protoreflect.FieldDescriptor,
	status bool) {
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		o := options(fd)
		here := append(slices.Clone(path), fd)
		switch {
		case o.GetStatus():
			k.collect(fd.Message(), here, true)
		case o.GetFlatten():
			k.collect(fd.Message(), here, status)
		case status:
			k.Status = append(k.Status, newParam(here, o))
		default:
			k.Params = append(k.Params, newParam(here, o))
		}
	}
}

// KindNamed finds a kind by its words or an alias, or returns nil.
func KindNamed(words string) *Kind {
	for _, k := range Kinds() {
		if k.Words == words || slices.Contains(k.Alias, words) {
			return k
		}
	}
	return nil
}

// KindOf returns the kind of an object such as *api.Tunnel.
// It panics if m is not one.
func KindOf(m proto.Message) *Kind {
	name := m.ProtoReflect().Descriptor().FullName()
	for _, k := range Kinds() {
		if k.field.Message().FullName() == name {
			return k
		}
	}
	panic("schema: not a management object: " + string(name))
}

// New returns an object of the kind in which nothing is set.
func (k *Kind) New() proto.Message {
	return (&api.Object{}).ProtoReflect().NewField(k.field).Message().Interface()
}

// Wrap puts an object into the union of all.
func Wrap(m proto.Message) *api.Object {
	o := &api.Object{}
	o.ProtoReflect().Set(KindOf(m).field, protoreflect.ValueOfMessage(m.ProtoReflect()))
	return o
}

// Unwrap takes the object out of the union, or returns nil if there is none.
func Unwrap(o *api.Object) proto.Message {
	r := o.ProtoReflect()
	fd := r.WhichOneof(r.Descriptor().Oneofs().Get(0))
	if fd == nil {
		return nil
	}
	return r.Get(fd).Message().Interface()
}

// Param finds a parameter by its name or an alias, or returns nil.
func (k *Kind) Param(name string) *Param {
	for _, p := range k.Params {
		if p.Name == name || slices.Contains(p.Alias, name) {
			return p
		}
	}
	return nil
}

// Field finds a parameter or what is shown besides, or returns nil. A dot leads
// into what is shown as a group: "ppp.peer_ipv4".
func (k *Kind) Field(name string) *Param {
	if p := k.Param(name); p != nil {
		return p
	}
	name, inner, grouped := strings.Cut(name, ".")
	for _, p := range k.Status {
		if p.Name != name {
			continue
		}
		if !grouped {
			return p
		}
		if fd := p.field().Message().Fields().ByName(protoreflect.Name(inner)); fd != nil {
			return newParam(append(slices.Clone(p.path), fd), options(fd))
		}
	}
	return nil
}

// Keys returns the parameters that name an object, in groups: one of each
// group is needed.
func (k *Kind) Keys() [][]*Param {
	var groups [][]*Param
	for _, p := range k.Params {
		if !p.Key {
			continue
		}
		n := len(groups)
		if n > 0 && p.KeyGroup != "" && groups[n-1][0].KeyGroup == p.KeyGroup {
			groups[n-1] = append(groups[n-1], p)
			continue
		}
		groups = append(groups, []*Param{p})
	}
	return groups
}

// slashes keeps a slash in a name apart from the one between names.
var slashes = strings.NewReplacer("/", `\/`, `\`, `\\`)

// Name returns what names the object: its first key that is set in each group. They
// are joined by "/", before which those in a name have a backslash.
func (k *Kind) Name(m proto.Message) string {
	var parts []string
	groups := k.Keys()
	for _, group := range groups {
		for _, p := range group {
			if p.Has(m) {
				parts = append(parts, p.Text(m))
				break
			}
		}
	}
	if len(groups) > 1 {
		for i, part := range parts {
			parts[i] = slashes.Replace(part)
		}
	}
	return strings.Join(parts, "/")
}

// Names reports whether key names the object m: they agree in a key of each group.
func Names(m, key proto.Message) bool {
	for _, group := range KindOf(m).Keys() {
		agree := slices.ContainsFunc(group, func(p *Param) bool {
			return p.Has(key) && p.Equal(m, key)
		})
		if !agree {
			return false
		}
	}
	return true
}

// Label names an object in messages: tunnel profile "office".
func Label(m proto.Message) string {
	k := KindOf(m)
	name := k.Name(m)
	if name == "" {
		return k.Words
	}
	return k.Words + " " + quoted(name)
}
