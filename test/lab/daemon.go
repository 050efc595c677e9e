package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Daemon is a process that a test started. Its output is logged when the
// test fails.
type Daemon struct {
	Cmd *exec.Cmd

	t      testing.TB
	name   string
	output Output
	exited chan struct{}
	err    error // of the process, once exited is closed
}

// stopLimit is how long a daemon may take to end on SIGTERM.
const stopLimit = 15 * time.Second

// StartDaemon starts a program in the namespace. It must stay in the
// foreground. When the test ends it gets SIGTERM, and SIGKILL if that does not
// end it.
func (n *NetNS) StartDaemon(t testing.TB, name string, args ...string) *Daemon {
	t.Helper()
	return StartDaemon(t, n.Command(context.Background(), name, args...), filepath.Base(name))
}

// StartDaemon starts the command under a name for the log; see
// [NetNS.StartDaemon].
func StartDaemon(t testing.TB, cmd *exec.Cmd, name string) *Daemon {
	t.Helper()
	d := &Daemon{Cmd: cmd, t: t, name: name, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &d.output, &d.output
	// Its own process group: children of it are killed with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		d.err = cmd.Wait()
		close(d.exited)
	}()
	t.Cleanup(d.cleanUp)
	return d
}

func (d *Daemon) cleanUp() {
	if err := d.Stop(); err != nil {
		d.t.Errorf("stopping %s: %v", d.name, err)
	}
	syscall.Kill(-d.Cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
	if d.t.Failed() {
		d.t.Logf("%s said:\n%s", d.name, d.Output())
	}
}

// Stop ends the daemon by SIGTERM and waits for its end. It is an error when
// only SIGKILL ends it; how it exits is told by Wait.
func (d *Daemon) Stop() error {
	d.Cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-d.exited:
		return nil
	case <-time.After(stopLimit):
	}
	d.Kill()
	return fmt.Errorf("did not end within %v of SIGTERM", stopLimit)
}

// Kill ends the daemon as a crash would.
func (d *Daemon) Kill() {
	d.Cmd.Process.Kill()
	<-d.exited
}

// Wait waits for the daemon to end of itself and returns its exit error. The
// test ends when it does not within the limit.
func (d *Daemon) Wait(limit time.Duration) error {
	d.t.Helper()
	select {
	case <-d.exited:
		if errors.Is(d.err, exec.ErrWaitDelay) {
			return nil // it ended well; a child still held its output
		}
		return d.err
	case <-time.After(limit):
		d.t.Fatalf("waiting for %s to end: still there after %v", d.name, limit)
		return nil
	}
}

// Signal sends a signal to the daemon.
func (d *Daemon) Signal(s os.Signal) {
	d.t.Helper()
	if err := d.Cmd.Process.Signal(s); err != nil {
		d.t.Errorf("signalling %s: %v", d.name, err)
	}
}

// Output returns what the daemon has written so far.
func (d *Daemon) Output() string { return d.output.String() }

// WaitOutput waits for a match of the regular expression in the output, and
// returns the match with its groups. The test ends when the limit passes or
// the daemon ends without it.
func (d *Daemon) WaitOutput(limit time.Duration, pattern string) []string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	var match []string
	Wait(d.t, limit, d.name+" to say "+pattern, func() error {
		ended := d.hasEnded() // asked first: then the output is complete
		if match = re.FindStringSubmatch(d.Output()); match != nil {
			return nil
		}
		if ended {
			d.t.Fatalf("waiting for %s to say %s: it ended: %v", d.name, pattern, d.err)
		}
		return errors.New("not among " + fmt.Sprint(strings.Count(d.Output(), "\n")) + " lines")
	})
	return match
}

func (d *Daemon) hasEnded() bool {
	select {
	case <-d.exited:
		return true
	default:
		return false
	}
}
