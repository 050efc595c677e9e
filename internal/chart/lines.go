package chart

import (
	"fmt"
	"strings"
)

// gridLines are those of a chart of lines, but for the lowest.
const gridLines = 4

// A Series is one line of a chart: a value for each point in time, and its class.
type Series struct {
	Name, Class string
	Values      []float64
}

// Lines draws series over time, of which a step takes so many seconds.
func (p *Plot) Lines(step float64, all []Series) {
	top, n := 0.0, 0
	for _, s := range all {
		n = max(n, len(s.Values))
		for _, v := range s.Values {
			top = max(top, v)
		}
	}
	top = ceiling(top)
	for i := range gridLines + 1 {
		part := float64(i) / gridLines
		p.grid(part, Number(top*part))
		p.below(p.x(part), Number(float64(n)*step*part)+" s")
	}
	for _, s := range all {
		p.line(s, n, top)
	}
}

// line draws one series of n points. A single one is a dot.
func (p *Plot) line(s Series, n int, top float64) {
	if len(s.Values) == 1 {
		p.Add(`<circle class="%s" cx="%.1f" cy="%.1f" r="3"/>`, s.Class, p.x(0.5/float64(n)),
			p.y(s.Values[0]/top))
		return
	}
	points := make([]string, len(s.Values))
	for i, v := range s.Values {
		points[i] = fmt.Sprintf("%.1f,%.1f", p.x((float64(i)+0.5)/float64(n)), p.y(v/top))
	}
	p.Add(`<polyline class="%s" points="%s"/>`, s.Class, strings.Join(points, " "))
}
