package main

import (
	"io"
	"log/slog"
	"runtime/debug"

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

// release is what the makers of a package say, by the linker's -X.
var release string

// version is the release's, the module's, or the commit that it was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(len(s.Value), 12)]
		}
	}
	return "devel"
}
