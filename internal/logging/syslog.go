package logging

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// facilities are those of RFC 3164, 4.1.1, by their numbers.
var facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
	"uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1",
	"local2", "local3", "local4", "local5", "local6", "local7"}

// newSyslog logs to the syslog daemon of this host, in the form that it reads
// from its socket: that of RFC 3164 without the host's name.
func newSyslog(l *Log, facility string, given bool, o Options) (slog.Handler, error) {
	if !given {
		facility = "daemon"
	}
	n := slices.Index(facilities, facility)
	if n < 0 {
		return nil, fmt.Errorf("log target syslog:%s: expected a facility: %s",
			facility, strings.Join(facilities, ", "))
	}
	q := l.queue((&socket{path: o.SyslogSocket}).Write)
	pid := os.Getpid()
	return newSender(func(line string, r slog.Record, _ []slog.Attr) {
		fmt.Fprintf(q, "<%d>%s %s[%d]: %s", n<<3|severity(r.Level),
			r.Time.Format("Jan _2 15:04:05"), o.Name, pid, clip(line))
	}), nil
}

// severity is what syslog and the journal call a level (RFC 3164, 4.1.1).
func severity(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// maxLine is the longest line that is sent in a datagram.
const maxLine = 16 << 10

func clip(s string) string {
	if len(s) <= maxLine {
		return s
	}
	return strings.ToValidUTF8(s[:maxLine], "") + " ..."
}
