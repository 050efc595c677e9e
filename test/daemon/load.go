package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
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
