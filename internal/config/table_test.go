package config

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"culvert/api"
)

// A plainTable is what a table should be like.
type plainTable struct {
	order  []string
	byName map[string]proto.Message
}

func (p *plainTable) text() (text string) {
	for _, n := range p.order {
		text += fmt.Sprintf("%s=%p ", n, p.byName[n])
	}
	return text
}

func (t *table) text() (text string) {
	for n, m := range t.all() {
		text += fmt.Sprintf("%s=%p ", n, m)
	}
	return text
}

// change does one thing at random to both.
func (p *plainTable) change(r *rand.Rand, t *table) {
	n, next := fmt.Sprint(r.IntN(500)), fmt.Sprint(r.IntN(500))
	m := &api.User{}
	_, there := p.byName[n]
	_, taken := p.byName[next]
	switch k := r.IntN(100); {
	case k < 60:
		if !there {
			p.order = append(p.order, n)
		}
		p.byName[n] = m
		t.put(n, m)
	case k < 99:
		p.order = slices.DeleteFunc(p.order, func(x string) bool { return x == n })
		delete(p.byName, n)
		t.remove(n)
	case there && !taken:
		p.order[slices.Index(p.order, n)] = next
		delete(p.byName, n)
		p.byName[next] = m
		t.rename(n, next, m)
	}
}

// TestTable compares a table with a plain one, while copies of copies change and
// those before stay as they are.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	plain, now := &plainTable{byName: make(map[string]proto.Message)}, newTable()
	for i := range 1500 {
		before := now.text()
		next := now.clone()
		for range r.IntN(4) {
			plain.change(r, next)
		}
		if now.text() != before {
			t.Fatalf("change %d of a copy changed the table", i)
		}
		if now = next; now.text() != plain.text() {
			t.Fatalf("after change %d the table is\n%s\nwant\n%s", i, now.text(), plain.text())
		}
		if n := fmt.Sprint(r.IntN(500)); now.get(n) != plain.byName[n] {
			t.Fatalf("after change %d %s is %v, want %v", i, n, now.get(n), plain.byName[n])
		}
		if !slices.Equal(now.names(), plain.order) || len(now.over) > maxOver+4 {
			t.Fatalf("after change %d: %v, %d apart", i, now.names(), len(now.over))
		}
	}
}
