package schema

import "slices"

// An Op is what a command does to an object.
type Op string

// The operations.
const (
	Create Op = "create"
	Modify Op = "modify"
	Unset  Op = "unset" // Modify that only takes settings away
	Delete Op = "delete"
	Show   Op = "show"
	List   Op = "list"
)

var allOps = []Op{Create, Modify, Unset, Delete, Show, List}

// Ops returns the operations that objects of the kind know.
func (k *Kind) Ops() []Op {
	if k.Singleton {
		return []Op{Modify, Unset, Show}
	}
	if k.ReadOnly {
		return []Op{Show, List}
	}
	if !slices.ContainsFunc(k.Params, func(p *Param) bool { return !p.Key && p.Takes(Modify, k) }) {
		return []Op{Create, Delete, Show, List}
	}
	return allOps
}

// Takes reports whether the operation on a kind can be given the parameter.
func (p *Param) Takes(op Op, k *Kind) bool {
	switch op {
	case Show:
		return p.Key || k.ReadOnly
	case Delete:
		return p.Key
	case Modify:
		return p.Key || !k.Live || !p.CreateOnly
	case Unset:
		return p.Key || !p.Required && !p.Action && (!k.Live || !p.CreateOnly)
	case List:
		return !p.Secret && !p.Action
	}
	return !p.Action
}

// A Flag is a bare word that an operation takes besides parameters.
type Flag struct {
	Op   Op
	Word string
	Help string
	// Group is what only one flag can be given of, where it is not empty.
	Group string
}

// FlagsOf returns the flags of an operation.
func (k *Kind) FlagsOf(op Op) []Flag {
	var all []Flag
	for _, f := range k.Flags {
		if f.Op == op {
			all = append(all, f)
		}
	}
	return all
}
