package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/management"
	"culvert/internal/schema"
)

// Write saves what runs into the daemon's own file. It refuses if somebody has
// changed what that says since it was read or written: nothing of his is lost.
func (c *Configurator) Write(_ context.Context, author string, r *api.WriteConfigRequest) (
	*api.WriteConfigResponse, error) {
	c.changing.Lock()
	defer c.changing.Unlock()
	defer c.Flush()
	if err := c.mayWrite(); err != nil {
		return nil, err
	}
	now := c.store.Snapshot()
	there, err := os.ReadFile(c.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	if err == nil {
		if err := c.checkUntouched(there, now); err != nil {
			return nil, err
		}
	}
	warnings, err := c.writeOwn(there, now)
	if err != nil {
		return nil, err
	}
	number, more := c.recordWritten(now, author, r.GetComment())
	warnings = append(warnings, more...)
	c.warn(warnings)
	c.log.Info("configuration written", "file", c.file, "revision", number, "author", author)
	return &api.WriteConfigResponse{File: c.file, Revision: number, Warnings: warnings}, nil
}

func (c *Configurator) mayWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.wait; w != nil {
		return management.Errorf(management.ErrRefused, "revision %d waits to be confirmed until "+
			"%s: confirm it before it is written", w.revision, clock(w.at))
	}
	return nil
}

// checkUntouched refuses a file that says neither what it said when it was last read or
// written, nor what runs, nor what is in the history. What of it is no command may differ.
func (c *Configurator) checkUntouched(there []byte, now *config.Snapshot) error {
	s, faults := Read(c.store, c.file, there)
	if len(faults) > 0 {
		return management.Errorf(management.ErrRefused,
			"%s was changed since it was read, and has a fault: %s", c.file, FaultText(faults[0]))
	}
	text := config.Format(s)
	c.mu.Lock()
	known := bytes.Equal(text, c.onFile)
	c.mu.Unlock()
	if known || len(diff(s, now)) == 0 || c.history.has(text) {
		return nil
	}
	return management.Errorf(management.ErrRefused, "%s was changed since it was read: "+
		"load it first, or move it away", c.file)
}

// writeOwn writes a configuration into the daemon's file, of which text is there.
func (c *Configurator) writeOwn(there []byte, now *config.Snapshot) (
	warnings []string, err error) {
	text, warnings, err := c.rewrite(there, now)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o750); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	if err := writeFile(c.file, text); err != nil {
		return nil, fmt.Errorf("writing the configuration: %s: %w", c.file, cause(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onFile = config.Format(now)
	c.keep(func(k *Keeping) { k.reads(File{text, now}) })
	return warnings, nil
}

// rewrite makes the file's new text: its comments and order are kept where that is
// possible. It is read again before anything is written: a file that loads to something
// else would be found at the next start.
func (c *Configurator) rewrite(there []byte, now *config.Snapshot) (
	text []byte, warnings []string, err error) {
	text, report := config.Rewrite(there, now)
	switch {
	case len(there) == 0:
		text = config.Format(now)
	case report.Anew != "":
		warnings = append(warnings, fmt.Sprintf("%s was written anew, without its comments: %s",
			c.file, report.Anew))
	}
	s, faults := Read(c.store, c.file, text)
	if len(faults) > 0 {
		return nil, nil, fmt.Errorf("writing the configuration: it would not load: %s",
			FaultText(faults[0]))
	}
	if changes := diff(now, s); len(changes) > 0 {
		return nil, nil, fmt.Errorf("writing the configuration: it would load with another %s",
			schema.Label(changes[0].object()))
	}
	return text, warnings, nil
}

// recordWritten makes what was written a revision, if it is none or there is
// something to say of it.
func (c *Configurator) recordWritten(now *config.Snapshot, author, comment string) (
	number uint32, warnings []string) {
	if !c.isChanged(now) && comment == "" {
		return c.history.last().number, nil
	}
	number, warnings = c.history.add(time.Now(), author, comment, config.Format(now))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ran, c.asked = now, nil
	return number, warnings
}
