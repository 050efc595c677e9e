package kernel

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"culvert/test/lab"
)

// dialAndWait is the process that connects: it stays until the other end closes.
func dialAndWait(path string) {
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bufio.NewReader(c).ReadByte()
}

func listenUnix(t *testing.T) (*net.UnixListener, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

func TestPeerCredentialsOfOurselves(t *testing.T) {
	l, path := listenUnix(t)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := acceptCredentials(l)
	if err != nil {
		t.Fatal(err)
	}
	if got.PID != os.Getpid() || got.UID != os.Getuid() || got.GID != os.Getgid() ||
		!got.In(os.Getgid()) {
		t.Errorf("credentials are %+v, want ours", got)
	}
}

func acceptCredentials(l *net.UnixListener) (Credentials, error) {
	c, err := l.AcceptUnix()
	if err != nil {
		return Credentials{}, err
	}
	defer c.Close()
	return PeerCredentials(c)
}

// TestPeerCredentialsOfAnother: another user with many groups, of which the first
// answer of the kernel has no room for all.
func TestPeerCredentialsOfAnother(t *testing.T) {
	if path := os.Getenv("CULVERT_TEST_DIAL"); path != "" {
		dialAndWait(path)
		return
	}
	lab.RequireRoot(t)
	l, path := listenUnix(t)
	for _, p := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	groups := []uint32{70}
	for g := range uint32(100) {
		groups = append(groups, 4000+g)
	}
	// By its descriptor, since others may not enter the folder of the test program.
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3", "-test.run", "^TestPeerCredentialsOfAnother$")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Env = append(os.Environ(), "CULVERT_TEST_DIAL="+path)
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 12345, Gid: 54321, Groups: groups}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got, err := acceptCredentials(l)
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got.PID != cmd.Process.Pid || got.UID != 12345 || got.GID != 54321 {
		t.Errorf("credentials are %+v, want those of user 12345, group 54321", got)
	}
	want := []int{54321, 70}
	for g := range 100 {
		want = append(want, 4000+g)
	}
	slices.Sort(got.Groups)
	slices.Sort(want)
	if !slices.Equal(got.Groups, want) {
		t.Errorf("groups are %v, want %v", got.Groups, want)
	}
	if got.In(0) {
		t.Error("it is in group 0")
	}
}
