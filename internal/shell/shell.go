package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/schema"
)

// A Shell runs commands against a daemon. It is used by one goroutine.
type Shell struct {
	Server Server
	Output string // one of Outputs
	Quiet  bool   // do not say what was done
	Yes    bool   // ask nothing
	Stdout io.Writer
	Stderr io.Writer
	// Terminal is where the user sits, or nil.
	Terminal *Terminal

	client      apiconnect.ManagementClient
	usual       Server // as it was started for
	other       bool   // server modify has switched to another
	configuring bool   // configure terminal
	leaving     bool   // exit
	unpaged     bool   // terminal length 0
	values      cache

	// Of the command that runs:
	out    io.Writer
	format string
	width  int // of the terminal that the output goes to, 0 if there is none
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
	where := func(at schema.Position) string { return fmt.Sprintf("line %d", at.Line) }
	return s.script(ctx, text, where, nil)
}

// script carries out commands. where names a place in messages; each, if it is
// not nil, is told before each command how many there are.
func (s *Shell) script(
	ctx context.Context, text string, where func(schema.Position) string, each func(i, of int),
) error {
	commands, err := schema.Lex(text)
	if err != nil {
		se, _ := errors.AsType[*schema.SyntaxError](err)
		return &Error{ExitUsage, fmt.Errorf("%s: %w", where(se.Position), err)}
	}
	for i, words := range commands {
		if each != nil {
			each(i, len(commands))
		}
		if err := s.run(ctx, words); err != nil {
			at := words[0].Position
			if se, ok := errors.AsType[*schema.SyntaxError](err); ok && se.Line > 0 {
				at = se.Position
			}
			return &Error{ExitCode(err), fmt.Errorf("%s: %w", where(at), err)}
		}
		if s.leaving {
			return nil
		}
	}
	return nil
}

// run carries out one command, with what filters make of its output.
func (s *Shell) run(ctx context.Context, words []schema.Word) error {
	words, filters, err := splitFilters(words)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return usagef("expected a command; l2tpconfig help lists them")
	}
	finish := s.open(filters)
	err = s.command(ctx, words)
	return errors.Join(err, finish(err))
}

// open directs the output of a command through filters. What it returns ends
// them.
func (s *Shell) open(filters []filter) (finish func(error) error) {
	out, format, width := s.out, s.format, s.width
	if out == nil {
		s.out, s.format = s.Stdout, s.Output
		if s.Terminal != nil {
			s.width = s.Terminal.Width()
		}
	}
	chain := s.pipe(filters)
	return func(err error) error {
		s.out, s.format, s.width = out, format, width
		return chain(err)
	}
}

// command carries out one command. Its output goes to s.out.
func (s *Shell) command(ctx context.Context, words []schema.Word) error {
	if last := words[len(words)-1]; last.Name == "?" && !last.HasValue && !last.Quoted {
		return s.help(words[:len(words)-1])
	}
	n, used, err := grammar().resolve(words)
	if err != nil {
		return err
	}
	rest := words[used:]
	if n.verb != nil {
		c, err := newCall(ctx, n.verb, rest)
		if err != nil {
			return err
		}
		return n.verb.run(s, c)
	}
	if n.operator {
		return s.spoken(ctx, n, rest, words[0].Position)
	}
	return s.parseAndDo(ctx, n.kind, n.op, rest, words[0].Position)
}

// parseAndDo carries out an operation whose words were understood already.
func (s *Shell) parseAndDo(
	ctx context.Context, k *schema.Kind, op schema.Op, rest []schema.Word, at schema.Position,
) error {
	c, err := parse(k, op, rest, at)
	if err != nil {
		return err
	}
	return s.do(ctx, c)
}

// parse reads what follows the words of an operation.
func parse(k *schema.Kind, op schema.Op, rest []schema.Word, at schema.Position) (schema.Command, error) {
	var words []schema.Word
	for word := range strings.FieldsSeq(k.Words + " " + string(op)) {
		words = append(words, schema.Word{Position: at, ValueAt: at, Name: word})
	}
	return syntax.Parse(append(words, rest...))
}

// daemon returns the client of the daemon.
func (s *Shell) daemon() (apiconnect.ManagementClient, error) {
	if s.client == nil {
		client, err := s.Server.client()
		if err != nil {
			return nil, err
		}
		s.client = client
	}
	return s.client, nil
}

// switchTo makes another daemon the one that commands are for.
func (s *Shell) switchTo(server Server) error {
	client, err := server.client()
	if err != nil {
		return err
	}
	if !s.other {
		s.usual = s.Server
	}
	s.Server, s.client, s.other = server, client, server != s.usual
	s.values.forget()
	return nil
}

// say tells what was done, if anybody wants to know.
func (s *Shell) say(format string, args ...any) error {
	if s.Quiet {
		return nil
	}
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err
}

// confirm says what was done to an object.
func (s *Shell) confirm(done string, o *api.Object) error {
	m := schema.Unwrap(o)
	if s.format != "table" {
		return s.show(m, nil, nil)
	}
	return s.say("%s %s", done, schema.Label(m))
}
