package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
)

// A document is the text of a configuration.
type document struct {
	name    string // as faults name it
	text    []byte
	file    bool             // it is the daemon's own
	running *config.Snapshot // instead of text: what runs
	number  uint32           // the revision that it is, or 0
}

// Read reads the text of a configuration and resolves it from the built-in one,
// without any effect. If there are faults there is no snapshot.
func Read(store *config.Store, name string, text []byte) (*config.Snapshot, []*api.Fault) {
	cmds, err := store.Parse(text)
	if err != nil {
		return nil, config.Faults(name, err)
	}
	s, err := store.Fresh(cmds...)
	if err != nil {
		return nil, config.Faults(name, err)
	}
	return s, nil
}

// FaultText is a fault on one line: file:line:column: what is wrong.
func FaultText(f *api.Fault) string {
	switch {
	case f.Line == 0:
		return fmt.Sprintf("%s: %s", f.File, f.Message)
	case f.Column == 0:
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// find finds the document that a request speaks of.
func (c *Configurator) find(src *api.Source) (document, error) {
	switch from := src.GetFrom().(type) {
	case *api.Source_File:
		return c.ownFile()
	case *api.Source_Text:
		name := src.GetName()
		if name == "" {
			name = "configuration"
		}
		return document{name: name, text: []byte(from.Text)}, nil
	case *api.Source_Revision:
		return c.revisionDocument(from.Revision)
	}
	return document{}, management.Errorf(management.ErrInvalid,
		"configuration: expected where it comes from: file, text or revision")
}

func (c *Configurator) ownFile() (document, error) {
	text, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, management.Errorf(management.ErrNotFound,
			"reading the configuration: there is no %s", c.file)
	}
	if err != nil {
		return document{}, fmt.Errorf("reading the configuration: %w", err)
	}
	return document{name: c.file, text: text, file: true}, nil
}

func (c *Configurator) revisionDocument(number uint32) (document, error) {
	if number == 0 {
		return document{running: c.store.Snapshot()}, nil
	}
	r, err := c.history.get(number)
	if err != nil {
		return document{}, err
	}
	return document{name: fmt.Sprintf("revision %d", number), text: r.text, number: number}, nil
}

// resolve makes a configuration of a document: by itself, or by applying it to old.
func (c *Configurator) resolve(d document, old *config.Snapshot, merge bool) (
	*config.Snapshot, []*api.Fault) {
	if d.running != nil {
		return d.running, nil
	}
	if !merge {
		return Read(c.store, d.name, d.text)
	}
	cmds, err := c.store.Parse(d.text)
	if err != nil {
		return nil, config.Faults(d.name, err)
	}
	next, err := old.With(cmds...)
	return next, config.Faults(d.name, err)
}
