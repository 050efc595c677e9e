package daemon

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"culvert/api/apiconnect"
	"culvert/test/lab"
)

// startLimit is how long culvertd may take to answer. The machine may be
// emulated, and shared.
const startLimit = 30 * time.Second

// Options say how culvertd is to run.
type Options struct {
	Config    string   // the configuration file's text
	Dataplane string   // kernel, tun, null or auto
	Listen    []string // addresses, none means the default
	Args      []string // more flags
	Survives  bool     // with a culvert-keeper of its own: sessions outlive it
}

// A Daemon is a running culvertd.
type Daemon struct {
	*lab.Daemon

	NS     *lab.NetNS
	Socket string
	File   string // its configuration

	t      testing.TB
	http   *http.Client
	client apiconnect.ManagementClient
	args   []string

	keeper       *lab.Daemon // nil unless it survives
	keeperSocket string
}

// Start starts culvertd in the namespace and returns when it answers.
func Start(t testing.TB, ns *lab.NetNS, opts Options) *Daemon {
	t.Helper()
	dir := t.TempDir()
	d := &Daemon{NS: ns, Socket: filepath.Join(dir, "socket"), t: t}
	d.File = writeConfig(t, dir, opts.Config)
	d.http = newHTTP(d.Socket)
	d.client = apiconnect.NewManagementClient(d.http, apiAddress)
	d.args = []string{"--foreground", "--socket", d.Socket, "--state", filepath.Join(dir, "state"),
		"--config", d.File}
	if opts.Dataplane != "" {
		d.args = append(d.args, "--dataplane", opts.Dataplane)
	}
	for _, l := range opts.Listen {
		d.args = append(d.args, "--listen", l)
	}
	d.args = append(d.args, opts.Args...)
	if !opts.Survives {
		d.args = append(d.args, "--keeper", "none") // the machine may have one
	} else {
		d.keeperSocket = filepath.Join(dir, "keeper")
		d.args = append(d.args, "--keeper", d.keeperSocket, "--keep", filepath.Join(dir, "keep"))
		d.StartKeeper()
	}
	d.run()
	return d
}

// run starts the process, and returns when it answers.
func (d *Daemon) run() {
	t := d.t
	t.Helper()
	d.Daemon = d.NS.StartDaemon(t, Program(t, "culvertd"), d.args...)
	lab.Wait(t, startLimit, "culvertd to answer", func() error {
		if err := d.Ended(); err != nil {
			t.Fatalf("waiting for culvertd to answer: %v: %s", err, d.Output())
		}
		_, err := d.version()
		return err
	})
}

// StartKeeper starts the daemon's culvert-keeper, and returns when it listens.
func (d *Daemon) StartKeeper() {
	d.t.Helper()
	d.keeper = d.NS.StartDaemon(d.t, Program(d.t, "culvert-keeper"), "--socket", d.keeperSocket)
	lab.Wait(d.t, startLimit, "culvert-keeper to listen", func() error {
		conn, err := net.Dial("unixpacket", d.keeperSocket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// RestartKeeper kills the daemon's culvert-keeper and starts another one.
func (d *Daemon) RestartKeeper() {
	d.t.Helper()
	d.keeper.Kill()
	d.StartKeeper()
}

// Restart starts the daemon again after it was killed or has ended; sessions that
// outlived it are its own again when it answers.
func (d *Daemon) Restart() {
	d.t.Helper()
	d.run()
}

// Keeper is the daemon's culvert-keeper, if it survives.
func (d *Daemon) Keeper() *lab.Daemon { return d.keeper }

func writeConfig(t testing.TB, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "culvertd.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// PID returns the process identifier.
func (d *Daemon) PID() int { return d.Cmd.Process.Pid }

// Ended returns an error if the process has ended.
func (d *Daemon) Ended() error {
	b, err := os.ReadFile("/proc/" + pidText(d.PID()) + "/stat")
	if err != nil {
		return errors.New("it has ended")
	}
	// "pid (name) state ...": Z has ended and was not waited for.
	if _, state, ok := strings.Cut(string(b), ") "); ok && strings.HasPrefix(state, "Z") {
		return errors.New("it has ended")
	}
	return nil
}
