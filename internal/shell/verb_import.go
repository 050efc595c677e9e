package shell

import (
	"fmt"
	"io"
	"os"
	"slices"

	"culvert/internal/importer"
	"culvert/internal/resolver"
	"culvert/internal/schema"
)

// configImport prints, saves or merges what an importer makes of files.
func (s *Shell) configImport(c *call) error {
	if len(c.rest) < 2 || !slices.Contains(importer.Daemons(), c.rest[0].Name) {
		return usagef("config import: expected %s; a daemon is %s", c.verb.rest,
			orList(importer.Daemons()))
	}
	files, err := importFiles(c.rest[1:])
	if err != nil {
		return err
	}
	r, err := importer.Import(c.rest[0].Name, files, resolver.Lookup)
	if err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintln(s.Stderr, printable(n.String()))
	}
	if !s.Quiet {
		fmt.Fprintf(s.Stderr, "%d statements were carried over, %d were not\n", r.Carried, r.Left)
	}
	switch {
	case c.has("merge"):
		return s.merge(c, c.rest[1].Name, r.Text, "imported from "+c.rest[1].Name)
	case c.has("file"):
		if _, err := os.Lstat(c.given["file"]); err == nil {
			return fmt.Errorf("saving what was imported: %s exists already", c.given["file"])
		}
		if err := writePrivate(c.given["file"], []byte(r.Text)); err != nil {
			return fmt.Errorf("saving what was imported: %w", err)
		}
		return nil
	}
	_, err = io.WriteString(s.out, r.Text)
	return err
}

func importFiles(words []schema.Word) ([]importer.File, error) {
	var files []importer.File
	for _, w := range words {
		text, err := os.ReadFile(w.Name)
		if err != nil {
			return nil, fmt.Errorf("reading what is to be imported: %w", err)
		}
		files = append(files, importer.File{Name: w.Name, Text: string(text)})
	}
	return files, nil
}
