package schema

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Listable returns what is known at run time by which a listing can be narrowed, or
// nil if nothing of that name can.
func (k *Kind) Listable(name string) *Param {
	for _, p := range k.Status {
		if p.Name == name && !p.field().IsList() && p.field().Kind() != protoreflect.MessageKind {
			return p
		}
	}
	return nil
}

// narrow sets in a listing's filter what is known at run time, as in state=up. It reports
// whether the word was one for that.
func (c *Command) narrow(w Word) (bool, error) {
	if c.Op != List || !w.HasValue || c.Kind.Param(w.Name) != nil {
		return false, nil
	}
	p := c.Kind.Listable(w.Name)
	if p == nil {
		return false, nil
	}
	if err := p.Set(c.Object, w.Value); err != nil {
		return true, err
	}
	if !p.Has(c.Object) {
		return true, fmt.Errorf("parameter %s: %s cannot be asked for, only another value",
			p.Name, quoted(w.Value))
	}
	return true, nil
}
