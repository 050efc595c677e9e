package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"culvert/internal/chart"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"number": chart.Number,
	"time":   func(t time.Time) string { return t.Format(time.RFC3339) },
	"share": func(n, all uint64) string {
		return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(max(all, 1)))
	},
}).Parse(page))

// A view is a report with its charts.
type view struct {
	*Report
	Attempts                        uint64
	Measured                        []Times
	Rates, Levels, Times, Durations template.HTML
	FailedAll, DroppedAll           uint64 // of the lists of causes
}

// WriteHTML writes a report as a page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	v := view{Report: r, Attempts: r.attempts(), Measured: r.measured(), Times: r.timesChart()}
	var placed, cameUp, failed, up, inSetUp, mean, worst []float64
	for _, p := range r.Timeline.Points {
		placed = append(placed, float64(p.Placed)/r.Timeline.Interval)
		cameUp = append(cameUp, float64(p.Up)/r.Timeline.Interval)
		failed = append(failed, float64(p.Failed+p.Dropped)/r.Timeline.Interval)
		up, inSetUp = append(up, float64(p.UpNow)), append(inSetUp, float64(p.InFlight))
		mean, worst = append(mean, p.Mean), append(worst, p.Max)
	}
	step := r.Timeline.Interval
	v.Rates = lineChart(step, series("placed", "placed", placed), series("came up", "good", cameUp),
		series("failed or dropped", "bad", failed))
	v.Levels = lineChart(step, series("up", "good", up), series("in set-up", "placed", inSetUp))
	v.Durations = lineChart(step, series("longest", "bad", worst), series("mean", "good", mean))
	for _, f := range r.Failures {
		v.FailedAll += f.Count
	}
	for _, f := range r.Drops {
		v.DroppedAll += f.Count
	}
	return pageTemplate.Execute(w, v)
}

// timesChart shows how long each phase took.
func (r *Report) timesChart() template.HTML {
	bars := chart.Bars{Unit: "ms", Names: []string{"p50", "p90", "p99", "max"}}
	for _, p := range r.measured() {
		bars.Groups = append(bars.Groups, chart.Group{
			Name: p.Name, Bars: []float64{p.P50, p.P90, p.P99, p.Max},
		})
	}
	return barChart(bars)
}
