package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"culvert/internal/bench"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// A load is culvert-bench against the LNS of newHosts, and the page that it writes.
type load struct {
	*daemon.Load

	t    *testing.T
	page string
	args []string
}

func startLoad(t *testing.T, ns *lab.NetNS, password string, args ...string) *load {
	t.Helper()
	l := &load{t: t, page: filepath.Join(t.TempDir(), "report.html")}
	l.args = append([]string{"--user", alice.Name, "--html", l.page}, append(args, lnsAddr.String())...)
	l.Load = daemon.StartLoad(t, ns, password, l.args...)
	return l
}

// wait waits for the end, checks the exit code and the page, and returns the report.
func (l *load) wait(code int) *bench.Report {
	l.t.Helper()
	_ = l.Wait(2 * time.Minute) // the exit code says more
	if got := l.Cmd.ProcessState.ExitCode(); got != code {
		l.t.Errorf("culvert-bench %v exited with %d, want %d:\n%s", l.args, got, code, l.Output())
	}
	if page, err := os.ReadFile(l.page); err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) {
		l.t.Errorf("the page: %v, %.40q", err, page)
	}
	return l.Report(time.Minute)
}

// TestNativeBench: calls from two addresses with packets in them, through real sockets.
func TestNativeBench(t *testing.T) {
	lab.RequireTUN(t)
	lnsNS, lacNS := newHosts(t)
	lacNS.Run("ip", "address", "add", "192.0.2.3/24", "dev", "eth0")
	lns := newSite(t, lnsNS, "tun", lnsConfig())
	l := startLoad(t, lacNS, alice.Password, "--tunnels", "4", "--sessions", "100", "--source",
		"192.0.2.2-192.0.2.3", "--duration", "5s", "--traffic-sessions", "10", "--traffic-rate", "20")
	peers := make(map[string]bool)
	for _, s := range lns.WaitUp(100, upLimit) {
		peers[s.GetStatus().GetPpp().GetPeerIpv4()] = true
	}
	if len(peers) != 100 {
		t.Errorf("%d addresses in 100 sessions", len(peers))
	}
	r := l.wait(0)
	if r.Sessions.CameUp != 100 || r.Sessions.Ended != 100 || r.Tunnels.CameUp != 4 {
		t.Errorf("sessions %+v, tunnels %+v", r.Sessions, r.Tunnels)
	}
	if f := r.Traffic; f == nil || f.Sent < 100 || f.Lost != 0 || f.Times.Count != int64(f.Received) {
		t.Errorf("traffic %+v, want packets and none lost", f)
	}
	lns.checkGone()
}

// TestNativeBenchLinkLocal: an LNS at an address that only has a meaning on a link.
func TestNativeBenchLinkLocal(t *testing.T) {
	lab.RequireTUN(t)
	lnsNS, lacNS := newHosts(t)
	lnsNS.Run("ip", "address", "add", "fe80::1/64", "dev", "eth0", "nodad")
	lacNS.Run("ip", "address", "add", "fe80::2/64", "dev", "eth0", "nodad")
	lns := newSite(t, lnsNS, "null", lnsConfig())
	l := daemon.StartLoad(t, lacNS, alice.Password, "--user", alice.Name, "--tunnels", "2",
		"--sessions", "5", "fe80::1%eth0")
	r := l.Report(2 * time.Minute)
	if r.Sessions.CameUp != 5 || r.Sessions.Ended != 5 || r.Tunnels.CameUp != 2 {
		t.Errorf("sessions %+v, tunnels %+v", r.Sessions, r.Tunnels)
	}
	lns.WaitGone(goneLimit)
}

// TestNativeBenchFailure: the report has the cause and no secret.
func TestNativeBenchFailure(t *testing.T) {
	lab.RequireTUN(t)
	lnsNS, lacNS := newHosts(t)
	lns := newSite(t, lnsNS, "null", lnsConfig())
	l := startLoad(t, lacNS, "looking-glass", "--sessions", "5")
	r := l.wait(3)
	if len(r.Failures) != 1 || r.Failures[0].Phase != "auth" || r.Failures[0].Count != 5 {
		t.Errorf("failures %+v, want 5 of authentication", r.Failures)
	}
	for _, name := range []string{l.JSON, l.page} {
		if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, []byte("looking-glass")) {
			t.Errorf("the report %s: %v, or it has the password", name, err)
		}
	}
	if strings.Contains(l.Output(), "looking-glass") {
		t.Error("the output has the password")
	}
	lns.WaitGone(goneLimit)
}

// TestNativeBenchInterrupted: SIGINT ends it politely, with a report.
func TestNativeBenchInterrupted(t *testing.T) {
	lab.RequireTUN(t)
	lnsNS, lacNS := newHosts(t)
	lns := newSite(t, lnsNS, "null", lnsConfig())
	l := startLoad(t, lacNS, alice.Password, "--tunnels", "2", "--sessions", "20", "--churn")
	lns.WaitUp(20, upLimit)
	l.Signal(syscall.SIGINT)
	r := l.wait(0)
	if !r.Interrupted || r.Sessions.Ended != 20 || !r.Generator.Complete {
		t.Errorf("report %+v", r)
	}
	lns.WaitGone(goneLimit)
}
