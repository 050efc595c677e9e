package engine

import (
	"bytes"
	"log/slog"
	"testing"
)

// TestSubjectHandler wants lines to be those of slog's With.
func TestSubjectHandler(t *testing.T) {
	opts := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	for name, write := range map[string]func(*slog.Logger){
		"plain":    func(l *slog.Logger) { l.Info("up", "network", "IPv4") },
		"more":     func(l *slog.Logger) { l.With("a", 1).Warn("down", "b", 2) },
		"group":    func(l *slog.Logger) { l.WithGroup("g").Info("up", "b", 2) },
		"disabled": func(l *slog.Logger) { l.Debug("nothing") },
	} {
		var got, want bytes.Buffer
		handler := subjectHandler{slog.NewTextHandler(&got, opts), []slog.Attr{
			slog.String("session", "1/2"), slog.String("user", "alice")}}
		write(slog.New(handler))
		write(slog.New(slog.NewTextHandler(&want, opts)).With("session", "1/2", "user", "alice"))
		if got.String() != want.String() {
			t.Errorf("%s: %q, want %q", name, got.String(), want.String())
		}
	}
}
