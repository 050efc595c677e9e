package daemon

import (
	"errors"
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
}

// A Daemon is a running culvertd.
type Daemon struct {
	*lab.Daemon

	NS     *lab.NetNS
	Socket string
	File   string // its configuration

	t      testing.TB
	client apiconnect.ManagementClient
}

// Start starts culvertd in the namespace and returns when it answers.
func Start(t testing.TB, ns *lab.NetNS, opts Options) *Daemon {
	t.Helper()
	dir := t.TempDir()
	d := &Daemon{NS: ns, Socket: filepath.Join(dir, "socket"), t: t}
	d.File = writeConfig(t, dir, opts.Config)
	d.client = newClient(d.Socket)
	args := []string{"--foreground", "--socket", d.Socket, "--state", filepath.Join(dir, "state"),
		"--config", d.File}
	if opts.Dataplane != "" {
		args = append(args, "--dataplane", opts.Dataplane)
	}
	for _, l := range opts.Listen {
		args = append(args, "--listen", l)
	}
	d.Daemon = ns.StartDaemon(t, Program(t, "culvertd"), append(args, opts.Args...)...)
	lab.Wait(t, startLimit, "culvertd to answer", func() error {
		if err := d.Ended(); err != nil {
			t.Fatalf("waiting for culvertd to answer: %v: %s", err, d.Output())
		}
		_, err := d.version()
		return err
	})
	return d
}

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
