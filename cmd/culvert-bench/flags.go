package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"culvert/internal/bench"
	"culvert/l2tp"
	"culvert/ppp"
)

// Where secrets come from besides files: a command line can be read by everybody.
const (
	passwordVariable = "CULVERT_BENCH_PASSWORD"
	secretVariable   = "CULVERT_BENCH_SECRET"
)

// flags are what the command line says.
type flags struct {
	cfg bench.Config

	ipv4, ipv6                                  bool
	sources                                     string
	auth                                        []string
	user, hostName, callingNumber, calledNumber string
	passwordFile, secretFile                    string
	end, traffic, trafficTarget                 string
	json, html                                  string
	progress                                    time.Duration
	quiet                                       bool
}

func (f *flags) register(p *pflag.FlagSet) {
	p.SortFlags = false
	f.registerLoad(p)
	f.registerTunnels(p)
	f.registerSessions(p)
	p.StringVar(&f.traffic, "traffic", string(bench.ICMPEcho),
		"what is sent into sessions: icmp (echo requests) or udp (to an echo service)")
	p.IntVar(&f.cfg.Traffic.Sessions, "traffic-sessions", 0,
		"send packets into `N` of the sessions")
	p.Float64Var(&f.cfg.Traffic.Rate, "traffic-rate", 1, "packets a second in each of them")
	p.IntVar(&f.cfg.Traffic.Window, "traffic-window", 0,
		"have `N` packets under way in each, the next when one came back "+
			"(default: as --traffic-rate has it)")
	p.IntVar(&f.cfg.Traffic.Size, "traffic-size", 84, "`BYTES` of an IP packet")
	p.StringVar(&f.trafficTarget, "traffic-target", "",
		"`ADDR[:PORT]` that they are sent to (default the LNS's address in the session, port 7)")
	p.StringVar(&f.json, "json", "",
		"write the report as JSON into `FILE`; - is the output, and nothing else is there")
	p.StringVar(&f.html, "html", "", "write the report as a page with charts into `FILE`")
	p.DurationVar(&f.progress, "progress", plainInterval,
		"show progress so often where it is not a terminal")
	p.BoolVarP(&f.quiet, "quiet", "q", false, "do not show progress")
}

func (f *flags) registerLoad(p *pflag.FlagSet) {
	c := &f.cfg
	p.IntVarP(&c.Tunnels, "tunnels", "t", 1, "open `N` tunnels")
	p.IntVarP(&c.Sessions, "sessions", "s", 1, "place `N` calls, the tunnels taking turns")
	p.Float64VarP(&c.Rate, "rate", "r", 0,
		"place so many calls a second (default: as --concurrency has it)")
	p.IntVarP(&c.Concurrency, "concurrency", "c", 0,
		fmt.Sprintf("`N` calls in set-up at once at most (default %d; no limit with --rate)",
			bench.DefaultConcurrency))
	p.DurationVarP(&c.Duration, "duration", "d", 0,
		"end the run after so long (default: when every call came up, or failed, or has ended)")
	p.DurationVar(&c.Hold, "hold", 0, "end each session after so long (default: when the run ends)")
	p.BoolVar(&c.Churn, "churn", false,
		"begin anew what has ended, failed or was dropped, until --duration")
	p.DurationVar(&c.ConnectTimeout, "connect-timeout", bench.DefaultConnectTimeout,
		"give a tunnel or a call up after so long")
	p.StringVar(&f.end, "end", string(bench.EndCalls),
		"how the run ends: calls (CDN for each, then StopCCN), tunnels (StopCCN) "+
			"or vanish (silence)")
}

func (f *flags) registerTunnels(p *pflag.FlagSet) {
	c := &f.cfg
	p.StringVar(&f.sources, "source", "",
		"`ADDRS` from which tunnels come in turn: addresses, ranges (A-B) and "+
			"prefixes, with commas")
	p.Uint16Var(&c.SourcePort, "source-port", 0,
		"UDP `PORT` that the tunnels of an address share (default: each has its own)")
	p.BoolVarP(&f.ipv4, "ipv4", "4", false, "use an IPv4 address of the LNS")
	p.BoolVarP(&f.ipv6, "ipv6", "6", false, "use an IPv6 address of the LNS")
	p.StringVar(&f.hostName, "host-name", bench.DefaultHostName,
		"`NAME` of the LAC; a %d in it is the tunnel's number")
	p.StringVar(&f.secretFile, "secret-file", "",
		"`FILE` whose first line is the tunnels' secret (default $"+secretVariable+")")
	p.BoolVar(&c.ChallengePeer, "challenge", false, "have the LNS prove that it knows the secret")
	p.DurationVar(&c.HelloInterval, "hello", time.Minute,
		"send a HELLO after so long without a message; 0 for none")
	p.Uint16Var(&c.Window, "window", bench.DefaultWindow, "receive window that tunnels offer")
}

func (f *flags) registerSessions(p *pflag.FlagSet) {
	c := &f.cfg
	p.StringSliceVar(&f.auth, "auth", []string{"mschapv2", "chap", "mschap", "pap"},
		"`METHODS` that we agree to, the preferred first: pap, chap, mschap, mschapv2")
	p.StringVarP(&f.user, "user", "u", "user%d",
		"`NAME` of the user; a %d in it is the session's number")
	p.IntVar(&c.FirstUser, "first-user", 1, "number of the first session's user")
	p.IntVar(&c.Users, "users", 0, "begin again after `N` users (default: one for each session)")
	p.StringVar(&f.passwordFile, "password-file", "",
		"`FILE` whose first line is the password of all (default $"+passwordVariable+")")
	p.StringVar(&f.callingNumber, "calling-number", "",
		"Calling Number of the calls; may have a %d like --user")
	p.StringVar(&f.calledNumber, "called-number", "", "Called Number, likewise")
	p.Uint16Var(&c.MRU, "mru", 1500, "MRU that sessions ask for")
	p.DurationVar(&c.EchoInterval, "echo", 0,
		"send an LCP echo request so often in each session (default: none)")
	p.IntVar(&c.EchoFailures, "echo-failures", 5, "drop a session after `N` without a reply")
}

// config is what the flags and the target say, complete.
func (f *flags) config(ctx context.Context, target string) (*bench.Config, error) {
	c := &f.cfg
	var err error
	if f.sources != "" {
		if c.Sources, err = bench.ParseSources(f.sources); err != nil {
			return nil, fmt.Errorf("--source: %w", err)
		}
	}
	if err := errors.Join(f.patterns(), f.secrets(), f.methods(), f.packets()); err != nil {
		return nil, err
	}
	if c.Target, err = resolve(ctx, target, f.ipv4, f.ipv6); err != nil {
		return nil, err
	}
	c.End = bench.Ending(f.end)
	return c, c.Complete()
}

// resolve finds the address of the LNS. That a name has none is a runError.
func resolve(ctx context.Context, target string, want4, want6 bool) (netip.AddrPort, error) {
	host, port := target, "1701"
	if h, p, err := net.SplitHostPort(target); err == nil {
		host, port = h, p
	}
	network := "ip"
	if want4 != want6 {
		network = map[bool]string{true: "ip4", false: "ip6"}[want4]
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of the LNS: %w", err)
	}
	addr, err := lookUp(ctx, network, strings.Trim(host, "[]"))
	if err != nil {
		err = fmt.Errorf("address of the LNS: %w", err)
		if _, unknown := errors.AsType[*net.DNSError](err); unknown && host != "" {
			err = &runError{err}
		}
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addr, uint16(number)), nil
}

// lookUp finds an address of a host.
func lookUp(ctx context.Context, network, host string) (netip.Addr, error) {
	a, err := netip.ParseAddr(host)
	if err == nil && a.Zone() != "" && network != "ip4" {
		return a, nil // the resolver would lose the zone
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return netip.Addr{}, err
	}
	return all[0].Unmap(), nil
}

func (f *flags) patterns() error {
	var all []error
	for _, p := range []struct {
		flag, text string
		into       *bench.Pattern
	}{
		{"host-name", f.hostName, &f.cfg.HostName}, {"user", f.user, &f.cfg.User},
		{"calling-number", f.callingNumber, &f.cfg.CallingNumber},
		{"called-number", f.calledNumber, &f.cfg.CalledNumber},
	} {
		parsed, err := bench.ParsePattern(p.text)
		if err != nil {
			all = append(all, fmt.Errorf("--%s: %w", p.flag, err))
		}
		*p.into = parsed
	}
	return errors.Join(all...)
}

func (f *flags) secrets() error {
	password, err1 := readSecret(f.passwordFile, passwordVariable)
	secret, err2 := readSecret(f.secretFile, secretVariable)
	f.cfg.Password, f.cfg.Secret = ppp.Secret(password), l2tp.Secret(secret)
	return errors.Join(err1, err2)
}

// readSecret reads the first line of a file, or a variable where no file is named.
func readSecret(file, variable string) (string, error) {
	if file == "" {
		return os.Getenv(variable), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (f *flags) methods() error {
	for _, name := range f.auth {
		m, ok := bench.ParseAuth(name)
		if !ok {
			return fmt.Errorf("--auth %s: expected pap, chap, mschap or mschapv2", name)
		}
		f.cfg.Auth = append(f.cfg.Auth, m)
	}
	return nil
}

func (f *flags) packets() error {
	t := &f.cfg.Traffic
	t.Kind = bench.TrafficKind(f.traffic)
	if f.trafficTarget == "" {
		return nil
	}
	var err error
	if t.Target, err = netip.ParseAddrPort(f.trafficTarget); err == nil {
		return nil
	}
	a, err := netip.ParseAddr(f.trafficTarget)
	if err != nil {
		return fmt.Errorf("--traffic-target %s: expected an address", f.trafficTarget)
	}
	t.Target = netip.AddrPortFrom(a, 0)
	return nil
}

// reports are the files that the report is written into.
type reports struct {
	json, html *os.File
	output     bool // JSON goes to the output
}

// openReports opens the files before the run: it may be long.
func (f *flags) openReports() (r reports, err error) {
	if r.output = f.json == "-"; f.json != "" && !r.output {
		if r.json, err = os.Create(f.json); err != nil {
			return r, err
		}
	}
	if f.html != "" {
		r.html, err = os.Create(f.html)
	}
	return r, err
}

// write writes the report wherever it is to go.
func (r reports) write(report *bench.Report, stdout io.Writer) error {
	var errs []error
	if r.output {
		errs = append(errs, report.WriteJSON(stdout))
	} else {
		errs = append(errs, report.WriteText(stdout))
	}
	if r.json != nil {
		errs = append(errs, report.WriteJSON(r.json), r.json.Close())
	}
	if r.html != nil {
		errs = append(errs, report.WriteHTML(r.html), r.html.Close())
	}
	return errors.Join(errs...)
}
