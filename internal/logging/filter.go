package logging

import (
	"context"
	"log/slog"
)

// A filter asks the Log for the level. It filters only those who ask: what is
// handed to Handle goes on, whatever its level is. Traces do.
type filter struct {
	log  *Log
	next slog.Handler
}

// Enabled is slog.Handler's.
func (f *filter) Enabled(_ context.Context, level slog.Level) bool {
	return int64(level) >= f.log.level.Load() || f.log.debug.Load()
}

// Handle is slog.Handler's.
func (f *filter) Handle(ctx context.Context, r slog.Record) error { return f.next.Handle(ctx, r) }

// WithAttrs is slog.Handler's.
func (f *filter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &filter{f.log, f.next.WithAttrs(attrs)}
}

// WithGroup is slog.Handler's.
func (f *filter) WithGroup(name string) slog.Handler {
	return &filter{f.log, f.next.WithGroup(name)}
}
