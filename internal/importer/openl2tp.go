package importer

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
)

// readOpenl2tp reads openl2tpd.conf, and what ippoolconfig saved. The language
// is ours too. What differs is that openl2tp fills a new profile with a copy of
// what the profile default says at that moment, texts excepted, and never looks
// there again: that is written out.
func readOpenl2tp(d *draft, files []File) error {
	d.lenient = true
	copied := make(map[proto.Message]proto.Message)
	for _, f := range files {
		cmds, err := config.Parse([]byte(f.Text), d.lookup)
		if err != nil {
			return config.InFile(f.Name, err)
		}
		for _, c := range cmds {
			d.carry(f, c, copied)
		}
	}
	d.writeOut(copied)
	return nil
}

// carry carries out one command on the draft.
func (d *draft) carry(f File, c schema.Command, copied map[proto.Message]proto.Message) {
	s := statement{file: f.Name, line: c.At.Line}
	key := c.Kind.Words + " " + c.Kind.Name(c.Object)
	old, exists := d.objects[key]
	_, isTunnel := c.Object.(interface{ GetDestIpaddr() string })
	switch {
	case c.Op != schema.Create && c.Op != schema.Modify:
		d.note(s, "%s %s: expected create or modify", c.Kind.Words, c.Op)
		return
	case !exists && c.Kind.Live && c.Kind.Name(c.Object) == "" && isTunnel:
		key = fmt.Sprintf("%s #%d", c.Kind.Words, len(d.order))
		fallthrough
	case !exists:
		old = c.Kind.New()
		d.objects[key] = old
		d.order = append(d.order, key)
		if c.Kind.Builtin != "" && c.Kind.Name(c.Object) != c.Kind.Builtin {
			copied[old] = d.snapshot(c.Kind)
		}
	}
	schema.Update(old, c.Object, c.Unset)
	d.carried++
	for _, w := range c.Warnings {
		d.remark(statement{file: f.Name, line: w.Line}, w.Msg)
	}
}

// snapshot is what a profile that is created now has from the profile default.
func (d *draft) snapshot(k *schema.Kind) proto.Message {
	if m, ok := d.objects[k.Words+" "+k.Builtin]; ok {
		return proto.Clone(m)
	}
	return k.New()
}

// writeOut sets in each profile what it had from the profile default when it was
// created, where that is another value than it would inherit.
func (d *draft) writeOut(copied map[proto.Message]proto.Message) {
	for m, then := range copied {
		k := schema.KindOf(m)
		now := d.snapshot(k)
		for _, p := range k.Params {
			if !p.Key && !p.Has(m) && p.Has(now) {
				writeOutParam(p, m, then, now)
			}
		}
	}
}

// writeOutParam settles one parameter. Texts were not copied, but for the names
// of profiles in a peer profile; the names of profiles in others are looked up in
// the same places here.
func writeOutParam(p *schema.Param, m, then, now proto.Message) {
	_, isPeer := m.(*api.PeerProfile)
	text := p.IsText() && !isPeer
	switch {
	case text && p.RefersTo != "":
		return
	case text:
		_ = p.Set(m, "") // one that cannot be empty inherits
		return
	case p.Has(then):
		p.Copy(m, then)
	case p.Default != "":
		if err := p.Set(m, p.Default); err != nil {
			panic("importer: " + err.Error())
		}
	}
	if p.Text(m) == p.Text(now) {
		p.Clear(m)
	}
}
