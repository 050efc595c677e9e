package config_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
	"culvert/internal/schema/schematest"
)

// surroundings has something for each name that an object may refer to.
const surroundings = `
	pool create pool_name=default addresses=10.200.0.0/24
	tunnel create tunnel_name=around dest_ipaddr=peer.example.net
`

// A case is one parameter of one kind of object.
type parameterCase struct {
	*testing.T
	kind  *schema.Kind
	param *schema.Param
	store *config.Store
}

// Every parameter of every object is created, modified, unset, saved, loaded again and
// shown, and what it cannot be is refused. The values come from the schema: a new
// parameter is tested by being there.
func TestEveryParameter(t *testing.T) {
	for _, k := range schema.Kinds() {
		if k.ReadOnly {
			continue
		}
		for _, p := range k.Params {
			t.Run(strings.ReplaceAll(k.Words, " ", "_")+"/"+p.Name, func(t *testing.T) {
				c := &parameterCase{T: t, kind: k, param: p}
				values := schematest.Values(p)
				for i, v := range values {
					if slices.Contains(schematest.NotCreated[k.Words+" "+p.Name], v) {
						continue
					}
					c.life(v, values[(i+1)%len(values)])
				}
				for _, v := range schematest.Wrong(p) {
					c.wrong(v)
				}
			})
		}
	}
}

// command carries out a command about the object of the case.
func (c *parameterCase) command(op schema.Op, words string) error {
	c.Helper()
	return c.run(string(op) + " " + c.key() + " " + words)
}

func (c *parameterCase) run(words string) error {
	commands, err := schema.Lex(c.kind.Words + " " + words)
	if err != nil || len(commands) != 1 {
		c.Fatalf("%s: %v", words, err)
	}
	command, err := schema.Syntax{}.Parse(commands[0])
	if err != nil {
		return err
	}
	return c.store.Apply(command)
}

// key names the object. One parameter of the case is not given twice.
func (c *parameterCase) key() string {
	var words []string
	for i, group := range c.kind.Keys() {
		name := "object"
		if len(c.kind.Keys()) > 1 && i == 0 {
			name = "around"
		}
		if group[0] != c.param && !(slices.Contains(group, c.param) && len(group) > 1) {
			words = append(words, group[0].Name+"="+name)
		}
	}
	return strings.Join(words, " ")
}

// begin makes the object with what it needs, and with words.
func (c *parameterCase) begin(words string) error {
	c.store = config.NewStore("machine")
	if err := c.store.Load("surroundings", []byte(surroundings)); err != nil {
		c.Fatal(err)
	}
	if c.kind.Singleton {
		return c.command(schema.Modify, words)
	}
	m := schematest.Needed(c.kind.New())
	for _, p := range c.kind.Params {
		if p.Has(m) && p != c.param {
			words += " " + p.Name + "=" + schema.Quote(p.Text(m))
		}
	}
	return c.command(schema.Create, words)
}

// said is the parameter with a value, and with what that needs.
func (c *parameterCase) said(v string) string {
	return c.param.Name + "=" + schema.Quote(v) + " " + schematest.Companions[c.param.Name]
}

// life leads the object through all that can become of it.
func (c *parameterCase) life(v, other string) {
	c.Helper()
	if c.param.Key {
		if c.param.KeyGroup == "tunnel" && c.kind == schema.KindOf(&api.Session{}) {
			return // it has to be that of a tunnel
		}
		if err := c.begin(c.said(v)); err != nil {
			c.Fatal(err)
		}
		c.saved()
		return
	}
	if err := c.begin(c.said(v)); err != nil {
		c.Fatal(err)
	}
	if c.param.Action {
		if m := c.object(); c.param.Has(m) {
			c.Errorf("%v is kept", m)
		}
		return
	}
	c.is(v)
	c.modified(v, other)
	c.unset()
}

// canChange reports whether the parameter can be changed later.
func (c *parameterCase) canChange() bool { return !c.kind.Live || !c.param.CreateOnly }

func (c *parameterCase) modified(v, other string) {
	c.Helper()
	err := c.command(schema.Modify, c.param.Name+"="+schema.Quote(other))
	switch {
	case c.canChange() && err != nil:
		c.Errorf("modify to %s: %v", other, err)
	case c.canChange():
		c.is(other)
	case err == nil || !strings.Contains(err.Error(), "cannot be modified"):
		c.Errorf("modify to %s: %v, want that it cannot", other, err)
	default:
		c.is(v)
	}
}

func (c *parameterCase) unset() {
	c.Helper()
	err := c.command(schema.Unset, c.param.Name)
	if !c.canChange() || c.param.Required {
		if err == nil {
			c.Error("it can be unset")
		}
		return
	}
	if err != nil {
		c.Errorf("unset: %v", err)
		return
	}
	m := c.object()
	e := c.store.Snapshot().Explain(m)
	if c.param.Has(m) || e.Origins[c.param.Name] == "given" {
		c.Errorf("after unset it is %s: %s", c.param.Text(m), e.Origins[c.param.Name])
	}
	if want := c.canonical(c.param.Default); c.param.Text(e.Effective) != want {
		c.Errorf("after unset it is %s, want the default %s", c.param.Text(e.Effective), want)
	}
	c.saved()
}

// is looks whether the parameter is v: in what is configured, in what is shown, and in
// what is saved.
func (c *parameterCase) is(v string) {
	c.Helper()
	want := c.canonical(v)
	m := c.object()
	if got := c.param.Text(m); got != want {
		c.Errorf("it is %q, want %q", got, want)
	}
	e := c.store.Snapshot().Explain(m)
	if got := c.param.Text(e.Effective); got != want || e.Origins[c.param.Name] != "given" {
		c.Errorf("%q (%s) is shown, want %q (given)", got, e.Origins[c.param.Name], want)
	}
	c.saved()
}

// canonical is how a value is written.
func (c *parameterCase) canonical(v string) string {
	if v == "" {
		return ""
	}
	m := c.kind.New()
	if err := c.param.Set(m, v); err != nil {
		c.Fatal(err)
	}
	return c.param.Text(m)
}

// object is the only one of its kind, or the one called object.
func (c *parameterCase) object() proto.Message {
	c.Helper()
	all := c.store.Snapshot().Objects(c.kind)
	if c.kind.Singleton {
		return all[0]
	}
	for _, m := range all {
		if strings.HasSuffix(c.kind.Name(m), "object") {
			return m
		}
	}
	c.Fatalf("there is no object among %v", all)
	return nil
}

// saved loads what is saved, and compares. A file that was there is rewritten to the
// same.
func (c *parameterCase) saved() {
	c.Helper()
	now := c.store.Snapshot()
	text, report := config.Rewrite([]byte("# mine\n"+surroundings), now)
	if report.Anew != "" || !strings.HasPrefix(string(text), "# mine\n") {
		c.Errorf("written anew: %s", report.Anew)
	}
	for _, saved := range [][]byte{config.Format(now), text} {
		again := config.NewStore("machine")
		if err := again.Load("saved", saved); err != nil {
			c.Fatalf("%v\n%s", err, saved)
		}
		for _, k := range schema.Kinds() {
			if a, b := fmt.Sprint(all(now, k)), fmt.Sprint(all(again.Snapshot(), k)); a != b {
				c.Errorf("saved:\n%s\nthen:\n%s", a, b)
			}
		}
	}
}

// wrong looks whether a value is refused with a message that says what is right, and
// changes nothing.
func (c *parameterCase) wrong(v string) {
	c.Helper()
	if c.param.Key && c.kind == schema.KindOf(&api.Session{}) {
		return
	}
	isNeeded := c.param.Has(schematest.Needed(c.kind.New()))
	if err := c.begin(""); err != nil && !isNeeded && !c.kind.Singleton && !c.param.Key {
		c.Fatal(err)
	}
	before := c.store.Snapshot()
	op := schema.Modify
	if !c.canChange() || c.param.Key {
		op = schema.Create
	}
	err := c.run(string(op) + " " + strings.ReplaceAll(c.key(), "object", "second") + " " +
		c.param.Name + "=" + schema.Quote(v))
	if op == schema.Modify {
		err = c.command(op, c.param.Name+"="+schema.Quote(v))
	}
	switch {
	case err == nil:
		c.Errorf("%q is taken", v)
		return
	case c.store.Snapshot() != before:
		c.Errorf("%q changed something", v)
	case strings.Contains(err.Error(), "\n"):
		c.Errorf("%q: more than one line: %v", v, err)
	case c.param.Secret && len(v) > 8 && strings.Contains(err.Error(), v[:8]):
		c.Errorf("%q: the secret is told: %v", v, err)
	}
	if se, ok := errors.AsType[*schema.SyntaxError](err); ok && (se.Line != 1 || se.Column < 2) {
		c.Errorf("%q: place %+v", v, se.Position)
	}
	if c.param.RefersTo != "" {
		if !strings.Contains(err.Error(), "there is no such "+c.param.RefersTo) {
			c.Errorf("%q: %v", v, err)
		}
		return
	}
	want := c.param.Expected()
	if strings.Contains(v, "\x00") {
		want = "NUL"
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.param.Name) {
		c.Errorf("%q: %v, want that %s is to be %s", v, err, c.param.Name, want)
	}
}
