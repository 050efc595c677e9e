package metrics

import (
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// TestProcess wants the metrics of a process to be those of the library's own collector, but
// for what that tells of the whole host.
func TestProcess(t *testing.T) {
	ours, theirs := gather(t, processCollector{}),
		gather(t, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	delete(theirs, "process_network_receive_bytes_total")
	delete(theirs, "process_network_transmit_bytes_total")
	if len(ours) != len(theirs) {
		t.Errorf("%d metrics, want %d", len(ours), len(theirs))
	}
	for name, help := range theirs {
		if ours[name] != help {
			t.Errorf("%s: %q, want %q", name, ours[name], help)
		}
	}
}

// gather returns the names of a collector's metrics with their help.
func gather(t *testing.T, c prometheus.Collector) map[string]string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, f := range families {
		all[f.GetName()] = f.GetType().String() + ": " + f.GetHelp()
	}
	return all
}

// TestOpenFiles has so many files open that their names take several reads.
func TestOpenFiles(t *testing.T) {
	before, err := openFiles()
	if err != nil {
		t.Fatal(err)
	}
	const more = 900 // below the least limit of 1,024
	for range more {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if n, err := openFiles(); err != nil || n != before+more {
		t.Errorf("%d open files, %v, want %d", n, err, before+more)
	}
	if n := testing.AllocsPerRun(10, func() { openFiles() }); n > 20 {
		t.Errorf("%v allocations to count %d files", n, before+more)
	}
}
