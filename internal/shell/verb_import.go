package shell

import (
	"fmt"
	"io"

	"connectrpc.com/connect"

	"culvert/api"
)

// An Import turns configurations of another program into ours. It returns the
// commands, and what could not be carried over.
type Import func(format string, files []string) (text string, report []string, err error)

// configImport prints, saves or merges what an importer makes of files.
func (s *Shell) configImport(c *call) error {
	if s.Import == nil {
		return usagef("config import: this l2tpconfig was built without importers")
	}
	if len(c.rest) < 2 {
		return usagef("config import: expected %s and a file; a format is %s", c.verb.rest,
			orList(s.ImportFormats))
	}
	var paths []string
	for _, w := range c.rest[1:] {
		paths = append(paths, w.Name)
	}
	text, report, err := s.Import(c.rest[0].Name, paths)
	if err != nil {
		return err
	}
	for _, line := range report {
		fmt.Fprintln(s.Stderr, printable(line))
	}
	switch {
	case c.has("merge"):
		return s.merge(c, text)
	case c.has("file"):
		return writePrivate(c.given["file"], text)
	}
	_, err = io.WriteString(s.out, text)
	return err
}

// merge adds commands to what runs, all of them or none.
func (s *Shell) merge(c *call, text string) error {
	client, err := s.daemon()
	if err != nil {
		return err
	}
	r, err := client.LoadConfig(c.ctx, connect.NewRequest(&api.LoadConfigRequest{
		Source: &api.Source{From: &api.Source_Text{Text: text}, Name: c.rest[1].Name},
		Merge:  true, Comment: "imported from " + c.rest[1].Name,
	}))
	if err != nil {
		return explain(s.Server, err)
	}
	s.values.forget()
	return s.loaded(r.Msg, 0)
}
