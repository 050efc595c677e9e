// Package chart draws charts in SVG: lines over time, and groups of bars. How they look
// is up to the page or the style that they are in: it knows the classes grid, x, y (what
// is written at the axes), value (at a bar), and those that the caller gives to lines; the
// bars of a group have s0, s1 and so on.
//
//	plot.go    Plot: a picture, its frame and what is written at its axes
//	lines.go   Lines
//	bars.go    Bars
//	scale.go   numbers that are easily read
package chart
