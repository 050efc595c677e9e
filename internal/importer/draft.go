package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go4.org/netipx"
	"google.golang.org/protobuf/proto"

	"culvert/internal/config"
	"culvert/internal/schema"
)

// A draft is a configuration in the making.
type draft struct {
	objects map[string]proto.Message // by words and name
	order   []string
	notes   []Note

	lookup  schema.Lookup
	lenient bool // names of what does not exist may stay, as openl2tp lets them

	carried, left int
}

func newDraft() *draft { return &draft{objects: make(map[string]proto.Message)} }

// A target is an object of the draft: the words of its kind, and its name.
type target struct{ words, name string }

// object finds an object of the draft, or makes it. The names of a session are
// its tunnel's and its own, joined by "/".
func (d *draft) object(t target) proto.Message {
	key := t.words + " " + t.name
	if m, ok := d.objects[key]; ok {
		return m
	}
	k := schema.KindNamed(t.words)
	m := k.New()
	if !k.Singleton {
		names := strings.Split(t.name, "/")
		for i, group := range k.Keys() {
			if err := group[0].Set(m, names[i]); err != nil {
				panic("importer: " + err.Error()) // names pass through safeName
			}
		}
	}
	d.objects[key] = m
	d.order = append(d.order, key)
	return m
}

func (d *draft) has(t target) bool {
	_, ok := d.objects[t.words+" "+t.name]
	return ok
}

// remove takes an object out of the draft.
func (d *draft) remove(t target) {
	key := t.words + " " + t.name
	delete(d.objects, key)
	d.order = slices.DeleteFunc(d.order, func(k string) bool { return k == key })
}

// set gives a parameter the value that text says.
func (d *draft) set(t target, param, text string) error {
	k := schema.KindNamed(t.words)
	p := k.Param(param)
	if p == nil {
		panic("importer: no parameter " + param + " of " + t.words)
	}
	if err := p.Set(k.New(), text); err != nil {
		return err // no object is made for what cannot be
	}
	return p.Set(d.object(t), text)
}

// setDefault sets a parameter that is not set yet.
func (d *draft) setDefault(t target, param, text string) error {
	if d.get(t, param) != "" {
		return nil
	}
	return d.set(t, param, text)
}

// get returns the text of a parameter, empty if it is not set.
func (d *draft) get(t target, param string) string {
	if !d.has(t) {
		return ""
	}
	return schema.KindNamed(t.words).Param(param).Text(d.object(t))
}

// add appends to a parameter that is a list.
func (d *draft) add(t target, param, text string) error {
	if old := d.get(t, param); old != "" {
		text = old + "," + text
	}
	return d.set(t, param, text)
}

// addAddresses adds to a pool what is not in it yet.
func (d *draft) addAddresses(pool target, text string) error {
	first, last, err := schema.ParseRange(text)
	if err != nil {
		return fmt.Errorf("expected an address, a prefix or a range")
	}
	for old := range strings.SplitSeq(d.get(pool, "addresses"), ",") {
		from, to, err := schema.ParseRange(old)
		if err == nil && netipx.IPRangeFrom(from, to).Overlaps(netipx.IPRangeFrom(first, last)) {
			return fmt.Errorf("overlaps %s, which is in the pool already", old)
		}
	}
	return d.add(pool, "addresses", text)
}

// commands are what makes the draft's objects, each after those that it names.
func (d *draft) commands() []schema.Command {
	var cmds []schema.Command
	for _, k := range schema.Kinds() {
		for _, key := range d.order {
			m := d.objects[key]
			if schema.KindOf(m) != k {
				continue
			}
			op := schema.Create
			if k.Singleton || k.Builtin != "" && k.Name(m) == k.Builtin {
				op = schema.Modify
			}
			if op == schema.Create || !schema.IsEmpty(m) {
				cmds = append(cmds, schema.Command{Op: op, Kind: k, Object: m, Lenient: d.lenient})
			}
		}
	}
	return cmds
}

// note says what became of a statement that is not carried over.
func (d *draft) note(s statement, format string, args ...any) {
	d.left++
	text := fmt.Sprintf(format, args...)
	if s.key != "" {
		text = s.label() + ": " + text
	}
	d.remark(s, text)
}

// remark says something of a statement that is carried over.
func (d *draft) remark(s statement, text string) {
	d.notes = append(d.notes, Note{s.file, s.line, text})
}

// sortNotes puts the notes into the order of the files and their lines.
func (d *draft) sortNotes(files []File) {
	place := func(n Note) int {
		return slices.IndexFunc(files, func(f File) bool { return f.Name == n.File })
	}
	slices.SortStableFunc(d.notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Line, b.Line))
	})
}

// safeName makes a name that objects can have.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if plain || strings.ContainsRune("._-:@+", r) {
			return r
		}
		return '-'
	}, name)
	if name == "" {
		return "imported"
	}
	return name[:min(len(name), 63)]
}

// The objects that always exist.
var (
	system         = target{"system", ""}
	defaultTunnel  = target{"tunnel profile", config.Default}
	defaultSession = target{"session profile", config.Default}
	defaultPPP     = target{"ppp profile", config.Default}
)
