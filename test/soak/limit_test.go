package soak

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"culvert/test/daemon"
	"culvert/test/lab"
)

// limited is how many sessions are held at once under a limit of memory.
const limited = 20000

// A usage is the memory of a daemon's run time: what GOMEMLIMIT is about.
type usage struct {
	limit float64 // that it knows of
	live  float64 // in use while all sessions are up
	most  float64 // taken from the system and not given back, at any time
}

func (u usage) String() string {
	return fmt.Sprintf("limit %.0f MiB, in use with all sessions up %.0f MiB, at most taken %.0f MiB",
		u.limit/mebi, u.live/mebi, u.most/mebi)
}

// TestNativeMemoryLimit: with GOMEMLIMIT the daemon takes no more than that, where it would take
// more without it, and serves as many sessions.
func TestNativeMemoryLimit(t *testing.T) {
	lab.RequireRoot(t)
	free := useUnder(t, 0)
	t.Logf("without: %v", free)
	limit := (free.live + free.most) / 2
	bound := useUnder(t, int(limit))
	t.Logf("with:    %v", bound)
	if bound.limit != float64(int(limit)) {
		t.Errorf("the limit is %.0f, want %.0f", bound.limit, limit)
	}
	// The run time counts what it takes in pieces of 4 MiB.
	if slack := 4.0 * mebi; bound.most > limit+slack {
		t.Errorf("taken are %.1f MiB, want at most %.1f", bound.most/mebi, (limit+slack)/mebi)
	} else if free.most <= limit+slack {
		t.Errorf("taken are %.1f MiB without a limit: this test shows nothing", free.most/mebi)
	}
}

// useUnder has sessions come and go at a daemon with a limit, none if that is 0.
func useUnder(t *testing.T, limit int) (u usage) {
	lnsNS, lacNS := lab.NewNetNS(t, "lns"), lab.NewNetNS(t, "lac")
	lab.Veth(t, lnsNS, "eth0", []string{lnsAddr + "/24"}, lacNS, "eth0", []string{lacAddr + "/24"})
	if limit > 0 {
		t.Setenv("GOMEMLIMIT", fmt.Sprint(limit))
	}
	lns := daemon.Start(t, lnsNS, daemon.Options{Config: nativeForm.lnsConfig(), Dataplane: "null"})
	t.Setenv("GOMEMLIMIT", "")
	l := startLoad(t, lacNS, "--tunnels", fmt.Sprint(nativeForm.tunnels), "--sessions", fmt.Sprint(limited),
		"--duration", "1h", "--progress", "1h")
	watch := func(what string, up uint32) {
		lab.Wait(t, wait, what, func() error {
			m := lns.Metrics()
			u.limit, u.live = m["go_gc_gomemlimit_bytes"], m[metricLive]
			u.most = max(u.most, m["go_memstats_sys_bytes"]-m["go_memstats_heap_released_bytes"])
			if n := lns.System().SessionsUp; n != up {
				return fmt.Errorf("%d are up", n)
			}
			return nil
		})
	}
	watch("sessions to come up", limited)
	live := u.live
	l.Signal(syscall.SIGINT)
	watch("sessions to go", 0)
	u.live = live
	if r := l.report(time.Minute); r.Sessions.CameUp != limited || r.Sessions.Failed+r.Sessions.Dropped > 0 {
		t.Errorf("of %d sessions %d came up, %d failed, %d were dropped", limited, r.Sessions.CameUp,
			r.Sessions.Failed, r.Sessions.Dropped)
	}
	if err := lns.Stop(); err != nil {
		t.Error(err)
	}
	return u
}
