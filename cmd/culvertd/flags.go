package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"culvert/internal/keeper"
	"culvert/internal/logging"
	"culvert/internal/management"
	"culvert/internal/schema"
)

// flags are what the command line says.
type flags struct {
	config     string
	state      string
	socket     string
	pidFile    string
	handOff    string
	keeper     string
	keep       string
	dataplane  string
	listen     []string
	port       uint16
	maxSetUp   int
	log        []string
	logFormat  string
	facility   string
	trace      string
	traceFlags schema.TraceFlags
	debug      bool
	foreground bool
	check      bool
}

// defaultConfig is read if it is there; one that --config names must be.
const defaultConfig = "/etc/culvert/culvertd.conf"

// olderConfig is openl2tpd's, which loads too, if it is named.
const olderConfig = "/etc/openl2tpd.conf"

// defaultState is where systemd's StateDirectory=culvert is.
const defaultState = "/var/lib/culvert"

// register defines the flags. Those of one letter are openl2tpd's.
func (f *flags) register(p *pflag.FlagSet) {
	p.StringVarP(&f.config, "config", "c", "",
		"configuration `FILE` (default "+defaultConfig+", if it is there)")
	p.StringVar(&f.state, "state", defaultState,
		"`DIR` for what outlives the daemon: the history of its configuration")
	p.StringVar(&f.socket, "socket", management.DefaultSocket,
		"`PATH` of the socket for l2tpconfig")
	p.StringVarP(&f.pidFile, "pidfile", "P", "",
		"write the process's number into `FILE`, and refuse to run beside a process that holds it")
	p.StringVar(&f.handOff, "name-servers", "",
		"write name servers that peers give into `FILE`, for a process that may change the host's")
	p.StringVar(&f.keeper, "keeper", keeper.DefaultSocket,
		"`SOCKET` of culvert-keeper, so that sessions outlive the daemon; none for no keeper")
	p.StringVar(&f.keep, "keep", defaultKeep,
		"`DIR`, on a tmpfs, for the state of sessions if there is a keeper")
	p.StringVar(&f.dataplane, "dataplane", "auto",
		"what carries packets: auto, kernel, tun or null")
	p.StringArrayVar(&f.listen, "listen", nil,
		"`ADDR[:PORT]` on which peers are heard, repeatable (default 0.0.0.0:1701 and [::]:1701)")
	p.Uint16VarP(&f.port, "port", "u", 0, "UDP `PORT` on which peers are heard, on every address")
	p.IntVarP(&f.maxSetUp, "max-setup", "y", 0,
		"`N` sessions in set-up at once at most, half of them for one peer; more are refused "+
			"(default 8192)")
	p.StringArrayVar(&f.log, "log", nil,
		"`WHERE` to log, repeatable: "+logging.Targets+
			" (default the journal under systemd, else stderr)")
	p.StringVar(&f.logFormat, "log-format", "text", "how lines on stderr and in files look: text or json")
	p.StringVarP(&f.facility, "facility", "L", "", "log to syslog as `FACILITY`: daemon, local0 to local7")
	p.StringVarP(&f.trace, "trace", "d", "",
		"trace `FLAGS` of everything from the start: a number, or words joined by commas")
	p.BoolVarP(&f.debug, "debug", "D", false, "log and trace everything from the start")
	p.BoolVarP(&f.foreground, "foreground", "f", false,
		"log for a reader at a terminal; the daemon never puts itself into the background")
	p.BoolVar(&f.check, "check", false,
		"check the configuration, print every fault and warning, and exit")
	registerDropped(p)
}

// A droppedFlag is one of openl2tpd's that has no meaning here any more.
type droppedFlag struct {
	name, letter string
	hasValue     bool
	isFatal      bool // the daemon would not be what was asked for
	instead      string
}

var droppedFlags = []droppedFlag{
	{"plugin", "p", true, true, "there are no plugins: what they did is built in (users, pools, " +
		"events); see \"user create\", \"pool create\" and \"l2tpconfig events\""},
	{"remote-rpc", "R", false, true, "there is no Sun RPC: set api_listen, api_certificate, " +
		"api_key and api_client_ca in \"system modify\" for an API over TLS"},
	{"status-files", "S", false, false, "there are no status files: use \"l2tpconfig --output json " +
		"session list\", or /metrics of \"system modify metrics_listen=\""},
}

func registerDropped(p *pflag.FlagSet) {
	for _, d := range droppedFlags {
		if d.hasValue {
			p.StringArrayP(d.name, d.letter, nil, "")
		} else {
			p.BoolP(d.name, d.letter, false, "")
		}
		p.Lookup(d.name).Hidden = true
	}
}

// verify checks the flags that others depend on, and says what became of those
// that openl2tpd had.
func (f *flags) verify(p *pflag.FlagSet, stderr io.Writer) error {
	for _, d := range droppedFlags {
		if !p.Changed(d.name) {
			continue
		}
		if d.isFatal {
			return fmt.Errorf("-%s: %s", d.letter, d.instead)
		}
		fmt.Fprintf(stderr, "culvertd: -%s is ignored: %s\n", d.letter, d.instead)
	}
	if f.port != 0 && len(f.listen) > 0 {
		return errors.New("--port and --listen: expected one of them; --listen takes ADDR:PORT")
	}
	if p.Changed("port") && f.port == 0 {
		return errors.New("--port 0: expected 1 to 65535")
	}
	if f.maxSetUp < 0 || p.Changed("max-setup") && f.maxSetUp == 0 {
		return fmt.Errorf("--max-setup %d: expected 1 or more", f.maxSetUp)
	}
	if !slices.Contains([]string{"auto", "kernel", "tun", "null"}, f.dataplane) {
		return fmt.Errorf("--dataplane %q: expected auto, kernel, tun or null", f.dataplane)
	}
	if f.facility != "" {
		f.log = append(f.log, "syslog:"+strings.ToLower(f.facility))
	}
	return f.verifyTrace()
}

func (f *flags) verifyTrace() error {
	if f.trace == "" {
		return nil
	}
	var err error
	if f.traceFlags, err = schema.ParseTraceFlags(f.trace); err != nil {
		return fmt.Errorf("--trace %w", err)
	}
	return nil
}

// forced are the trace flags that are on whatever is configured.
func (f *flags) forced(debug bool) schema.TraceFlags {
	if debug {
		return schema.TraceAll
	}
	return f.traceFlags
}
