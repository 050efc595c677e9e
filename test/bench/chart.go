package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// charts are the page's charts by their files' names.
func (r *Results) charts() map[string]string {
	all := map[string]string{
		"set-up.svg": r.setUpChart("sessions set up a second", func(s *SetUp) float64 { return s.Rate }),
		"set-up-time.svg": r.setUpChart("99th percentile of the time of a set-up, ms",
			func(s *SetUp) float64 { return s.P99 }),
		"memory.svg": r.setUpChart("memory of a session, processes and kernel, bytes",
			func(s *SetUp) float64 { return s.Daemon + s.Kernel }),
	}
	if len(r.Flows) > 0 {
		all["packets.svg"] = r.flowChart()
	}
	return all
}

func (r *Results) setUpChart(title string, value func(*SetUp) float64) string {
	var groups []group
	for _, n := range r.sizes() {
		g := group{name: fmt.Sprintf("%d sessions", n), bars: make([]float64, len(subjects))}
		for i, subject := range subjects {
			if s := r.setUp(subject, n); s != nil {
				g.bars[i] = value(s)
			}
		}
		groups = append(groups, g)
	}
	return barChart(title, subjects, groups)
}

func (r *Results) flowChart() string {
	carriers := []string{KernelPlane, TUNPlane, L2TPNS, XL2TPD}
	var groups []group
	for _, size := range []int{smallPacket, 1400} {
		for _, sessions := range []int{1, 100} {
			g := group{
				name: fmt.Sprintf("%d bytes, %d sessions", size, sessions), bars: make([]float64, len(carriers)),
			}
			for i, subject := range carriers {
				if f := r.flow(subject, sessions, size); f != nil {
					g.bars[i] = f.Rate
				}
			}
			groups = append(groups, g)
		}
	}
	return barChart("packets a second, each way", carriers, groups)
}

// A group is bars beside each other. A bar of 0 is left out: it was not measured.
type group struct {
	name string
	bars []float64
}

// The size of a chart and of its frame, in SVG's units.
const (
	width, height = 960.0, 340.0
	left, right   = 64.0, 10.0
	top, bottom   = 70.0, 30.0
	plotWidth     = width - left - right
	plotHeight    = height - top - bottom
)

// chartStyle is for paper that is white or black: pages are read on both.
const chartStyle = `<style>
text { font: 12px system-ui, sans-serif; fill: #57606d }
.title { font-size: 14px; fill: #1c2430 } .value { font-size: 10px }
.grid { stroke: #d9dee5 }
.c0 { fill: #2563c9 } .c1 { fill: #7fb0f7 } .c2 { fill: #d0722c }
.c3 { fill: #8a5fbf } .c4 { fill: #4d5866 } .c5 { fill: #a6afbb }
@media (prefers-color-scheme: dark) {
text { fill: #9aa4b2 } .title { fill: #e4e8ee } .grid { stroke: #313844 } .c4 { fill: #c3cad4 } }
</style>`

// barChart draws groups of bars on a logarithmic scale; names are those of the bars in
// each group.
func barChart(title string, names []string, groups []group) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g">%s`, width, height, chartStyle)
	fmt.Fprintf(&b, `<text class="title" x="%g" y="20">%s</text>`, left, html.EscapeString(title))
	x := left
	for i, name := range names {
		fmt.Fprintf(&b, `<rect class="c%d" x="%.0f" y="34" width="11" height="11"/>`, i, x)
		fmt.Fprintf(&b, `<text x="%.0f" y="44">%s</text>`, x+16, html.EscapeString(name))
		x += 34 + 6.6*float64(len(name))
	}
	low, high := decades(groups)
	y := func(v float64) float64 { return top + plotHeight*(1-(math.Log10(v)-low)/(high-low)) }
	for e := low; e <= high; e++ {
		v := math.Pow(10, e)
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, left, width-right, y(v), y(v))
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end">%s</text>`, left-6, y(v)+4, figureOf(v))
	}
	room := plotWidth / float64(max(len(groups), 1))
	for i, g := range groups {
		g.draw(&b, left+room*float64(i), room, y)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// draw draws the bars that there are, from x on.
func (g group) draw(b *strings.Builder, x, room float64, y func(float64) float64) {
	n := 0
	for _, v := range g.bars {
		if v > 0 {
			n++
		}
	}
	const most, gap = 60.0, 24.0
	wide := min(most, (room-gap)/float64(max(n, 1)))
	at := x + (room-wide*float64(n))/2
	for i, v := range g.bars {
		if v <= 0 {
			continue
		}
		fmt.Fprintf(b, `<rect class="c%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, i, at+1, y(v), wide-2,
			top+plotHeight-y(v))
		fmt.Fprintf(b, `<text class="value" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, at+wide/2, y(v)-3,
			figureOf(v))
		at += wide
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x+room/2, height-10,
		html.EscapeString(g.name))
}

// decades are the powers of ten between which all bars are.
func decades(groups []group) (low, high float64) {
	least, most := math.Inf(1), 0.0
	for _, g := range groups {
		for _, v := range g.bars {
			if v > 0 {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	if most == 0 {
		return 0, 1
	}
	// The least bar is to be seen, too.
	low, high = math.Ceil(math.Log10(least))-1, math.Ceil(math.Log10(most))
	return low, max(high, low+1)
}

// figureOf is a number in few letters.
func figureOf(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e6, "M"}, {1e3, "k"}} {
		if v >= unit.of {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v/unit.of), ".0") + unit.name
		}
	}
	if v >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
