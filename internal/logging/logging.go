package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Options say how lines look. A zero field means its default.
type Options struct {
	Format string    // of stderr and files: "text", the default, or "json"
	Time   bool      // write the time to stderr too, which files have always
	Level  Level     // of what is logged; default slog.LevelInfo
	Name   string    // of the program, default "culvertd"
	Stderr io.Writer // default os.Stderr

	// SyslogSocket and JournalSocket are default /dev/log and
	// /run/systemd/journal/socket.
	SyslogSocket, JournalSocket string
}

// Level is slog's.
type Level = slog.Level

// A Log is the targets that were opened.
type Log struct {
	logger *slog.Logger
	level  atomic.Int64 // as configured
	debug  atomic.Bool  // log all, whatever is configured
	files  []*file
	queues []*queue
}

// everything is below every level.
const everything = slog.Level(math.MinInt)

// Targets is what a target may be, for messages and help.
const Targets = "stderr, journald, syslog, syslog:FACILITY or file:PATH"

// Open opens the targets of specs. Without any it is the journal if this is a
// service of systemd whose standard error goes there, else standard error.
func Open(specs []string, o Options) (*Log, error) {
	o.setDefaults()
	if len(specs) == 0 {
		specs = automatic(o)
	}
	l := new(Log)
	l.SetLevel(o.Level)
	// Without this a write to a closed standard error would end the process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	var handlers []slog.Handler
	for _, spec := range specs {
		h, err := l.open(spec, o)
		if err != nil {
			l.Close()
			return nil, err
		}
		handlers = append(handlers, h)
	}
	l.logger = slog.New(&filter{l, slog.NewMultiHandler(handlers...)})
	return l, nil
}

func (o *Options) setDefaults() {
	def := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	def(&o.Format, "text")
	def(&o.Name, "culvertd")
	def(&o.SyslogSocket, "/dev/log")
	def(&o.JournalSocket, "/run/systemd/journal/socket")
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
}

func automatic(o Options) []string {
	if f, ok := o.Stderr.(*os.File); ok && isJournal(f, os.Getenv("JOURNAL_STREAM")) {
		return []string{"journald"}
	}
	return []string{"stderr"}
}

// open opens one target.
func (l *Log) open(spec string, o Options) (slog.Handler, error) {
	if o.Format != "text" && o.Format != "json" {
		return nil, fmt.Errorf("log format %q: expected text or json", o.Format)
	}
	name, rest, given := strings.Cut(spec, ":")
	switch {
	case spec == "stderr":
		return newLines(l.queue(o.Stderr.Write), o.Format, o.Time), nil
	case spec == "journald":
		return newJournal(l, o)
	case name == "syslog":
		return newSyslog(l, rest, given, o)
	case name == "file" && rest != "":
		f, err := openFile(rest)
		if err != nil {
			return nil, err
		}
		l.files = append(l.files, f)
		return newLines(l.queue(f.Write), o.Format, true), nil
	}
	return nil, fmt.Errorf("log target %q: expected %s", spec, Targets)
}

func (l *Log) queue(write func([]byte) (int, error)) *queue {
	q := newQueue(write)
	l.queues = append(l.queues, q)
	return q
}

// Logger returns what logs to the targets.
func (l *Log) Logger() *slog.Logger { return l.logger }

// SetLevel sets what is logged. A debugging that was switched on stays.
func (l *Log) SetLevel(level slog.Level) { l.level.Store(int64(level)) }

// SetDebug logs everything, or what SetLevel says again.
func (l *Log) SetDebug(on bool) { l.debug.Store(on) }

// ToggleDebug switches debugging on or off, and reports which.
func (l *Log) ToggleDebug() bool {
	for {
		was := l.debug.Load()
		if l.debug.CompareAndSwap(was, !was) {
			return !was
		}
	}
}

// Reopen opens files anew, for those who have moved them away. One that cannot
// be opened goes on as it was.
func (l *Log) Reopen() error {
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.reopen())
	}
	return errors.Join(errs...)
}

// Lost is how many lines were lost because a target was too slow or refused them.
func (l *Log) Lost() uint64 {
	var n uint64
	for _, q := range l.queues {
		n += q.lost.Load()
	}
	return n
}

// closeLimit is how long Close waits for a target that does not take its lines.
const closeLimit = time.Second

// Close writes what waits, and closes the targets. What is logged afterwards is lost.
func (l *Log) Close() {
	limit := time.After(closeLimit)
	for _, q := range l.queues {
		q.close()
	}
	for _, q := range l.queues {
		select {
		case <-q.done:
		case <-limit:
			return // the files of those that hang are the system's to close
		}
	}
	for _, f := range l.files {
		f.close()
	}
}
