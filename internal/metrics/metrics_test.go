package metrics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/engine"
	"culvert/internal/event"
)

var update = flag.Bool("update", false, "write the table of metrics into docs/operations.md")

// fixed is a Source in which every number is another.
type fixed struct {
	counted *api.Statistics
	err     error
}

func newFixed() *fixed {
	f := &fixed{counted: &api.Statistics{}}
	m := f.counted.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if fd := fields.Get(i); !fd.IsList() {
			m.Set(fd, protoreflect.ValueOfUint64(uint64(1000+fd.Number())))
		}
	}
	f.counted.Messages = []*api.MessageCount{{Type: "ICRQ", Rx: 7, Tx: 8}, {Type: "bad", RxBad: 9}}
	return f
}

func (f *fixed) SystemStatus(context.Context) (*api.SystemStatus, error) {
	return &api.SystemStatus{Version: "1", Dataplane: "null", StartedAt: timestamppb.Now(),
		Survival: "yes, but not events: no space left on device",
		Tunnels:  5, TunnelsEstablished: 3, Sessions: 30, SessionsEstablished: 20, SessionsUp: 12}, f.err
}

func (f *fixed) Statistics(context.Context) (*api.Statistics, error) { return f.counted, nil }

func (f *fixed) PoolStatus(context.Context, string) (*api.PoolStatus, error) {
	return &api.PoolStatus{Total: 10, Allocated: 4, Free: 6, Allocations: 44, Releases: 40, Failures: 2}, nil
}

func (f *fixed) TunnelEndings() []engine.Ending {
	return []engine.Ending{{By: "peer", Result: "being shut down", Count: 3}}
}

func (f *fixed) SessionEndings() []engine.Ending {
	return []engine.Ending{{By: "lost", Result: "loss of carrier", Count: 6}}
}

func (f *fixed) SetUpTimes() (map[float64]uint64, uint64, float64) {
	return map[float64]uint64{0.5: 3, 1: 5}, 6, 4.5
}

// lost is a log that has lost so many lines.
type lost uint64

func (l lost) Lost() uint64 { return uint64(l) }

func newStore(t *testing.T) *config.Store {
	t.Helper()
	store := config.NewStore("machine")
	if err := store.Load("x", []byte("pool create pool_name=home addresses=10.9.0.0/24\n")); err != nil {
		t.Fatal(err)
	}
	return store
}

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, source Source) map[string]*dto.MetricFamily {
	t.Helper()
	events := event.NewLog(2)
	for range 5 {
		events.Publish(&api.Event{})
	}
	w := httptest.NewRecorder()
	NewHandler(source, newStore(t), events, lost(17)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// valueOf is the number of the one metric of a family that has all labels, given as name=value.
func valueOf(t *testing.T, f *dto.MetricFamily, labels ...string) float64 {
	t.Helper()
	for _, m := range f.GetMetric() {
		var have []string
		for _, l := range m.GetLabel() {
			have = append(have, l.GetName()+"="+l.GetValue())
		}
		if slices.Equal(have, labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Errorf("%s has no metric with %q", f.GetName(), labels)
	return -1
}

// TestEveryCounterHasAMetric: each number of api.Statistics is there, with its value.
func TestEveryCounterHasAMetric(t *testing.T) {
	source := newFixed()
	families := scrape(t, source)
	fields := source.counted.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.IsList() {
			continue
		}
		name := "culvert_" + nameOf(string(fd.Name())) + "_total"
		f := families[name]
		if f == nil {
			t.Errorf("%s has no metric %s", fd.Name(), name)
			continue
		}
		if got, want := valueOf(t, f), float64(1000+fd.Number()); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	families := scrape(t, newFixed())
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"culvert_info", []string{"dataplane=null", "version=1"}, 1},
		{"culvert_sessions_survive", nil, 1},
		{"culvert_tunnels", []string{"state=established"}, 3},
		{"culvert_tunnels", []string{"state=other"}, 2},
		{"culvert_sessions", []string{"state=up"}, 12},
		{"culvert_sessions", []string{"state=established"}, 8},
		{"culvert_sessions", []string{"state=other"}, 10},
		{"culvert_messages_received_total", []string{"type=ICRQ"}, 7},
		{"culvert_messages_sent_total", []string{"type=ICRQ"}, 8},
		{"culvert_messages_bad_total", nil, 9},
		{"culvert_tunnels_ended_total", []string{"by=peer", "result=being shut down"}, 3},
		{"culvert_sessions_ended_total", []string{"by=lost", "result=loss of carrier"}, 6},
		{"culvert_events_total", nil, 5},
		{"culvert_events_kept", nil, 2},
		{"culvert_log_lines_lost_total", nil, 17},
		{"culvert_pool_addresses", []string{"pool=home", "state=allocated"}, 4},
		{"culvert_pool_addresses", []string{"pool=home", "state=free"}, 6},
		{"culvert_pool_allocations_total", []string{"pool=home"}, 44},
		{"culvert_pool_releases_total", []string{"pool=home"}, 40},
		{"culvert_pool_failures_total", []string{"pool=home"}, 2},
	} {
		if got := valueOf(t, families[c.name], c.labels...); got != c.want {
			t.Errorf("%s%v = %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	h := families["culvert_session_setup_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 6 || h.GetSampleSum() != 4.5 || h.GetBucket()[0].GetCumulativeCount() != 3 {
		t.Errorf("the histogram is %v", h)
	}
}

// TestNamesAndHelp: each metric of ours is scraped, has a help, and is named after
// Prometheus' conventions.
func TestNamesAndHelp(t *testing.T) {
	families := scrape(t, newFixed())
	for _, m := range All() {
		f := families[m.Name]
		if f == nil {
			t.Errorf("%s is not scraped", m.Name)
			continue
		}
		if f.GetHelp() == "" || f.GetHelp() != m.Help {
			t.Errorf("the help of %s is %q", m.Name, f.GetHelp())
		}
		if kind := strings.ToLower(f.GetType().String()); kind != m.Type {
			t.Errorf("%s is a %s, want a %s", m.Name, kind, m.Type)
		}
		if (m.Type == "counter") != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s is a %s", m.Name, m.Type)
		}
		for _, label := range m.Labels {
			if slices.Contains([]string{"session", "session_id", "tunnel", "tunnel_id", "user"}, label) {
				t.Errorf("%s has a label %s, of which there may be 100,000", m.Name, label)
			}
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "culvert_") &&
			!slices.ContainsFunc(All(), func(m *Metric) bool { return m.Name == name }) {
			t.Errorf("%s is not in All", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if families[name] == nil {
			t.Errorf("%s is not scraped", name)
		}
	}
}

// TestFailureIsSaid: a scrape that fails is not an empty one.
func TestFailureIsSaid(t *testing.T) {
	source := newFixed()
	source.err = errors.New("out of order")
	w := httptest.NewRecorder()
	NewHandler(source, newStore(t), nil, lost(0)).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "out of order") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestDocumented: docs/operations.md has the table of all metrics.
func TestDocumented(t *testing.T) {
	const path = "../../docs/operations.md"
	const begin, end = "<!-- metrics -->\n", "<!-- end of metrics -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| metric | type | labels | what |\n|---|---|---|---|\n")
	for _, m := range All() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, m.Type,
			strings.Join(m.Labels, ", "), m.Help)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", path, begin, end)
	}
	if have == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the table of metrics in %s is old: go test ./internal/metrics -update", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
