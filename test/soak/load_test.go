package soak

import (
	"fmt"
	"testing"
	"time"

	"culvert/internal/bench"
	"culvert/test/daemon"
	"culvert/test/lab"
)

// A load is culvert-bench against the LNS.
type load struct{ *daemon.Load }

func startLoad(t testing.TB, ns *lab.NetNS, args ...string) *load {
	t.Helper()
	return &load{daemon.StartLoad(t, ns, password, append([]string{"--user", user}, append(args, lnsAddr)...)...)}
}

// endLimit is how long culvert-bench may take beyond its time: it waits a minute for the
// LNS to acknowledge that all ends.
const endLimit = 3 * time.Minute

// report waits for its end, for so long and endLimit, and returns its report.
func (l *load) report(d time.Duration) *bench.Report { return l.Report(d + endLimit) }

// stop ends it politely.
func (l *load) stop() *bench.Report { return l.End(endLimit) }

// holdTime is how long a session of the churn stays.
const holdTime = 2 * time.Second

// startChurn has sessions come and go for so long: so many a second, or as fast as they
// come up if that is 0.
func (s *soak) startChurn(rate float64, d time.Duration) *load {
	s.t.Helper()
	s.churns = append(s.churns, time.Now())
	args := []string{
		"--source", churnAddr, "--tunnels", fmt.Sprint(s.form.tunnels), "--churn", "--hold", holdTime.String(),
		"--duration", d.String(), "--connect-timeout", "20s", "--hello", "10s", "--progress", "1h",
	}
	if rate == 0 {
		return startLoad(s.t, s.lacNS, append(args, "--sessions", fmt.Sprint(s.form.most), "--concurrency", "64")...)
	}
	// Room for those that stay, and for as many again that are late.
	sessions := int(2*rate*holdTime.Seconds()) + 64
	return startLoad(s.t, s.lacNS, append(args, "--sessions", fmt.Sprint(sessions), "--rate", fmt.Sprint(rate))...)
}

// startBase has sessions come up that stay, and counts whether they do.
func (s *soak) startBase() *load {
	s.t.Helper()
	return startLoad(s.t, s.lacNS, "--source", baseAddr, "--tunnels", fmt.Sprint(baseTunnels),
		"--sessions", fmt.Sprint(s.form.base), "--hello", "5s", "--echo", "3s", "--echo-failures", "8",
		"--duration", "24h", "--progress", "1h")
}
