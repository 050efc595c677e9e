package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
			"--status-files", "--log", "stderr"}, &log, &log)
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

	stop()
	manager.want(t, "STOPPING=1")
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(pid); err == nil {
		t.Error("the pid file is left")
	}
}
