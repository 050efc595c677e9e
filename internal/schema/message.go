package schema

import (
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A Field is one name and value of an object that is shown. The value is a
// bool, a number, a string, a list of them, or a list of Fields.
type Field struct {
	Name  string
	Value any
	Param *Param
}

// Fields returns what is set of an object, in the order of declaration, with
// what is known at run time at the end under the name status.
// Secrets are masked.
func (k *Kind) Fields(m protoreflect.ProtoMessage) []Field {
	var all, status []Field
	for _, p := range k.Params {
		if p.Has(m) {
			all = append(all, Field{p.Name, p.plain(p.holder(m, false)), p})
		}
	}
	for _, p := range k.Status {
		if p.shownIn(p.holder(m, false)) {
			status = append(status, Field{p.Name, p.plain(p.holder(m, false)), p})
		}
	}
	if status != nil {
		all = append(all, Field{Name: "status", Value: status})
	}
	return all
}

// shownIn reports whether holder says the value: it is set, or it is a number
// that means something as 0, which the schema then has a word for.
func (p *Param) shownIn(holder protoreflect.Message) bool {
	fd := p.field()
	return holder.Has(fd) || holder.IsValid() && p.Zero != "" && !fd.HasPresence()
}

// plain returns the value of the parameter in holder.
func (p *Param) plain(holder protoreflect.Message) any {
	v := holder.Get(p.field())
	if p.Secret {
		return Masked
	}
	if !p.field().IsList() {
		return p.plainOne(v)
	}
	var list []any
	for i := range v.List().Len() {
		list = append(list, p.plainOne(v.List().Get(i)))
	}
	return list
}

func (p *Param) plainOne(v protoreflect.Value) any {
	if p.IsTrace() {
		return p.text(v)
	}
	switch p.field().Kind() {
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return v.Uint()
	case protoreflect.MessageKind:
		if _, ok := v.Message().Interface().(*timestamppb.Timestamp); !ok {
			return messageFields(v.Message())
		}
	}
	return p.text(v)
}

func messageFields(m protoreflect.Message) []Field {
	var all []Field
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		p := newParam([]protoreflect.FieldDescriptor{fd}, options(fd))
		if p.shownIn(m) {
			all = append(all, Field{p.Name, p.plain(m), p})
		}
	}
	return all
}

// messageText is the form on one line of what is no parameter.
func messageText(m protoreflect.Message) string {
	if ts, ok := m.Interface().(*timestamppb.Timestamp); ok {
		return ts.AsTime().UTC().Format(time.RFC3339)
	}
	var parts []string
	for _, f := range messageFields(m) {
		parts = append(parts, f.Name+"="+f.Param.Text(m.Interface()))
	}
	return strings.Join(parts, " ")
}
