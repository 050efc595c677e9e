package main

import (
	"io"
	"log/slog"

	"culvert/internal/logging"
)

// openLog opens what --log says. The time is left out of standard error where a
// journal adds its own.
func (f *flags) openLog(stderr io.Writer, level slog.Level) (*logging.Log, error) {
	log, err := logging.Open(f.log, logging.Options{
		Format: f.logFormat, Time: f.foreground, Level: level, Stderr: stderr})
	if err != nil {
		return nil, err
	}
	log.SetDebug(f.debug)
	return log, nil
}
