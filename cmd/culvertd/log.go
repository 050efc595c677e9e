package main

import (
	"io"
	"log/slog"
	"runtime/debug"
)

// newLog logs to w: a line of key=value pairs for each event. The time is left
// out where the journal adds its own.
func newLog(w io.Writer, level slog.Leveler, foreground bool) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 && !foreground {
				return slog.Attr{}
			}
			return a
		},
	}))
}

// version is the module's version, or the commit that it was built from.
func version() string {
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
