package shell_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programs is the folder with the programs under test.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "culvert")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	build := exec.Command("go", "build", "-o", dir, "culvert/cmd/culvertd", "culvert/cmd/l2tpconfig")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A daemon is a culvertd without a data plane.
type daemon struct {
	t      testing.TB
	socket string
	port   string
	log    bytes.Buffer
}

// serve starts a daemon with a configuration.
func serve(t testing.TB, conf string) *daemon {
	t.Helper()
	dir := t.TempDir()
	d := &daemon{t: t, socket: filepath.Join(dir, "sock"), port: freePort(t)}
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(programs, "culvertd"), "--dataplane", "null", "--config", file,
		"--socket", d.socket, "--listen", "127.0.0.1:"+d.port, "--state", filepath.Join(dir, "state"))
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("culvertd:\n%s", d.log.String())
		}
	}))
	d.wait("the daemon", func() bool {
		select {
		case <-ended:
			t.Fatalf("culvertd ended:\n%s", d.log.String())
		default:
		}
		_, err := net.Dial("unix", d.socket)
		return err == nil
	})
	return d
}

// freePort is a UDP port that nobody uses.
func freePort(t testing.TB) string {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

// wait asks again and again, since what it waits for cannot tell when it comes.
func (d *daemon) wait(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("%s did not come", what)
		}
	}
}

// shell opens the shell at a terminal.
func (d *daemon) shell(s start) *terminal {
	d.t.Helper()
	s.program = filepath.Join(programs, "l2tpconfig")
	s.args = append([]string{"--socket", d.socket}, s.args...)
	return open(d.t, s)
}

// does carries out one command and returns its output.
func (d *daemon) does(args ...string) string {
	d.t.Helper()
	out, code := d.tries(args...)
	if code != 0 {
		d.t.Fatalf("l2tpconfig %s: exit code %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}

// tries carries out one command, which may fail.
func (d *daemon) tries(args ...string) (output string, code int) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "l2tpconfig"),
		append([]string{"--socket", d.socket}, args...)...)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}
