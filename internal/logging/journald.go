package logging

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// newJournal logs to systemd's journal in its native protocol: every attribute is a field of
// its own, CULVERT_ and its name, by which journalctl finds lines.
// https://systemd.io/JOURNAL_NATIVE_PROTOCOL
func newJournal(l *Log, o Options) (slog.Handler, error) {
	if _, err := os.Stat(o.JournalSocket); err != nil {
		return nil, fmt.Errorf("log target journald: %w", err)
	}
	q := l.queue((&socket{path: o.JournalSocket}).Write)
	return newSender(func(line string, r slog.Record, own []slog.Attr) {
		var e entry
		e.field("MESSAGE", line)
		e.field("PRIORITY", strconv.Itoa(severity(r.Level)))
		e.field("SYSLOG_IDENTIFIER", o.Name)
		for _, a := range own {
			e.attr(a)
		}
		r.Attrs(func(a slog.Attr) bool {
			e.attr(a)
			return true
		})
		e.finish()
		q.Write([]byte(e.text.String()))
	}), nil
}

// An entry is one of the journal.
type entry struct {
	text            strings.Builder
	session, tunnel string
}

// field adds a field. The protocol has another form for values of many lines;
// there are none.
func (e *entry) field(name, value string) {
	e.text.WriteString(name + "=" + clip(OneLine(value)) + "\n")
}

func (e *entry) attr(a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, inner := range v.Group() {
			e.attr(inner)
		}
		return
	}
	text := v.String()
	switch a.Key {
	case "session":
		e.session = text
	case "tunnel":
		e.tunnel = text
	}
	if name := fieldName(a.Key); name != "" {
		e.field(name, text)
	}
}

// finish adds the tunnel of a session, which is named TUNNEL/SESSION.
func (e *entry) finish() {
	if tunnel, _, ok := strings.Cut(e.session, "/"); ok && e.tunnel == "" {
		e.field("CULVERT_TUNNEL", tunnel)
	}
}

// fieldName makes a field's name of an attribute's: upper case letters, digits
// and underscores.
func fieldName(key string) string {
	if key == "" {
		return ""
	}
	return "CULVERT_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key[:min(len(key), 48)])
}

// isJournal reports whether a file is the stream that systemd gave to a service:
// what JOURNAL_STREAM says, which is inherited by those who were given another.
func isJournal(f *os.File, stream string) bool {
	info, err := f.Stat()
	return err == nil && stream != "" && stream == streamOf(info)
}

// streamOf names a file as JOURNAL_STREAM does: device and inode.
func streamOf(info fs.FileInfo) string {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", sys.Dev, sys.Ino)
}
