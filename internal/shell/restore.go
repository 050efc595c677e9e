package shell

import (
	"fmt"
	"os"
	"slices"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/internal/schema"
)

// configRestore carries out the commands of a file. Those of a configuration are one
// whole, as in the daemon's own file: what comes first may name what comes later, and with
// a fault nothing changes. Others are carried out one by one, as openl2tp does.
func (s *Shell) configRestore(c *call) error {
	path := c.given["file"]
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("restoring the configuration: %w", err)
	}
	if isConfiguration(string(text)) {
		return s.merge(c, path, string(text), "restored from "+path)
	}
	p := s.progress("commands")
	defer p.end()
	where := func(at schema.Position) string {
		return fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)
	}
	return s.script(c.ctx, string(text), where, p.at)
}

// isConfiguration reports whether a text has only statements that say, in full words, what
// is to be. What deletes or changes a tunnel or session is a command: that may be one which
// a peer opened, of which the configuration knows nothing.
func isConfiguration(text string) bool {
	lines, _, _ := schema.LexFile(text)
	return len(lines) > 0 && !slices.ContainsFunc(lines, func(words []schema.Word) bool {
		k, op, err := schema.Syntax{}.Begin(words)
		return err != nil || !declares(k, op) || slices.ContainsFunc(words, isActionOf(k))
	})
}

func declares(k *schema.Kind, op schema.Op) bool {
	switch op {
	case schema.Create:
		return true
	case schema.Modify, schema.Unset, schema.Delete:
		return !k.Live
	}
	return false
}

// isActionOf finds what does something at once, as reset_statistics.
func isActionOf(k *schema.Kind) func(schema.Word) bool {
	return func(w schema.Word) bool {
		p := k.Param(w.Name)
		return p != nil && p.Action
	}
}

// merge adds statements to what runs, all of them or none.
func (s *Shell) merge(c *call, name, text, comment string) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.LoadConfig(c.ctx, connect.NewRequest(&api.LoadConfigRequest{
		Source: &api.Source{From: &api.Source_Text{Text: text}, Name: name},
		Merge:  true, Comment: comment,
	}))
	if err != nil {
		return explain(s.Server, err)
	}
	s.values.forget()
	return s.loaded(r.Msg, 0)
}
