package main

import (
	"fmt"
	"html"

	"culvert/internal/chart"
)

// charts are the page's charts by their files' names.
func (r *Results) charts() map[string]string {
	all := map[string]string{
		"set-up.svg": r.setUpChart("sessions set up a second", func(s *SetUp) float64 { return s.Rate }),
		"set-up-time.svg": r.setUpChart("99th percentile of the time of a set-up, ms",
			func(s *SetUp) float64 { return s.P99 }),
		"memory.svg": r.setUpChart("memory of a session, processes, state and kernel, bytes",
			func(s *SetUp) float64 { return s.Daemon + s.Aside + s.Kernel }),
	}
	if len(r.Flows) > 0 {
		all["packets.svg"] = r.flowChart()
	}
	return all
}

func (r *Results) setUpChart(title string, value func(*SetUp) float64) string {
	bars := chart.Bars{Names: subjects}
	for _, n := range r.sizes() {
		g := chart.Group{Name: fmt.Sprintf("%d sessions", n), Bars: make([]float64, len(subjects))}
		for i, subject := range subjects {
			if s := r.setUp(subject, n); s != nil {
				g.Bars[i] = value(s)
			}
		}
		bars.Groups = append(bars.Groups, g)
	}
	return barChart(title, bars)
}

func (r *Results) flowChart() string {
	bars := chart.Bars{Names: []string{KernelPlane, TUNPlane, L2TPNS, XL2TPD}}
	for _, size := range []int{smallPacket, largePacket} {
		for _, in := range []struct {
			sessions int
			name     string
		}{{1, "1 session"}, {100, "100 sessions"}} {
			g := chart.Group{Name: fmt.Sprintf("%d bytes, %s", size, in.name), Bars: make([]float64, len(bars.Names))}
			for i, subject := range bars.Names {
				if f := r.flow(subject, in.sessions, size); f != nil {
					g.Bars[i] = f.Rate
				}
			}
			bars.Groups = append(bars.Groups, g)
		}
	}
	return barChart("packets a second, each way", bars)
}

// frame has room for the title and the legend above the plot.
var frame = chart.Frame{Width: 960, Height: 340, Left: 64, Right: 10, Top: 70, Bottom: 30}

// chartStyle is for paper that is white or black: pages are read on both.
const chartStyle = `<style>
text { font: 12px system-ui, sans-serif; fill: #57606d }
.title { font-size: 14px; fill: #1c2430 } .value { font-size: 10px }
.y { text-anchor: end } .x, .value { text-anchor: middle }
.grid { stroke: #d9dee5 }
.s0 { fill: #2563c9 } .s1 { fill: #5b90e6 } .s2 { fill: #9fc5fb } .s3 { fill: #d0722c }
.s4 { fill: #8a5fbf } .s5 { fill: #4d5866 } .s6 { fill: #a6afbb }
@media (prefers-color-scheme: dark) {
text { fill: #9aa4b2 } .title { fill: #e4e8ee } .grid { stroke: #313844 } .s5 { fill: #c3cad4 } }
</style>`

// barChart draws groups of bars as a picture of its own, with a title and a legend.
func barChart(title string, bars chart.Bars) string {
	p := chart.NewPlot(frame)
	p.Add(chartStyle)
	p.Add(`<text class="title" x="%g" y="20">%s</text>`, frame.Left, html.EscapeString(title))
	x := frame.Left
	for i, name := range bars.Names {
		p.Add(`<rect class="s%d" x="%.0f" y="34" width="11" height="11"/>`, i, x)
		p.Add(`<text x="%.0f" y="44">%s</text>`, x+16, html.EscapeString(name))
		x += 34 + 6.6*float64(len(name))
	}
	p.Bars(bars)
	return p.File()
}
