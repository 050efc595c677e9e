package bench

import (
	"fmt"
	"html/template"
	"strings"

	"culvert/internal/chart"
)

// frame is that of the charts in the page.
var frame = chart.Frame{Width: 760, Height: 240, Left: 56, Right: 12, Top: 10, Bottom: 26}

// series is one line of a chart, in the colour of a class of the page.
func series(name, class string, values []float64) chart.Series {
	return chart.Series{Name: name, Class: class, Values: values}
}

// lineChart draws series over time, with their names above.
func lineChart(step float64, all ...chart.Series) template.HTML {
	p := chart.NewPlot(frame)
	p.Lines(step, all)
	return legend(all) + template.HTML(p.SVG())
}

// barChart draws groups of bars, with their names above.
func barChart(bars chart.Bars) template.HTML {
	p := chart.NewPlot(frame)
	p.Bars(bars)
	var all []chart.Series
	for i, name := range bars.Names {
		all = append(all, series(name, fmt.Sprintf("s%d", i), nil))
	}
	return legend(all) + template.HTML(p.SVG())
}

// legend tells what has which colour. All text in it is ours.
func legend(all []chart.Series) template.HTML {
	var b strings.Builder
	b.WriteString(`<p class="legend">`)
	for _, s := range all {
		fmt.Fprintf(&b, `<span><i class="%s"></i>%s</span> `, s.Class, s.Name)
	}
	b.WriteString("</p>")
	return template.HTML(b.String())
}
