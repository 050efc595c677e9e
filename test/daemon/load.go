package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"culvert/internal/bench"
	"culvert/test/lab"
)

// A Load is culvert-bench in a namespace.
type Load struct {
	*lab.Daemon

	JSON string // the file of its report

	t testing.TB
}

// StartLoad starts culvert-bench, whose users all have one password. The last of args is the LNS.
func StartLoad(t testing.TB, ns *lab.NetNS, password string, args ...string) *Load {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &Load{t: t, JSON: filepath.Join(dir, "report.json")}
	args = append([]string{"--password-file", secret, "--json", l.JSON}, args...)
	l.Daemon = ns.StartDaemon(t, Program(t, "culvert-bench"), args...)
	return l
}

// End ends it politely, waits for that for so long at most, and returns the report.
func (l *Load) End(limit time.Duration) *bench.Report {
	l.t.Helper()
	l.Signal(syscall.SIGINT)
	return l.Report(limit)
}

// Report waits for the end, for so long at most, and returns the report. What the exit code
// says, that sessions failed, the report says too.
func (l *Load) Report(limit time.Duration) *bench.Report {
	l.t.Helper()
	_ = l.Wait(limit)
	b, err := os.ReadFile(l.JSON)
	if err != nil {
		l.t.Fatal(err)
	}
	r := new(bench.Report)
	if err := json.Unmarshal(b, r); err != nil {
		l.t.Fatalf("reading culvert-bench's report: %v: %s", err, l.Output())
	}
	return r
}

// WantStayed checks by a report that so many sessions came up once, and stayed.
func WantStayed(t testing.TB, r *bench.Report, count int) {
	t.Helper()
	n := r.Sessions
	if int(n.CameUp) != count || n.Failed+n.Dropped+n.Renegotiated+r.Tunnels.Lost != 0 {
		t.Errorf("of what was to stay %d sessions came up, %d failed, %d were dropped, %d negotiated anew, "+
			"%d tunnels lost; want %d and none", n.CameUp, n.Failed, n.Dropped, n.Renegotiated, r.Tunnels.Lost, count)
	}
}
