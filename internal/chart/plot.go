package chart

import (
	"fmt"
	"html"
	"strings"
)

// A Frame is the size of a picture and the room that it leaves around its plot, in SVG's
// units.
type Frame struct{ Width, Height, Left, Right, Top, Bottom float64 }

// A Plot is a picture that is being drawn.
type Plot struct {
	frame    Frame
	elements strings.Builder
}

// NewPlot begins a picture.
func NewPlot(f Frame) *Plot { return &Plot{frame: f} }

// Add adds elements of the caller's. What it formats must be numbers, or escaped.
func (p *Plot) Add(format string, args ...any) { fmt.Fprintf(&p.elements, format, args...) }

// SVG returns the picture as an element of a page.
func (p *Plot) SVG() string { return p.svg("") }

// File returns the picture as a file of its own.
func (p *Plot) File() string { return p.svg(`xmlns="http://www.w3.org/2000/svg" `) + "\n" }

func (p *Plot) svg(namespace string) string {
	return fmt.Sprintf(`<svg %sviewBox="0 0 %g %g" role="img">%s</svg>`, namespace, p.frame.Width,
		p.frame.Height, &p.elements)
}

// x is where a part of the plot's width is, counted from the left.
func (p *Plot) x(part float64) float64 { return p.frame.Left + p.width()*part }

// y is where a part of the plot's height is, counted from below.
func (p *Plot) y(part float64) float64 {
	return p.frame.Top + (p.frame.Height-p.frame.Top-p.frame.Bottom)*(1-part)
}

func (p *Plot) width() float64 { return p.frame.Width - p.frame.Left - p.frame.Right }

// grid draws a line across the plot, and writes at its left what it stands for.
func (p *Plot) grid(part float64, label string) {
	y := p.y(part)
	p.Add(`<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, p.x(0), p.x(1), y, y)
	p.Add(`<text class="y" x="%g" y="%.1f">%s</text>`, p.frame.Left-6, y+4,
		html.EscapeString(label))
}

// below writes below the plot.
func (p *Plot) below(x float64, label string) {
	p.Add(`<text class="x" x="%.1f" y="%g">%s</text>`, x, p.frame.Height-8,
		html.EscapeString(label))
}
