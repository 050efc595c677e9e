package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// These tests boot machines, each for some seconds. "make test-runner" sets the
// variable.
func requireVM(t *testing.T) {
	t.Helper()
	if os.Getenv("CULVERT_TEST_VM") != "1" {
		t.Skip("boots virtual machines: set CULVERT_TEST_VM=1")
	}
}

// prepare makes the root file system where it is not there yet, which says so on
// standard error: what a test compares has none of that.
func prepare(t *testing.T) {
	t.Helper()
	cache, err := cacheDir()
	if err == nil {
		_, err = rootfs(cache)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// vm runs this program's binary.
func vm(t *testing.T, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	requireVM(t)
	prepare(t)
	binary := filepath.Join(t.TempDir(), "vmrun")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v: %s", err, out)
	}
	cmd := exec.Command(binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestOutputAndExitCode(t *testing.T) {
	stdout, stderr, exit := vm(t, "--", "sh", "-c", "pwd; echo two >/dev/stderr; sleep 1000 & exit 7")
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if stdout != dir+"\n" || stderr != "two\n" || exit != 7 {
		t.Errorf("stdout %q, stderr %q, exit %d; want %q, %q, 7", stdout, stderr, exit,
			dir+"\n", "two\n")
	}
}

func TestLongOutputIsWhole(t *testing.T) {
	stdout, stderr, exit := vm(t, "--", "seq", "200000")
	if lines := strings.Count(stdout, "\n"); lines != 200000 || exit != 0 || stderr != "" {
		t.Errorf("%d lines, exit %d, stderr %q", lines, exit, stderr)
	}
}

// The peers and the kernel's parts that tests rely on, in both kernels.
func TestWhatIsInside(t *testing.T) {
	script := "set -e; for m in l2tp_netlink l2tp_ppp ppp_generic sch_netem ifb; do " +
		"test -d /sys/module/$m || { echo no $m; exit 1; }; done; test -c /dev/ppp; " +
		"which xl2tpd pppd l2tpns freeradius tshark tcpdump ping >/dev/null; " +
		"ip link show lo | grep -q LOWER_UP; uname -r"
	for _, version := range []string{"6.1", "6.12"} {
		t.Run(version, func(t *testing.T) {
			stdout, stderr, exit := vm(t, "-kernel", version, "--", "sh", "-c", script)
			if exit != 0 || !strings.HasPrefix(stdout, version+".") {
				t.Errorf("exit %d: %s%s", exit, stdout, stderr)
			}
		})
	}
}

// Nothing that the packages bring is started, and no module of ours loaded.
func TestSystemdIsProcessOne(t *testing.T) {
	stdout, stderr, exit := vm(t, "-systemd", "--", "sh", "-c",
		"cat /proc/1/comm; systemctl is-system-running --wait; pgrep xl2tpd; "+
			"grep l2tp /proc/modules; echo two >&2; exit 7")
	if stdout != "systemd\nrunning\n" || stderr != "two\n" || exit != 7 {
		t.Errorf("stdout %q, stderr %q, exit %d", stdout, stderr, exit)
	}
}

func TestWritesReachTheHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "result")
	_, stderr, exit := vm(t, "-share", filepath.Dir(file), "--", "sh", "-c", "echo kept >"+file)
	b, err := os.ReadFile(file)
	if exit != 0 || err != nil || string(b) != "kept\n" {
		t.Errorf("exit %d, %v, %q: %s", exit, err, b, stderr)
	}
}

func TestHungCommandIsKilled(t *testing.T) {
	_, stderr, exit := vm(t, "-timeout", "15s", "--", "sleep", "1000")
	if exit != exitTrouble || !strings.Contains(stderr, "sleep: killed after the time limit of 15s") {
		t.Errorf("exit %d: %s", exit, stderr)
	}
}

func TestPanicIsShown(t *testing.T) {
	_, stderr, exit := vm(t, "--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 1000")
	if exit != exitTrouble || !strings.Contains(stderr, "Kernel panic") ||
		!strings.Contains(stderr, "sysrq_handle_crash") {
		t.Errorf("exit %d: %s", exit, stderr)
	}
}

func TestMissingCommand(t *testing.T) {
	_, stderr, exit := vm(t, "--", "no-such-command")
	if exit != exitTrouble || !strings.Contains(stderr, "no-such-command") {
		t.Errorf("exit %d: %s", exit, stderr)
	}
}
