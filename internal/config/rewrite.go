package config

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/internal/schema"
)

// A Report says what Rewrite did to a text, by the labels of objects.
type Report struct {
	Changed, Added, Removed []string
	// Anew is why nothing of the old text was kept; empty if it was.
	Anew string
}

// Rewrite makes a text that loads to s of one that was perhaps written by hand, and
// changes no more of that than it must: statements that still hold stay as they are,
// changed parameters are changed where they stand, new objects come after the last
// of their kind, and those that are gone go with their own comments. A text that does not
// load is replaced by Format's.
func Rewrite(old []byte, s *Snapshot) ([]byte, Report) {
	was, statements, err := read(old, s.host)
	if err != nil {
		return Format(s), Report{Anew: err.Error()}
	}
	r := &rewriter{page: newPage(string(old)), was: was, is: s, statements: statements}
	for _, k := range schema.Kinds() {
		r.kind(k)
	}
	text := r.page.render()
	again, _, err := read(text, s.host)
	if err != nil || !same(again, s) {
		return Format(s), Report{Anew: "its statements depend on each other"}
	}
	return text, r.report
}

// A statement is a command of a text, with its words, and the object that it is
// about.
type statement struct {
	schema.Command
	words  []schema.Word
	object *object
}

// An object is what statements of a text make: they follow it when it is renamed.
type object struct{ name string }

// read loads a text by itself.
func read(text []byte, h host) (*Snapshot, []*statement, error) {
	cmds, err := Parse(text, h.lookup)
	if err != nil {
		return nil, nil, err
	}
	lines, _, _ := schema.LexFile(string(text))
	e := newEdit(newStore(h).Snapshot())
	objects := make(map[*schema.Kind]map[string]*object)
	for _, k := range schema.Kinds() {
		objects[k] = make(map[string]*object)
	}
	statements := make([]*statement, len(cmds))
	for i, c := range cmds {
		before := slices.Clone(renamable(e, c))
		n, err := e.apply(c)
		if err != nil {
			return nil, nil, err
		}
		follow(objects, before, renamable(e, c))
		of := objects[c.Kind]
		if of[n] == nil || c.Op == schema.Create {
			of[n] = &object{n}
		}
		statements[i] = &statement{c, lines[i], of[n]}
	}
	s, broken := newSnapshot(h, e.tables)
	if len(broken) > 0 {
		return nil, nil, broken[0]
	}
	return s, statements, nil
}

// A called is what an object is called in the table of its kind.
type called struct {
	kind *schema.Kind
	name string
}

// renamable returns all that a command that gives a name could rename, in an order that
// this does not change.
func renamable(e *edit, c schema.Command) (all []called) {
	if renamed(c) == nil {
		return nil
	}
	for _, k := range schema.Kinds() {
		if !k.Live || e.tables[k] == nil {
			continue
		}
		for _, n := range e.tables[k].names() {
			all = append(all, called{k, n})
		}
	}
	return all
}

// follow gives objects the names that they have now.
func follow(objects map[*schema.Kind]map[string]*object, before, now []called) {
	for i, b := range before {
		if n := now[i].name; n != b.name {
			o := objects[b.kind][b.name]
			delete(objects[b.kind], b.name)
			o.name = n
			objects[b.kind][n] = o
		}
	}
}

// same reports whether two configurations have the same objects, whatever their
// order. Those without a name are counted by what is set of them.
func same(a, b *Snapshot) bool {
	for _, k := range schema.Kinds() {
		pairs, added, removed := match(a, b, k)
		if len(added)+len(removed) > 0 {
			return false
		}
		for _, p := range pairs {
			if !schema.Equal(p.was, p.is) {
				return false
			}
		}
	}
	return true
}

// A pair is an object before and after, by the name that it had in its table.
type pair struct {
	name    string
	was, is proto.Message
}

// match finds the objects of a kind that are in both configurations, and those that
// are only in one. Objects without a name are the same if they are alike.
func match(was, is *Snapshot, k *schema.Kind) (pairs []pair, added, removed []proto.Message) {
	a, b := was.table(k), is.table(k)
	nameless := make(map[string][]proto.Message)
	for n, m := range b.all() {
		switch old := a.get(n); {
		case name(m) != n:
			alike := schema.Format(schema.Create, m)
			nameless[alike] = append(nameless[alike], m)
		case old != nil && name(old) == n:
			pairs = append(pairs, pair{n, old, m})
		default:
			added = append(added, m)
		}
	}
	for n, m := range a.all() {
		if name(m) == n {
			if same := b.get(n); same == nil || name(same) != n {
				removed = append(removed, m)
			}
			continue
		}
		if alike := schema.Format(schema.Create, m); len(nameless[alike]) > 0 {
			pairs = append(pairs, pair{n, m, nameless[alike][0]})
			nameless[alike] = nameless[alike][1:]
			continue
		}
		removed = append(removed, m)
	}
	for n, m := range b.all() {
		if name(m) != n {
			alike := schema.Format(schema.Create, m)
			added = append(added, nameless[alike]...)
			delete(nameless, alike)
		}
	}
	return pairs, added, removed
}

// A rewriter changes a page from one configuration to another.
type rewriter struct {
	page       *page
	was, is    *Snapshot
	statements []*statement
	report     Report
}

// kind changes what is said of the objects of one kind.
func (r *rewriter) kind(k *schema.Kind) {
	of := make(map[string][]*statement)
	for _, s := range r.statements {
		if s.Kind == k {
			of[s.object.name] = append(of[s.object.name], s)
		}
	}
	pairs, added, removed := match(r.was, r.is, k)
	for _, p := range pairs {
		if !schema.Equal(p.was, p.is) {
			r.change(k, p, of[p.name])
		}
	}
	gone := make(map[proto.Message]bool)
	for _, m := range removed {
		gone[m] = true
		r.report.Removed = append(r.report.Removed, schema.Label(m))
	}
	for n, m := range r.was.table(k).all() {
		if gone[m] {
			r.remove(of[n])
		}
	}
	for _, m := range added {
		r.report.Added = append(r.report.Added, schema.Label(m))
		r.page.insert(r.after(k), schema.Create, m)
	}
}

func (r *rewriter) remove(statements []*statement) {
	for _, s := range statements {
		r.page.remove(s.words)
	}
}

// after is where a new object of a kind is put: behind the last statement about one
// of its kind or, if there is none, of the nearest kind before it.
func (r *rewriter) after(k *schema.Kind) int {
	kinds := schema.Kinds()
	for i := slices.Index(kinds, k); i >= 0; i-- {
		for _, s := range slices.Backward(r.statements) {
			if s.Kind == kinds[i] {
				return r.page.lineAfter(s.words[len(s.words)-1].End)
			}
		}
	}
	return len(r.page.text)
}

// change makes the statements about an object say what it is now.
func (r *rewriter) change(k *schema.Kind, p pair, statements []*statement) {
	r.report.Changed = append(r.report.Changed, schema.Label(p.is))
	op := schema.Create
	if k.Singleton || k.Builtin == p.name && k.Builtin != "" {
		op = schema.Modify
	}
	switch {
	case len(statements) == 0:
		r.page.insert(r.after(k), op, p.is)
	case !r.plain(k, p, statements):
		last := statements[len(statements)-1]
		r.page.insert(r.page.lineAfter(last.words[len(last.words)-1].End), op, p.is)
		r.remove(statements)
	default:
		r.edit(k, p, statements)
	}
}

// plain reports whether statements only set parameters, each other's keys the same.
func (r *rewriter) plain(k *schema.Kind, p pair, statements []*statement) bool {
	for _, s := range statements {
		if s.Op != schema.Create && s.Op != schema.Modify || len(s.Unset) > 0 || renamed(s.Command) != nil {
			return false
		}
	}
	return !slices.ContainsFunc(k.Params, func(q *schema.Param) bool {
		return q.Key && !q.Equal(p.was, p.is)
	})
}

// edit changes parameters where they stand. What was not set is added to the first
// statement; a statement that is left with nothing to say is removed.
func (r *rewriter) edit(k *schema.Kind, p pair, statements []*statement) {
	gone := make(map[string]bool)
	for _, q := range k.Params {
		if q.Key || q.Action || q.Equal(p.was, p.is) {
			continue
		}
		at, w := r.lastWord(q, statements)
		switch {
		case !q.Has(p.is):
			gone[q.Name] = true
		case at != nil:
			r.page.setValue(w, q, p.is)
		default:
			r.page.add(statements[0].words, q.Name+"="+schema.Quote(q.Text(p.is)))
		}
	}
	for i, s := range statements {
		r.drop(s, gone, i == 0 && r.adds(k, p, statements))
	}
}

// adds reports whether parameters are added to the first of statements.
func (r *rewriter) adds(k *schema.Kind, p pair, statements []*statement) bool {
	return slices.ContainsFunc(k.Params, func(q *schema.Param) bool {
		at, _ := r.lastWord(q, statements)
		return !q.Key && at == nil && q.Has(p.is) && !q.Equal(p.was, p.is)
	})
}

// lastWord finds where statements last say a parameter.
func (r *rewriter) lastWord(q *schema.Param, statements []*statement) (*statement, schema.Word) {
	for _, s := range slices.Backward(statements) {
		at, ok := s.ParamAt[q.Name]
		if !ok {
			continue
		}
		for _, w := range s.words {
			if w.Offset == at.Offset {
				return s, w
			}
		}
	}
	return nil, schema.Word{}
}

// drop removes parameters from a statement, and the whole of it if none is left.
func (r *rewriter) drop(s *statement, gone map[string]bool, added bool) {
	left := added || s.Op == schema.Create
	for name := range s.ParamAt {
		if p := s.Kind.Param(name); p != nil && !p.Key && !gone[name] {
			left = true
		}
	}
	if !left {
		r.page.remove(s.words)
		return
	}
	for i, w := range s.words {
		p := s.Kind.Param(w.Name)
		if p != nil && i > 0 && gone[p.Name] && s.ParamAt[p.Name].Offset == w.Offset {
			r.page.cut(s.words[i-1].End, w.End)
		}
	}
}

// quoteAs writes a value in the way in which another was written: between the same quotes,
// or as a number.
func quoteAs(old string, p *schema.Param, m proto.Message) string {
	value := p.Text(m)
	if n, err := schema.ParseTraceFlags(value); err == nil && p.IsTrace() && isNumber(old) {
		return n.Number()
	}
	for _, quote := range []string{`"`, `'`} {
		if len(old) > 1 && strings.HasPrefix(old, quote) && strings.HasSuffix(old, quote) &&
			!strings.Contains(value, quote) {
			return quote + value + quote
		}
	}
	return schema.Quote(value)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
