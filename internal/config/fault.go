package config

import (
	"errors"
	"fmt"

	"culvert/api"
	"culvert/internal/schema"
)

// A fault is something wrong in a configuration, and where.
type fault struct {
	file string          // empty: not known here
	at   schema.Position // of the zero value: in no text
	err  error
}

// Error gives file, line and column, as far as they are known, and what is wrong.
func (f *fault) Error() string {
	if f.file == "" || f.at.Line == 0 {
		return f.err.Error()
	}
	return fmt.Sprintf("%s:%d:%d: %v", f.file, f.at.Line, f.at.Column, f.err)
}

func (f *fault) Unwrap() error { return f.err }

// faults is all that was found wrong, in the order of the text. Its text is that
// of the first.
type faults []*fault

// Error gives the first fault, and how many others there are.
func (fs faults) Error() string {
	switch n := len(fs) - 1; n {
	case 0:
		return fs[0].Error()
	case 1:
		return fs[0].Error() + " (and 1 other fault)"
	default:
		return fmt.Sprintf("%v (and %d other faults)", fs[0], n)
	}
}

// Unwrap gives the faults one by one.
func (fs faults) Unwrap() []error {
	all := make([]error, len(fs))
	for i, f := range fs {
		all[i] = f
	}
	return all
}

// orNil is an error only if there are faults.
func (fs faults) orNil() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// syntaxFault makes a fault of one of the language.
func syntaxFault(e *schema.SyntaxError) *fault {
	return &fault{at: e.Position, err: Errorf(ErrInvalid, "%s", e.Msg)}
}

// InFile names the file in faults.
func InFile(name string, err error) error {
	fs, ok := errors.AsType[faults](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	named := make(faults, len(fs))
	for i, f := range fs {
		named[i] = &fault{name, f.at, f.err}
	}
	return named
}

// Faults says what an error of this package found wrong in a configuration: one
// Fault for each thing, in the order of the text. File is how faults name the text where
// the error does not know that.
func Faults(file string, err error) []*api.Fault {
	if err == nil {
		return nil
	}
	fs, ok := errors.AsType[faults](err)
	if !ok {
		return []*api.Fault{{File: file, Message: err.Error()}}
	}
	all := make([]*api.Fault, len(fs))
	for i, f := range fs {
		all[i] = &api.Fault{File: f.file, Message: f.err.Error(),
			Line: uint32(f.at.Line), Column: uint32(f.at.Column)}
		if f.file == "" {
			all[i].File = file
		}
	}
	return all
}
