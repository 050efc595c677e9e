package engine

import (
	"context"
	"log/slog"
)

// A subjectHandler puts attributes before those of each record, as slog's With does.
// But it does so when a record is written: loggers are made for every line, and many
// write none.
type subjectHandler struct {
	slog.Handler
	attrs []slog.Attr
}

// Handle writes a record.
func (h subjectHandler) Handle(ctx context.Context, r slog.Record) error {
	whole := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	whole.AddAttrs(h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		whole.AddAttrs(a)
		return true
	})
	return h.Handler.Handle(ctx, whole)
}

// WithAttrs returns a handler with more attributes.
func (h subjectHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.Handler.WithAttrs(h.attrs).WithAttrs(attrs)
}

// WithGroup returns a handler that puts further attributes into a group.
func (h subjectHandler) WithGroup(name string) slog.Handler {
	return h.Handler.WithAttrs(h.attrs).WithGroup(name)
}
