package shell

import (
	"slices"
	"strings"
	"sync"

	"culvert/internal/schema"
)

// A verb is a command that is no operation on an object.
type verb struct {
	words  string
	also   []string // other words for the same
	help   string
	args   []arg
	rest   string // what bare words are, as "[ID...]"; empty: there are none
	values source // completes bare words
	nested bool   // bare words are a command of their own
	hidden bool   // understood, and not offered
	run    func(*Shell, *call) error
}

// An arg is what a verb can be given: NAME=VALUE, or a bare word if it is a flag.
type arg struct {
	name     string
	help     string
	expected string // of its value
	flag     bool
	required bool
	spaced   bool // the value may stand behind a blank: confirm 5m
	values   source
}

// A node is a word of the grammar, after those that lead to it. A command ends
// at it if it has a verb or a kind.
type node struct {
	word   string
	help   string
	hidden bool
	next   []*node

	verb *verb
	kind *schema.Kind
	op   schema.Op
	// The words have another order than the configuration's, and objects may be
	// named without "=": show tunnel office.
	operator bool
}

func (n *node) ends() bool { return n.verb != nil || n.kind != nil }

var (
	root     *node
	makeRoot sync.Once
)

// grammar returns the root of all commands.
func grammar() *node {
	makeRoot.Do(func() { root = newGrammar() })
	return root
}

func newGrammar() *node {
	root := &node{}
	for _, k := range schema.Kinds() {
		for i, words := range append([]string{k.Words}, k.Alias...) {
			root.addKind(k, words, i > 0)
		}
	}
	for _, v := range verbs() {
		for i, words := range append([]string{v.words}, v.also...) {
			n := root.at(words, v.hidden || i > 0)
			n.verb, n.kind = v, nil
			n.help = v.help
		}
	}
	for words, help := range groupHelp {
		root.at(words, true).help = help
	}
	return root
}

// addKind adds the operations on a kind, in both orders.
func (n *node) addKind(k *schema.Kind, words string, hidden bool) {
	object := n.at(words, hidden)
	object.help = k.Help
	for _, op := range k.Ops() {
		end := n.at(words+" "+string(op), hidden)
		end.kind, end.op, end.help = k, op, opHelp[op]
		spoken := n.at(string(op)+" "+words, hidden || op != schema.Show && op != schema.Delete)
		spoken.kind, spoken.op, spoken.help, spoken.operator = k, op, k.Help, true
		if op == schema.Show && !k.Singleton {
			plural := n.at(string(op)+" "+words+"s", true)
			plural.kind, plural.op, plural.help, plural.operator = k, op, k.Help, true
		}
	}
}

// groupHelp explains words that are no command by themselves.
var groupHelp = map[string]string{
	"show":         "What there is and how it is: show OBJECT [NAME]",
	"show ppp":     "Profiles of PPP links",
	"delete ppp":   "Profiles of PPP links",
	"delete peer":  "Profiles of peers",
	"show trace":   "The last events and messages of a tunnel or session",
	"delete":       "Remove something: delete OBJECT NAME",
	"ppp":          "Profiles of PPP links",
	"config":       "The configuration as a whole: check, load, commit, history",
	"drop":         "End tunnels and sessions",
	"debug":        "What is traced",
	"capture":      "Write control messages to a file",
	"clear":        "Set counters to zero",
	"server":       "Which daemon commands are for",
	"configure":    "Enter configuration mode",
	"terminal":     "Paging",
	"write":        "Save what runs into the daemon's own file",
	"pool address": "Blocks of addresses of a pool",
	"copy":         "Save what runs into the daemon's own file",
}

// at returns the node at the words, which it makes where there is none. A word
// is hidden as long as everything that adds it is.
func (n *node) at(words string, hidden bool) *node {
	for word := range strings.FieldsSeq(words) {
		c := n.child(word)
		if c == nil {
			c = &node{word: word, hidden: true}
			n.next = append(n.next, c)
		}
		c.hidden = c.hidden && hidden
		n = c
	}
	return n
}

func (n *node) child(word string) *node {
	for _, c := range n.next {
		if c.word == word {
			return c
		}
	}
	return nil
}

// A route is the nodes from the root, which it does not have, to a word.
type route []*node

func (r route) tail() *node { return r[len(r)-1] }

func (r route) words() string {
	var words []string
	for _, n := range r {
		words = append(words, n.word)
	}
	return strings.Join(words, " ")
}

// follow goes along the words as far as they lead. Each may be the beginning of
// a word. It returns every way there is, since a later word may tell which was
// meant: "conf t" can only be configure terminal.
func (n *node) follow(words []schema.Word) (routes []route, used int) {
	routes = []route{{n}}
	for _, w := range words {
		if w.HasValue || w.Quoted {
			break
		}
		next := step(routes, strings.ToLower(w.Name))
		if len(next) == 0 {
			break
		}
		routes = next
		used++
	}
	for i := range routes {
		routes[i] = routes[i][1:]
	}
	return routes, used
}

// step prolongs the routes by the word, if one has exactly that, or else by all
// that begin so.
func step(routes []route, word string) []route {
	var exact, begin []route
	if word == "" {
		return nil
	}
	for _, r := range routes {
		for _, c := range r.tail().next {
			switch {
			case c.word == word:
				exact = append(exact, append(slices.Clone(r), c))
			case strings.HasPrefix(c.word, word):
				begin = append(begin, append(slices.Clone(r), c))
			}
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return begin
}

// resolve finds the command that the words begin, and how many of them are its
// name.
func (n *node) resolve(words []schema.Word) (*node, int, error) {
	routes, used := n.follow(words)
	if used == 0 {
		return nil, 0, wrong(words[0], "%s", unknown("command", words[0].Name, n.offers()))
	}
	r, err := only(routes, words)
	if err != nil {
		return nil, 0, err
	}
	if r.tail().ends() {
		return r.tail(), used, nil
	}
	return nil, 0, incomplete(r, words, used)
}

// incomplete says what can follow the words, which are no command yet.
func incomplete(r route, words []schema.Word, used int) error {
	offers := r.tail().offers()
	if len(offers) == 0 {
		for _, c := range r.tail().next { // what was typed is hidden itself
			offers = append(offers, c.word)
		}
	}
	if used == len(words) {
		return wrong(words[used-1], "expected %s after %s", orList(offers), quoted(r.words()))
	}
	w := words[used]
	return wrong(w, "unknown word %s after %s: expected %s%s", quoted(w.Name),
		quoted(r.words()), orList(offers), schema.DidYouMean(w.Name, offers))
}

// only returns the route that was meant: the one that is a command, or that is
// not hidden.
func only(routes []route, words []schema.Word) (route, error) {
	for _, fits := range []func(*node) bool{
		func(*node) bool { return true },
		(*node).ends,
		func(n *node) bool { return !n.hidden },
		func(n *node) bool { return n.ends() && !n.hidden },
	} {
		var left []route
		for _, r := range routes {
			if fits(r.tail()) {
				left = append(left, r)
			}
		}
		if len(left) == 1 {
			return left[0], nil
		}
	}
	i, offers := parting(routes)
	return nil, wrong(words[i], "command %s is ambiguous: it can be %s", quoted(words[i].Name),
		orList(offers))
}

// parting returns where the routes part, and the words there.
func parting(routes []route) (int, []string) {
	for i := range routes[0] {
		var words []string
		for _, r := range routes {
			if !slices.Contains(words, r[i].word) && (!r[i].hidden || len(routes) <= 2) {
				words = append(words, r[i].word)
			}
		}
		if len(words) > 1 {
			return i, words
		}
	}
	return len(routes[0]) - 1, []string{routes[0].words(), routes[1].words()}
}

// offers are the words that can follow, and are not hidden.
func (n *node) offers() []string {
	var words []string
	for _, c := range n.next {
		if !c.hidden {
			words = append(words, c.word)
		}
	}
	return words
}
