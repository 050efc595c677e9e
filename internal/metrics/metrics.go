package metrics

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/engine"
	"culvert/internal/event"
)

// A Source is what the metrics are read from: the engine.
type Source interface {
	SystemStatus(ctx context.Context) (*api.SystemStatus, error)
	// Statistics are the counters since the start, whatever was reset for the shell.
	Statistics(ctx context.Context) (*api.Statistics, error)
	PoolStatus(ctx context.Context, name string) (*api.PoolStatus, error)
	TunnelEndings() []engine.Ending
	SessionEndings() []engine.Ending
	SetUpTimes() (upTo map[float64]uint64, count uint64, sum float64)
}

// Lines is the log, which drops lines that its targets do not take.
type Lines interface{ Lost() uint64 }

// scrapeLimit is how long a scrape may take.
const scrapeLimit = 5 * time.Second

// maxScrapes is how many scrapes run at once: each is work for the engine, and
// whoever asks may be anybody.
const maxScrapes = 4

// inUse are what the Go runtime tells besides what the library asks it for: how much
// memory is in use without garbage, and how often it was given back (ReturnMemory of the
// engine). By these one sees whether anything grows.
var inUse = regexp.MustCompile("^/gc/(heap/live:bytes|cycles/forced:gc-cycles)$")

// NewHandler returns what answers requests for /metrics.
func NewHandler(
	source Source, store *config.Store, events *event.Log, lines Lines,
) http.Handler {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(
		&collector{source: source, store: store, events: events, lines: lines},
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: inUse})),
		processCollector{},
	)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: maxScrapes,
	})
}

// A collector reads everything anew for each scrape.
type collector struct {
	source Source
	store  *config.Store
	events *event.Log
	lines  Lines
}

// Describe tells the registry which metrics there are.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range All() {
		descs <- m.desc
	}
}

// Collect reads the metrics.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	if err := c.collect(ctx, out); err != nil {
		out <- prometheus.NewInvalidMetric(buildInfo.desc, err)
	}
}

func (c *collector) collect(ctx context.Context, out chan<- prometheus.Metric) error {
	system, err := c.source.SystemStatus(ctx)
	if err != nil {
		return err
	}
	counted, err := c.source.Statistics(ctx)
	if err != nil {
		return err
	}
	collectSystem(out, system)
	collectCounters(out, counted)
	for _, e := range c.source.TunnelEndings() {
		out <- tunnelsEnded.of(float64(e.Count), e.By, e.Result)
	}
	for _, e := range c.source.SessionEndings() {
		out <- sessionsEnded.of(float64(e.Count), e.By, e.Result)
	}
	upTo, count, sum := c.source.SetUpTimes()
	out <- prometheus.MustNewConstHistogram(setUpTimes.desc, count, sum, upTo)
	oldest, newest := c.events.Range()
	out <- eventsPublished.of(float64(newest))
	out <- eventsKept.of(float64(newest + 1 - oldest))
	out <- linesLost.of(float64(c.lines.Lost()))
	return c.collectPools(ctx, out)
}

// collectSystem tells how many tunnels and sessions there are, by state.
func collectSystem(out chan<- prometheus.Metric, st *api.SystemStatus) {
	out <- buildInfo.of(1, st.GetVersion(), st.GetDataplane())
	if at := st.GetStartedAt(); at != nil {
		out <- startTime.of(float64(at.AsTime().UnixNano()) / 1e9)
	}
	survives := 0.0
	if strings.HasPrefix(st.GetSurvival(), "yes") {
		survives = 1
	}
	out <- survive.of(survives)
	out <- tunnels.of(float64(st.GetTunnelsEstablished()), "established")
	out <- tunnels.of(less(st.GetTunnels(), st.GetTunnelsEstablished()), "other")
	out <- sessions.of(float64(st.GetSessionsUp()), "up")
	out <- sessions.of(less(st.GetSessionsEstablished(), st.GetSessionsUp()), "established")
	out <- sessions.of(less(st.GetSessions(), st.GetSessionsEstablished()), "other")
}

// less is how many remain of all without some. The numbers are read one after the other.
func less(all, some uint32) float64 { return float64(max(all, some) - some) }

func collectCounters(out chan<- prometheus.Metric, st *api.Statistics) {
	m := st.ProtoReflect()
	for _, c := range counters {
		out <- c.of(float64(m.Get(c.field).Uint()))
	}
	for _, of := range st.GetMessages() {
		if of.GetType() == "bad" {
			out <- messagesBad.of(float64(of.GetRxBad()))
			continue
		}
		out <- messagesReceived.of(float64(of.GetRx()), of.GetType())
		out <- messagesSent.of(float64(of.GetTx()), of.GetType())
	}
}

// collectPools tells of each pool that is configured. One from which nothing was
// ever given has no status.
func (c *collector) collectPools(ctx context.Context, out chan<- prometheus.Metric) error {
	for _, p := range c.store.Snapshot().Pools() {
		st, err := c.source.PoolStatus(ctx, p.Name)
		if err != nil {
			return err
		}
		if st == nil {
			continue
		}
		out <- poolAddresses.of(float64(st.GetAllocated()), p.Name, "allocated")
		out <- poolAddresses.of(float64(st.GetFree()), p.Name, "free")
		out <- poolAllocations.of(float64(st.GetAllocations()), p.Name)
		out <- poolReleases.of(float64(st.GetReleases()), p.Name)
		out <- poolFailures.of(float64(st.GetFailures()), p.Name)
	}
	return nil
}
