package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/test/lab"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A systemd is the socket where the real one would listen.
type systemd struct{ *net.UnixConn }

func newSystemd(t *testing.T) systemd {
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return systemd{c}
}

// want waits until systemd hears a line that begins with text.
func (s systemd) want(t *testing.T, text string) {
	t.Helper()
	if err := s.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var heard []string
	for b := make([]byte, 1000); ; {
		n, err := s.Read(b)
		if err != nil {
			t.Fatalf("systemd does not hear %q but %q: %v", text, heard, err)
		}
		for line := range strings.Lines(string(b[:n])) {
			if heard = append(heard, line); strings.HasPrefix(line, text) {
				return
			}
		}
	}
}

// TestLife is a daemon from its start to its end: what systemd hears, the pid
// file, and what signals do.
func TestLife(t *testing.T) {
	dir, manager := t.TempDir(), newSystemd(t)
	t.Setenv("WATCHDOG_USEC", "3000000")
	config, pid := writeConfig(t, ""), filepath.Join(dir, "culvertd.pid")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var log lab.Output
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--dataplane", "null", "--config", config, "--pidfile", pid,
			"--socket", filepath.Join(dir, "socket"), "--state", dir, "--listen", "127.0.0.1:0",
			"--keeper", "none", "--status-files", "--log", "stderr"}, &log, &log)
	}()
	manager.want(t, "READY=1")
	log.Wait(t, patience, "-S is ignored: there are no status files")
	manager.want(t, "STATUS=0 of 0 tunnels established, 0 of 0 sessions up")
	manager.want(t, "WATCHDOG=1")
	manager.want(t, "WATCHDOG=1")
	if b, err := os.ReadFile(pid); err != nil || string(b) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("the pid file has %q, %v", b, err)
	}

	signal := func(s syscall.Signal) {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGHUP)
	manager.want(t, "RELOADING=1")
	manager.want(t, "READY=1")
	log.Wait(t, patience, "configuration loaded")
	signal(syscall.SIGUSR1)
	log.Wait(t, patience, "on=true")
	signal(syscall.SIGUSR1)
	log.Wait(t, patience, "on=false")
	signal(syscall.SIGUSR2)
	log.Wait(t, patience, "engine.(*shard).loop")

	signal(syscall.SIGQUIT)
	log.Wait(t, patience, "SIGQUIT ends sessions too")
	manager.want(t, "STOPPING=1")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(pid); err == nil {
		t.Error("the pid file is left")
	}
}

// newSurvivor makes a daemon whose sessions, if it had any, would outlive it.
func newSurvivor(t *testing.T) *daemon {
	t.Helper()
	dir := t.TempDir()
	f := &flags{config: writeConfig(t, ""), state: dir, socket: filepath.Join(dir, "socket"),
		keeper: filepath.Join(dir, "keeper.sock"), keep: filepath.Join(dir, "state"), dataplane: "null",
		listen: []string{"127.0.0.1:0"}, log: []string{"stderr"}}
	serveKeeper(t, f.keeper)
	d := &daemon{flags: f, stderr: t.Output()}
	for _, begin := range []func() error{d.configure, d.openLog, d.claim, d.resume, func() error {
		d.plane.open = dataplane.NewNull // as if it went on without the daemon
		return d.startEngine()
	}} {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
	}
	if why := d.survival.cause(); why != "" {
		t.Fatalf("nothing outlives the daemon: %s", why)
	}
	return d
}

// TestFailureLeavesSessions: a daemon that fails ends no session that a crash would not
// have ended, but one that is told to end does.
func TestFailureLeavesSessions(t *testing.T) {
	t.Run("fails", func(t *testing.T) {
		d := newSurvivor(t)
		d.socket.Close() // nobody can be answered
		if err := d.run(t.Context()); err == nil {
			t.Error("no error")
		}
		d.close()
		if _, err := os.Stat(filepath.Join(d.flags.keep, "current")); err != nil {
			t.Errorf("nothing is left for the next process: %v", err)
		}
	})
	t.Run("is told", func(t *testing.T) {
		d := newSurvivor(t)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := d.run(ctx); err != nil {
			t.Error(err)
		}
		d.close()
		wantLeft(t, d.flags.keep, 0)
	})
}

// TestToldIsKept: what is told to those who watch while the engine has ended already, and the
// daemon has not, is kept for the next process, which goes on behind it.
func TestToldIsKept(t *testing.T) {
	d := newSurvivor(t)
	failure := errors.New("it fails")
	manage := func(ctx context.Context) error {
		<-ctx.Done()
		d.events.Publish(&api.Event{Name: "late"})
		return nil
	}
	err := runUntilDone(t.Context(), d.end, manage, func(context.Context) error { return failure })
	if !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	d.close()
	dir, records, err := journal.Open(d.flags.keep)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for key, value := range records {
		if key.Kind == 'e' && strings.Contains(string(value), "late") {
			return
		}
	}
	t.Errorf("of what was told last nothing is in %d records", len(records))
}
