package schema

import (
	"fmt"
	"slices"
)

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
			return &paramError{p.Name, fmt.Sprintf("parameter %s cannot be modified: "+
				"it is set when the %s is created", quoted(p.Name), c.Kind.Words)}
		}
		if p.Required && unset {
			return &paramError{p.Name, fmt.Sprintf("parameter %s cannot be unset: each %s has one",
				quoted(p.Name), c.Kind.Words)}
		}
	}
	if changes == 0 {
		return fmt.Errorf("%s %s: expected a parameter to change", c.Kind.Words, c.Op)
	}
	return nil
}

// renames reports whether a live object is named by its ID and given a name.
func (c *Command) renames() bool {
	groups := c.Kind.Keys()
	if !c.Kind.Live || c.Op != Modify {
		return false
	}
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
