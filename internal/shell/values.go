package shell

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/importer"
	"culvert/internal/schema"
)

// A source finds what a value can be. It is asked while somebody types, and
// answers soon or with nothing.
type source func(*Shell, *completion) []candidate

const (
	// lookupTimeout is how long completion waits for the daemon.
	lookupTimeout = time.Second
	// lookupLimit is how many objects completion looks at.
	lookupLimit = 2000
	// cacheAge is how long what was looked up is good enough.
	cacheAge = 3 * time.Second
)

// A cache keeps the objects of a kind that were looked up last.
type cache struct {
	objects map[*schema.Kind][]proto.Message
	at      map[*schema.Kind]time.Time
}

// forget makes the next lookup ask the daemon.
func (c *cache) forget() { *c = cache{} }

// lookup returns the objects of a kind, or what is known of them.
func (s *Shell) lookup(k *schema.Kind) []proto.Message {
	if time.Since(s.values.at[k]) < cacheAge {
		return s.values.objects[k]
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	client, err := s.daemon()
	if err != nil {
		return nil
	}
	r, err := client.List(ctx, connect.NewRequest(
		&api.ListRequest{Filter: schema.Wrap(k.New()), PageSize: lookupLimit}))
	var objects []proto.Message
	if err == nil {
		for _, o := range r.Msg.GetObjects() {
			objects = append(objects, schema.Unwrap(o))
		}
	}
	if s.values.objects == nil {
		s.values = cache{map[*schema.Kind][]proto.Message{}, map[*schema.Kind]time.Time{}}
	}
	s.values.objects[k], s.values.at[k] = objects, time.Now()
	return objects
}

// namesOf finds the values that a parameter has in the objects of a kind.
func namesOf(kind, param string) source {
	return func(s *Shell, c *completion) []candidate {
		k := schema.KindNamed(kind)
		return s.valuesIn(c, k, k.Param(param))
	}
}

func (s *Shell) valuesIn(c *completion, k *schema.Kind, p *schema.Param) []candidate {
	var all []candidate
	for _, m := range s.lookup(k) {
		if p.Has(m) && agreesWith(m, k, p, c) {
			all = append(all, candidate{text: p.Text(m), help: about(m)})
		}
	}
	return unique(all)
}

// agreesWith reports whether the keys that are given already, other than those
// of p's group, are those of m: of the sessions, those of the tunnel.
func agreesWith(m proto.Message, k *schema.Kind, p *schema.Param, c *completion) bool {
	for _, w := range c.words {
		q := k.Param(w.Name)
		if q != nil && q.Key && w.HasValue && q.KeyGroup != p.KeyGroup && q.Has(m) && q.Text(m) != w.Value {
			return false
		}
	}
	return true
}

// about says in a few words which object it is.
func about(m proto.Message) string {
	switch m := m.(type) {
	case *api.Tunnel:
		return joinNotEmpty(m.GetTunnelName(), m.GetStatus().GetPeerHostName(), m.GetDestIpaddr())
	case *api.Session:
		return joinNotEmpty(sessionName(m), m.GetStatus().GetUser(), m.GetStatus().GetInterface())
	}
	return ""
}

func joinNotEmpty(parts ...string) string {
	return printable(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", "))
}

// unique sorts candidates, numbers as numbers, and leaves out doubles.
func unique(all []candidate) []candidate {
	sort.SliceStable(all, func(i, j int) bool {
		a, errA := strconv.Atoi(all[i].text)
		b, errB := strconv.Atoi(all[j].text)
		if errA == nil && errB == nil {
			return a < b
		}
		return all[i].text < all[j].text
	})
	return slices.CompactFunc(all, func(a, b candidate) bool { return a.text == b.text })
}

// valuesOf finds what the value of an object's parameter can be.
func (s *Shell) valuesOf(c *completion, n *node, p *schema.Param) []candidate {
	switch {
	case p.Secret:
		return nil
	case p.Format == api.Format_FORMAT_TRACE:
		return traceWords(c, p)
	case p.RefersTo != "":
		k := schema.KindNamed(p.RefersTo)
		return s.valuesIn(&completion{}, k, k.Keys()[0][0])
	case p.Format == api.Format_FORMAT_PATH:
		return files(s, c)
	case n.kind.Words == "session" && p.KeyGroup == "tunnel":
		return namesOf("tunnel", p.Name)(s, c)
	case p.Key && n.op != schema.Create:
		return s.valuesIn(c, n.kind, p)
	case n.op == schema.List:
		return append(wordCandidates(p), s.valuesIn(c, n.kind, p)...)
	}
	return wordCandidates(p)
}

// wordCandidates are the words that a value can be.
func wordCandidates(p *schema.Param) []candidate {
	var all []candidate
	for _, w := range p.Words() {
		all = append(all, candidate{text: w, help: defaultNote(p, w)})
	}
	for _, w := range []string{p.Zero, p.Default} {
		if w != "" && !slices.ContainsFunc(all, func(o candidate) bool { return o.text == w }) {
			all = append(all, candidate{text: w, help: defaultNote(p, w)})
		}
	}
	return all
}

func defaultNote(p *schema.Param, word string) string {
	if word == p.Default || word == defaultText(p) {
		return "the default"
	}
	return ""
}

// traceWords completes the last of several words.
func traceWords(c *completion, p *schema.Param) []candidate {
	before := c.last.value[:strings.LastIndex(c.last.value, ",")+1]
	var all []candidate
	for _, w := range p.Words() {
		if !slices.Contains(strings.Split(before, ","), w) {
			all = append(all, candidate{text: before + w, help: traceHelp[w], open: before != ""})
		}
	}
	return all
}

// spokenNames are the names that an operator can say of an object.
func (s *Shell) spokenNames(k *schema.Kind) []candidate {
	switch k.Words {
	case "session":
		return sessionNames(s, nil)
	case "tunnel":
		return tunnelNames(s, nil)
	}
	return s.valuesIn(&completion{}, k, k.Keys()[0][0])
}

func sessionNames(s *Shell, _ *completion) []candidate {
	var all []candidate
	for _, m := range s.lookup(schema.KindNamed("session")) {
		session := m.(*api.Session)
		all = append(all, candidate{text: sessionName(session), help: joinNotEmpty(
			session.GetStatus().GetUser(), session.GetStatus().GetInterface())})
	}
	return unique(all)
}

func tunnelNames(s *Shell, _ *completion) []candidate {
	var all []candidate
	for _, m := range s.lookup(schema.KindNamed("tunnel")) {
		tunnel := m.(*api.Tunnel)
		all = append(all, candidate{text: tunnelName(tunnel), help: joinNotEmpty(
			tunnel.GetStatus().GetPeerHostName(), tunnel.GetStatus().GetPeerAddress())})
	}
	return unique(all)
}

// usersUp are the users who have a session.
func usersUp(s *Shell, _ *completion) []candidate {
	var all []candidate
	for _, m := range s.lookup(schema.KindNamed("session")) {
		session := m.(*api.Session)
		if user := cmp.Or(session.GetStatus().GetUser(), session.GetUserName()); user != "" {
			all = append(all, candidate{text: user, help: sessionName(session)})
		}
	}
	return unique(all)
}

// words are values that never change.
func words(all ...string) source {
	return func(*Shell, *completion) []candidate {
		var list []candidate
		for _, w := range all {
			list = append(list, candidate{text: w})
		}
		return list
	}
}

// revisions are the numbers of the configurations that are kept.
func revisions(s *Shell, _ *completion) []candidate {
	client, err := s.daemon()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	r, err := client.ListRevisions(ctx, connect.NewRequest(&api.ListRevisionsRequest{}))
	if err != nil {
		return nil
	}
	var all []candidate
	for _, v := range r.Msg.GetRevisions() {
		all = append(all, candidate{text: strconv.Itoa(int(v.GetNumber())),
			help: joinNotEmpty(clock(v.GetTime()), v.GetAuthor(), v.GetComment())})
	}
	return all
}

// importable are the formats to import, and then files.
func importable(s *Shell, c *completion) []candidate {
	if len(c.words) == 0 {
		return words(importer.Daemons()...)(s, c)
	}
	return files(s, c)
}

// files are the files of this machine.
func files(_ *Shell, c *completion) []candidate {
	dir, _ := filepath.Split(c.last.typed())
	where := dir
	if where == "" {
		where = "."
	}
	entries, err := os.ReadDir(where)
	if err != nil {
		return nil
	}
	var all []candidate
	for _, e := range entries {
		o := candidate{text: dir + e.Name()}
		if info, err := os.Stat(filepath.Join(where, e.Name())); err == nil && info.IsDir() {
			o.text, o.open = o.text+"/", true
		}
		if !strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(c.last.typed(), dir+".") {
			all = append(all, o)
		}
	}
	return all
}
