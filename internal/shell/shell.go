package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/schema"
)

// A Shell runs commands against a daemon.
type Shell struct {
	Socket string
	Output string // table, json or yaml
	Quiet  bool   // do not confirm what was done
	Stdout io.Writer

	client apiconnect.ManagementClient
}

// Outputs are the forms of output.
var Outputs = []string{"table", "json", "yaml"}

// pageSize is how many objects of a listing are asked for at once.
const pageSize = 1000

// syntax is how people type.
var syntax = schema.Syntax{Abbreviate: true}

// Run carries out the command that args are.
func (s *Shell) Run(ctx context.Context, args []string) error {
	words, err := schema.Words(args)
	if err != nil {
		return err
	}
	return s.run(ctx, words)
}

// RunAll carries out the commands in text, one after the other, up to the
// first that fails.
func (s *Shell) RunAll(ctx context.Context, text string) error {
	commands, err := schema.Lex(text)
	if err != nil {
		return lineOf(err)
	}
	for _, words := range commands {
		if err := s.run(ctx, words); err != nil {
			return fmt.Errorf("line %d: %w", words[0].Line, err)
		}
	}
	return nil
}

func lineOf(err error) error {
	if se, ok := errors.AsType[*schema.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %w", se.Line, err)
	}
	return err
}

func (s *Shell) run(ctx context.Context, words []schema.Word) error {
	if len(words) == 0 {
		return errors.New("expected a command; l2tpconfig help lists them")
	}
	if handled, err := s.builtin(ctx, words); handled {
		return err
	}
	c, err := syntax.Parse(words)
	if err != nil {
		return err
	}
	if s.client == nil {
		s.client = newClient(s.Socket)
	}
	return s.do(ctx, c)
}

// do sends a command and prints the answer.
func (s *Shell) do(ctx context.Context, c schema.Command) error {
	object := schema.Wrap(c.Object)
	switch c.Op {
	case schema.Create:
		r, err := s.client.Create(ctx, connect.NewRequest(&api.CreateRequest{Object: object}))
		if err != nil {
			return explain(s.Socket, err)
		}
		return s.confirm("created", r.Msg.GetObject())
	case schema.Modify, schema.Unset:
		r, err := s.client.Modify(ctx, connect.NewRequest(
			&api.ModifyRequest{Object: object, Unset: c.Unset}))
		if err != nil {
			return explain(s.Socket, err)
		}
		return s.confirm("modified", r.Msg.GetObject())
	case schema.Delete:
		r, err := s.client.Delete(ctx, connect.NewRequest(
			&api.DeleteRequest{Object: object, Reason: c.Reason}))
		if err != nil {
			return explain(s.Socket, err)
		}
		return s.confirm("deleted", r.Msg.GetObject())
	case schema.Show:
		r, err := s.client.Show(ctx, connect.NewRequest(&api.ShowRequest{Object: object}))
		if err != nil {
			return explain(s.Socket, err)
		}
		return s.show(schema.Unwrap(r.Msg.GetObject()), schema.Unwrap(r.Msg.GetEffective()))
	}
	return s.list(ctx, c)
}

// list asks for page after page and prints each as it comes.
func (s *Shell) list(ctx context.Context, c schema.Command) error {
	out := newListing(s.Output, s.Stdout, c.Kind)
	req := &api.ListRequest{Filter: schema.Wrap(c.Object), PageSize: pageSize}
	for {
		r, err := s.client.List(ctx, connect.NewRequest(req))
		if err != nil {
			return explain(s.Socket, err)
		}
		if err := out.page(r.Msg.GetObjects()); err != nil {
			return err
		}
		req.PageToken = r.Msg.GetNextPageToken()
		if req.PageToken == "" {
			return out.end()
		}
	}
}

// confirm says what was done.
func (s *Shell) confirm(done string, o *api.Object) error {
	m := schema.Unwrap(o)
	if s.Output != "table" {
		return s.show(m, nil)
	}
	if s.Quiet {
		return nil
	}
	_, err := fmt.Fprintln(s.Stdout, done, schema.Label(m))
	return err
}

// builtin carries out the commands that are not about objects.
func (s *Shell) builtin(ctx context.Context, words []schema.Word) (bool, error) {
	first, last := words[0].Name, words[len(words)-1]
	switch {
	case first == "help" || first == "?":
		return true, help(s.Stdout, words[1:])
	case last.Name == "?" && !last.HasValue:
		return true, help(s.Stdout, words[:len(words)-1])
	case first == "config":
		return true, s.config(ctx, words[1:])
	}
	return false, nil
}

// config carries out config save, which writes the configuration, secrets
// included, to a file or to the output.
func (s *Shell) config(ctx context.Context, words []schema.Word) error {
	if len(words) == 0 || words[0].Name != "save" || words[0].HasValue {
		return errors.New("config: expected config save [file=PATH]")
	}
	path := ""
	for _, w := range words[1:] {
		if w.Name != "file" || w.Value == "" {
			return fmt.Errorf("config save: unknown word %q: expected file=PATH", w.Name)
		}
		path = w.Value
	}
	r, err := newClient(s.Socket).Save(ctx, connect.NewRequest(&api.SaveRequest{}))
	if err != nil {
		return explain(s.Socket, err)
	}
	if path == "" {
		_, err = io.WriteString(s.Stdout, r.Msg.GetText())
		return err
	}
	return writePrivate(path, r.Msg.GetText())
}

// writePrivate replaces a file at once, readable by its owner alone.
func writePrivate(path, text string) error {
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return fmt.Errorf("saving the configuration: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("saving the configuration: %w", err)
	}
	return nil
}
