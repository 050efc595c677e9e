package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// exitTrouble is the exit code for what is not the command's own failure.
const exitTrouble = 125

// jobModules are loaded before the command starts.
var jobModules = []string{
	"l2tp_core", "l2tp_netlink", "l2tp_ppp", "udp_tunnel", "ip6_udp_tunnel",
	"ppp_generic", "pppox", "pppoe", "slhc", "ppp_mppe", "ppp_async", "ppp_deflate", "bsd_comp",
	"tun", "veth", "dummy", "ifb", "vrf", "fou", "fou6",
	"sch_netem", "sch_htb", "sch_tbf", "sch_fq_codel", "sch_cake", "sch_ingress", "cls_u32",
	"cls_flower", "cls_matchall", "act_mirred", "act_police", "nf_tables", "af_packet",
}

func init() {
	// QEMU is killed when the thread that started it ends.
	runtime.LockOSThread()
}

func main() {
	if os.Getpid() == 1 && len(os.Args) == 1 {
		guestMain()
	}
	if os.Args[0] == serviceName {
		serviceMain()
	}
	if os.Args[0] == agentName {
		if err := agentMain(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "vm:", err)
			os.Exit(exitTrouble)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	exit, err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		exit = exitTrouble
	}
	os.Exit(exit)
}

type options struct {
	timeout time.Duration
	kernel  string
	accel   string
	mem     int
	cpus    int
	network string
	shell   bool
	systemd bool
	prepare bool
	verbose bool
	shares  []string
	env     []string
	args    []string
}

func parseFlags(args []string, output io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("vm", flag.ContinueOnError)
	f.SetOutput(output)
	f.DurationVar(&o.timeout, "timeout", 15*time.Minute, "kill the machine after this `time`")
	f.StringVar(&o.kernel, "kernel", "6.1", "kernel `version`: 6.1 or 6.12")
	f.StringVar(&o.accel, "accel", "auto", "kvm, tcg, or auto: KVM where it works")
	f.IntVar(&o.mem, "mem", 2048, "memory in `MiB`")
	f.IntVar(&o.cpus, "cpus", 2, "number of processors")
	f.StringVar(&o.network, "net", "none", "none, or user: QEMU's user mode network")
	f.BoolVar(&o.shell, "shell", false, "run an interactive shell")
	f.BoolVar(&o.systemd, "systemd", false, "boot systemd, and load no modules")
	f.BoolVar(&o.prepare, "prepare", false, "only make the root file system")
	f.BoolVar(&o.verbose, "v", false, "show the machine's console")
	f.Func("share", "share another `directory` at its own path, writable", appendTo(&o.shares))
	f.Func("env", "set `NAME=VALUE` for the command", appendTo(&o.env))
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.args = f.Args()
	if o.shell {
		o.args = []string{"bash", "-i"}
	}
	if len(o.args) == 0 && !o.prepare {
		return nil, errors.New("reading the command line: no command (see -help)")
	}
	if o.network != "none" && o.network != "user" {
		return nil, fmt.Errorf("reading the command line: -net %s: want none or user", o.network)
	}
	return o, nil
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error { *list = append(*list, s); return nil }
}

func run(ctx context.Context, args []string, stderr io.Writer) (exit int, err error) {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	cache, err := cacheDir()
	if err != nil {
		return 0, err
	}
	root, err := rootfs(cache)
	if err != nil || o.prepare {
		return 0, err
	}
	m, err := o.machine(root)
	if err != nil {
		return 0, err
	}
	if m.accel, err = accelerator(ctx, cache, o.accel, m); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout,
		fmt.Errorf("%s: killed after the time limit of %v", o.args[0], o.timeout))
	defer cancel()
	return m.run(ctx)
}

func (o *options) machine(root string) (*machine, error) {
	version, err := kernelVersion(root, o.kernel)
	if err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	modules := jobModules
	if o.systemd {
		modules = nil // a machine as its administrator finds it
	}
	return &machine{
		root: root, version: version, mem: o.mem, cpus: o.cpus,
		network: o.network == "user", verbose: o.verbose,
		job: job{
			Args: o.args, Dir: dir, Env: o.environment(), Shell: o.shell, Systemd: o.systemd,
			Modules: modules, Shares: shares(dir, o.args, o.shares),
		},
	}, nil
}

// environment returns what the command sees: a guest's own basics, the
// variables of Culvert's tests and of Go's run time, and the -env flags.
func (o *options) environment() []string {
	env := []string{
		"PATH=" + guestPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash",
		"TMPDIR=/tmp", "LANG=C.UTF-8", "CULVERT_VM=" + o.kernel,
	}
	for _, name := range []string{"TERM", "GODEBUG", "GOTRACEBACK", "GOMAXPROCS", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "CULVERT_TEST_") {
			env = append(env, kv)
		}
	}
	return append(env, o.env...)
}

// shares returns the directories that the guest sees at their own paths: the
// module around dir, whatever existing files and directories the command's
// arguments name outside of it (the binary and outputs of "go test"), and more.
func shares(dir string, args, more []string) []share {
	paths := []string{moduleRoot(dir)}
	for _, arg := range args {
		_, value, found := strings.Cut(arg, "=")
		if !found || !strings.HasPrefix(arg, "-") {
			value = arg
		}
		if hostOnly(value) {
			if !isDir(value) {
				value = filepath.Dir(value)
			}
			more = append(more, value)
		}
	}
	if cover := os.Getenv("GOCOVERDIR"); filepath.IsAbs(cover) {
		more = append(more, cover)
	}
	slices.Sort(more) // a directory comes before what is in it
	for _, path := range more {
		if !slices.ContainsFunc(paths, func(p string) bool { return within(path, p) }) {
			paths = append(paths, path)
		}
	}
	list := make([]share, len(paths))
	for i, path := range paths {
		list[i] = share{Tag: fmt.Sprintf("share%d", i), Path: path}
	}
	return list
}

// hostOnly reports whether path is under a directory that a guest does not
// have of its own: /usr/bin/env is the guest's, /tmp/go-build1/x.test ours.
func hostOnly(path string) bool {
	if !filepath.IsAbs(path) || path == "/" || path == os.TempDir() {
		return false
	}
	parent := filepath.Dir(path)
	for _, own := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc",
		"/sys", "/run", "/boot"} {
		if within(path, own) {
			return false
		}
	}
	return parent != "/" && parent != os.TempDir() && isDir(parent)
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// moduleRoot returns the closest directory with a go.mod, or dir itself.
func moduleRoot(dir string) string {
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
	}
	return dir
}
