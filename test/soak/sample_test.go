package soak

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"culvert/test/daemon"
	"culvert/test/lab"
)

// A sample is what the LNS is found to be at a quiet point. Bytes, where not said otherwise.
type sample struct {
	life     int     // which process it is
	sessions float64 // that this process has set up
	total    float64 // that all have

	finding
	live     float64 // heap in use, without garbage
	resident float64
	disk     float64 // files of its own: state for the next process, history
	threads  float64
	returned bool // resident and disk are those after memory was given back
}

// A finding is of what there must be as much as ever.
type finding struct {
	goroutines float64
	files      descriptors
}

// Names of the Go runtime's metrics.
const (
	metricLive        = "go_gc_heap_live_bytes"
	metricCollections = "go_gc_duration_seconds_count"
	metricForced      = "go_gc_cycles_forced_gc_cycles_total"
	metricGoroutines  = "go_goroutines"
	metricThreads     = "go_threads"
	metricCreated     = "culvert_sessions_created_total"
)

// burst is how many sessions must have come and gone for the daemon to give memory
// back after it, with something to spare.
const burst = 600

// sample measures the LNS, once all that is quiet.
func (s *soak) sample() sample {
	s.t.Helper()
	x := sample{life: s.life, sessions: s.lns.Metrics()[metricCreated], finding: s.found}
	x.total = s.earlier + x.sessions
	// The daemon gives memory back by itself when it has been quiet for some time. In a
	// short soak there is no time for that.
	if s.thorough() && x.sessions-s.givenBack >= burst {
		lab.Wait(s.t, wait, "the daemon to give memory back", func() error {
			if n := s.lns.Metrics()[metricForced]; n <= s.forced {
				return fmt.Errorf("it has done so %.0f times", n)
			}
			return nil
		})
		x.returned, s.givenBack = true, x.sessions
	}
	x.resident = float64(lab.PrivateMemory(s.t, s.lns.PID()))
	x.disk = lab.DirBytes(s.t, filepath.Dir(s.lns.File))
	after := s.collect()
	x.live, x.threads = after[metricLive], after[metricThreads]
	return x
}

// collections are how many are watched for the heap in use. The first leaves what pools keep
// for the next one, and each counts what is allocated while it runs as in use: what they
// find at least is what there is.
const collections = 5

// collect waits until the LNS has collected garbage so often, and returns its metrics then, with
// the least heap in use that was found. To be asked for metrics makes garbage enough.
func (s *soak) collect() map[string]float64 {
	s.t.Helper()
	m := s.lns.Metrics()
	end, live := m[metricCollections]+collections, math.Inf(1)
	for until := time.Now().Add(wait); m[metricCollections] < end; m = s.lns.Metrics() {
		if time.Now().After(until) {
			s.t.Fatalf("in %v garbage was collected %v times, want %v", wait, m[metricCollections], end)
		}
		live = min(live, m[metricLive])
	}
	m[metricLive] = min(live, m[metricLive])
	return m
}

// Descriptors are how many a process has: of sockets, and of all else.
type descriptors struct{ sockets, others int }

// An observation is of the descriptors of all processes that stay.
type observation struct{ lns, lnsKeeper, lac, lacKeeper descriptors }

func (s *soak) observe() observation {
	s.t.Helper()
	return observation{
		lns: descriptorsOf(s.t, s.lns.PID()), lnsKeeper: descriptorsOf(s.t, keeperPID(s.lns)),
		lac: descriptorsOf(s.t, s.lac.PID()), lacKeeper: descriptorsOf(s.t, keeperPID(s.lac)),
	}
}

func keeperPID(d *daemon.Daemon) int { return d.Keeper().Cmd.Process.Pid }

func descriptorsOf(t testing.TB, pid int) (d descriptors) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		file, err := os.Readlink(dir + e.Name())
		switch {
		case err != nil: // it was just closed
		case strings.HasPrefix(file, "socket:"):
			d.sockets++
		default:
			d.others++
		}
	}
	return d
}

// within reports whether there are no more than most, but for some sockets.
func (d descriptors) within(most descriptors, lingering int) bool {
	return d.sockets <= most.sockets+lingering && d.others <= most.others
}

const mebi = 1 << 20

func (x sample) String() string {
	kind := "busy" // what a burst has left may still be there
	if x.returned {
		kind = "given back"
	}
	return fmt.Sprintf("%8.0f sessions  live %6.2f MiB  resident %6.2f MiB (%s)  disk %6.2f MiB  "+
		"%3.0f goroutines  %3.0f threads  %d sockets  %d other descriptors", x.total, x.live/mebi, x.resident/mebi,
		kind, x.disk/mebi, x.goroutines, x.threads, x.files.sockets, x.files.others)
}
