package metrics

import (
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
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
	for name, want := range theirs {
		got := ours[name]
		if got == nil || got.GetHelp() != want.GetHelp() || got.GetType() != want.GetType() {
			t.Errorf("%s: %v, want %v", name, got, want)
			continue
		}
		// What changes between two scrapes does so by little.
		if g, w := value(got), value(want); g < w*0.5 || g > w*2+1 {
			t.Errorf("%s: %v, the library's collector says %v", name, g, w)
		}
	}
}

// gather returns a collector's metrics by name.
func gather(t *testing.T, c prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*dto.MetricFamily)
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

// value is that of a counter or a gauge.
func value(f *dto.MetricFamily) float64 {
	m := f.GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// TestOpenFiles has so many files open that their names take several reads.
func TestOpenFiles(t *testing.T) {
	for name, count := range map[string]func() (int, error){
		"as the kernel has it": openFiles, "counted": countOpenFiles,
	} {
		t.Run(name, func(t *testing.T) { testOpenFiles(t, count) })
	}
}

func testOpenFiles(t *testing.T, count func() (int, error)) {
	before, err := count()
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
	if n, err := count(); err != nil || n != before+more {
		t.Errorf("%d open files, %v, want %d", n, err, before+more)
	}
	if n := testing.AllocsPerRun(10, func() { count() }); n > 20 {
		t.Errorf("%v allocations to count %d files", n, before+more)
	}
}
