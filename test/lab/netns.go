package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// A NetNS is a network namespace that its test made. It is also known to the
// ip command by Name.
type NetNS struct {
	Name string

	t  testing.TB
	fd *os.File
}

var nameCount atomic.Int64

// NewNetNS makes a network namespace with its loopback interface up. Its name
// is made of the given word, the process and a counter, and so is unique.
func NewNetNS(t testing.TB, word string) *NetNS {
	t.Helper()
	name := fmt.Sprintf("%s-%d-%d", word, os.Getpid(), nameCount.Add(1))
	mustRun(t, exec.Command("ip", "netns", "add", name))
	n := &NetNS{Name: name, t: t}
	t.Cleanup(n.remove)
	fd, err := os.Open("/run/netns/" + name)
	if err != nil {
		t.Fatalf("opening namespace %s: %v", name, err)
	}
	n.fd = fd
	n.Run("ip", "link", "set", "lo", "up")
	return n
}

func (n *NetNS) remove() {
	n.t.Helper()
	if n.fd != nil {
		n.fd.Close()
	}
	if out, err := exec.Command("ip", "netns", "del", n.Name).CombinedOutput(); err != nil {
		n.t.Errorf("deleting namespace %s: %v: %s", n.Name, err, out)
	}
	if err := os.RemoveAll(n.etc()); err != nil {
		n.t.Error(err)
	}
}

// Do calls f on a thread inside the namespace. Sockets that f opens belong to
// the namespace for good; goroutines that f starts do not run in it.
// f must not call FailNow or its relatives: it does not run on the test's
// goroutine.
func (n *NetNS) Do(f func() error) error {
	result := make(chan error, 1)
	go func() { result <- n.onThread(f) }()
	return <-result
}

func (n *NetNS) onThread(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(n.fd.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering namespace %s: %w", n.Name, err)
	}
	defer func() {
		// A thread that cannot return stays locked, and ends with its goroutine.
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// Command returns a command that will run in the namespace, with the
// namespace's own sysfs, and with the files of EtcFile in /etc.
func (n *NetNS) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if name == "ip" && (len(args) == 0 || args[0] != "netns") {
		// It enters by itself, with one process and no mounts: a test runs dozens.
		return exec.CommandContext(ctx, "ip", append([]string{"-n", n.Name}, args...)...)
	}
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.Name, name}, args...)...)
}

// Run runs a command in the namespace and returns its standard output. The
// test ends when the command fails.
func (n *NetNS) Run(name string, args ...string) string {
	n.t.Helper()
	return mustRun(n.t, n.Command(n.t.Context(), name, args...))
}

// EtcFile puts a file into /etc as processes started from now on in this
// namespace see it, for daemons that know no other place. The path is relative
// to /etc. The first component of the path must exist in the system's /etc,
// and is hidden as a whole: /etc/ppp then holds the given files only.
func (n *NetNS) EtcFile(path, content string, mode os.FileMode) {
	n.t.Helper()
	file := filepath.Join(n.etc(), path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		n.t.Fatal(err)
	}
}

func (n *NetNS) etc() string { return "/etc/netns/" + n.Name }

// mustRun returns the command's standard output, or ends the test.
func mustRun(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s%s", strings.Join(cmd.Args, " "), err, out, stderr.String())
	}
	return string(out)
}
