package bench

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// The size of a chart and of its frame, in SVG's units.
const (
	chartWidth, chartHeight         = 760.0, 240.0
	frameLeft, frameRight           = 56.0, 12.0
	frameTop, frameBottom           = 10.0, 26.0
	plotWidth                       = chartWidth - frameLeft - frameRight
	plotHeight                      = chartHeight - frameTop - frameBottom
	gridLines                       = 4
	barGap                  float64 = 14
)

// A series is one line of a chart: a value for each point in time, and the class that
// the page's style colours it by.
type series struct {
	name, class string
	values      []float64
}

// lineChart draws series over time. All text in it is ours.
func lineChart(step float64, all ...series) template.HTML {
	top := 0.0
	for _, s := range all {
		for _, v := range s.values {
			top = max(top, v)
		}
	}
	top = ceiling(top)
	n := 0
	var b strings.Builder
	begin(&b)
	for i := range gridLines + 1 {
		v := top * float64(i) / gridLines
		grid(&b, frameTop+plotHeight*(1-float64(i)/gridLines), number(v))
	}
	for _, s := range all {
		n = max(n, len(s.values))
	}
	for _, s := range all {
		drawLine(&b, s, n, top)
	}
	length := float64(n) * step
	for i := range gridLines + 1 {
		at := float64(i) / gridLines
		tick(&b, frameLeft+plotWidth*at, number(length*at)+" s")
	}
	b.WriteString("</svg>")
	return legend(all) + template.HTML(b.String())
}

func begin(b *strings.Builder) {
	fmt.Fprintf(b, `<svg viewBox="0 0 %g %g" role="img">`, chartWidth, chartHeight)
}

func grid(b *strings.Builder, y float64, label string) {
	fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, frameLeft,
		chartWidth-frameRight, y, y)
	fmt.Fprintf(b, `<text class="y" x="%g" y="%.1f">%s</text>`, frameLeft-6, y+4, label)
}

func tick(b *strings.Builder, x float64, label string) {
	fmt.Fprintf(b, `<text class="x" x="%.1f" y="%g">%s</text>`, x, chartHeight-8, label)
}

// drawLine draws one series of n points. A single one is a dot.
func drawLine(b *strings.Builder, s series, n int, top float64) {
	var points []string
	for i, v := range s.values {
		x := frameLeft + plotWidth*(float64(i)+0.5)/float64(n)
		y := frameTop + plotHeight*(1-v/top)
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	if len(points) == 1 {
		x, y, _ := strings.Cut(points[0], ",")
		fmt.Fprintf(b, `<circle class="%s" cx="%s" cy="%s" r="3"/>`, s.class, x, y)
		return
	}
	fmt.Fprintf(b, `<polyline class="%s" points="%s"/>`, s.class, strings.Join(points, " "))
}

func legend(all []series) template.HTML {
	var b strings.Builder
	b.WriteString(`<p class="legend">`)
	for _, s := range all {
		fmt.Fprintf(&b, `<span><i class="%s"></i>%s</span> `, s.class, s.name)
	}
	b.WriteString("</p>")
	return template.HTML(b.String())
}

// A group is bars beside each other, with one name.
type group struct {
	name string
	bars []float64
}

// barChart draws groups of bars on a logarithmic scale: what is timed differs by powers
// of ten. names are those of the bars in each group.
func barChart(unit string, names []string, groups []group) template.HTML {
	low, high := decades(groups)
	place := func(v float64) float64 {
		if v <= 0 {
			return 0
		}
		return (math.Log10(v) - low) / (high - low)
	}
	var b strings.Builder
	begin(&b)
	for e := low; e <= high; e++ {
		grid(&b, frameTop+plotHeight*(1-(e-low)/(high-low)), number(math.Pow(10, e)))
	}
	room := plotWidth / float64(max(len(groups), 1))
	for i, g := range groups {
		left := frameLeft + room*float64(i)
		width := (room - barGap) / float64(len(names))
		for j, v := range g.bars {
			h := plotHeight * max(place(v), 0)
			fmt.Fprintf(&b, `<rect class="s%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f">`, j,
				left+barGap/2+width*float64(j), frameTop+plotHeight-h, width-1, h)
			fmt.Fprintf(&b, `<title>%s %s: %s %s</title></rect>`, g.name, names[j], number(v), unit)
		}
		tick(&b, left+room/2, g.name)
	}
	b.WriteString("</svg>")
	var all []series
	for j, name := range names {
		all = append(all, series{name: name, class: fmt.Sprintf("s%d", j)})
	}
	return legend(all) + template.HTML(b.String())
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

// ceiling is the next number above v that is easily read.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 5, 10} {
		if v <= m*scale {
			return m * scale
		}
	}
	return 10 * scale
}

// number is a number with three digits that mean something.
func number(v float64) string {
	switch {
	case v >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
