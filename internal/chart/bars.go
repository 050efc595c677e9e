package chart

import (
	"html"
	"math"
	"strings"
)

// Bars are groups of bars beside each other.
type Bars struct {
	Unit   string   // of what is measured, as it is written after a number
	Names  []string // of the bars in each group
	Groups []Group
}

// A Group has a bar for each of the names. One of 0 is left out: it was not measured.
type Group struct {
	Name string
	Bars []float64
}

// How wide bars are, and what is between groups, in SVG's units.
const (
	widestBar = 60
	groupGap  = 20
	valueRoom = 24 // a bar of this width has room for its value above it
)

// Bars draws bars on a logarithmic scale: what is measured differs by powers of ten.
func (p *Plot) Bars(b Bars) {
	low, high := decades(b.Groups)
	for e := low; e <= high; e++ {
		p.grid((e-low)/(high-low), Number(math.Pow(10, e)))
	}
	height := func(v float64) float64 { return (math.Log10(v) - low) / (high - low) }
	room := p.width() / float64(max(len(b.Groups), 1))
	for i, g := range b.Groups {
		left := p.x(0) + room*float64(i)
		wide := min(widestBar, (room-groupGap)/float64(max(g.measured(), 1)))
		at := left + (room-wide*float64(g.measured()))/2
		for j, v := range g.Bars {
			if v > 0 {
				value := Number(v)
				title := strings.TrimSpace(b.Names[j] + ", " + g.Name + ": " + value + " " + b.Unit)
				p.bar(j, at, wide, height(v), title, value)
				at += wide
			}
		}
		p.below(left+room/2, g.Name)
	}
}

// bar draws a bar. The pointer is told what it is, and the eye where there is room.
func (p *Plot) bar(class int, x, wide, height float64, title, value string) {
	top := p.y(height)
	p.Add(`<rect class="s%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
		class, x+0.5, top, wide-1, p.y(0)-top, html.EscapeString(title))
	if wide >= valueRoom {
		p.Add(`<text class="value" x="%.1f" y="%.1f">%s</text>`, x+wide/2, top-3, value)
	}
}

func (g Group) measured() (n int) {
	for _, v := range g.Bars {
		if v > 0 {
			n++
		}
	}
	return n
}

// decades are the powers of ten between which all bars are. The least is to be seen, too.
func decades(groups []Group) (low, high float64) {
	least, most := math.Inf(1), 0.0
	for _, g := range groups {
		for _, v := range g.Bars {
			if v > 0 {
				least, most = min(least, v), max(most, v)
			}
		}
	}
	if most == 0 {
		return 0, 1
	}
	low, high = math.Ceil(math.Log10(least))-1, math.Ceil(math.Log10(most))
	return low, max(high, low+1)
}
