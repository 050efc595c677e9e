package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
)

var frame = Frame{Width: 400, Height: 200, Left: 50, Right: 10, Top: 20, Bottom: 30}

// elements counts the elements of a picture, and checks that none is outside.
func elements(t *testing.T, svg string) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		count[e.Name.Local]++
		for _, a := range e.Attr {
			most := map[string]float64{"x": 400, "x1": 400, "x2": 400, "width": 340, "cx": 400,
				"y": 200, "y1": 200, "y2": 200, "height": 150, "cy": 200}[a.Name.Local]
			v, err := strconv.ParseFloat(a.Value, 64)
			if most > 0 && (err != nil || v < 0 || v > most) {
				t.Errorf("%s has %s=%s, which is outside", e.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
}

func TestBars(t *testing.T) {
	p := NewPlot(frame)
	p.Bars(Bars{Unit: "ms", Names: []string{"a<b", "c"}, Groups: []Group{
		{"small & large", []float64{1, 1000}}, {"one", []float64{0, 7}}, {"none", []float64{0, 0}}}})
	svg := p.File()
	count := elements(t, svg)
	// 0.1 to 1000 are five lines; three values, three groups and five powers of ten are written.
	if count["rect"] != 3 || count["line"] != 5 || count["text"] != 3+3+5 {
		t.Errorf("%v, want 3 bars, 5 lines and 11 texts:\n%s", count, svg)
	}
	// On this scale 1 is a quarter of 1000.
	for _, want := range []string{`height="37.5"><title>a&lt;b, small &amp; large: 1 ms<`,
		`height="150.0"><title>c, small &amp; large: 1000 ms<`, ">7</text>"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in\n%s", want, svg)
		}
	}
}

// TestNarrowBars: where bars have no room for values nothing is written over the next one.
func TestNarrowBars(t *testing.T) {
	p := NewPlot(frame)
	many := make([]float64, 20)
	for i := range many {
		many[i] = 1
	}
	p.Bars(Bars{Names: make([]string, 20), Groups: []Group{{"all", many}}})
	if svg := p.SVG(); elements(t, svg)["rect"] != 20 || strings.Contains(svg, `"value"`) {
		t.Errorf("20 bars without values are wanted:\n%s", svg)
	}
}

func TestLines(t *testing.T) {
	p := NewPlot(frame)
	p.Lines(2, []Series{{"up", "good", []float64{0, 50, 100}}, {"failed", "bad", []float64{25}}, {"none", "bad", nil}})
	svg := p.SVG()
	if count := elements(t, svg); count["polyline"] != 2 || count["circle"] != 1 || count["line"] != 5 {
		t.Errorf("%v, want 2 lines, a dot and 5 lines of the grid:\n%s", count, svg)
	}
	for _, want := range []string{`points="106.7,170.0 220.0,95.0 333.3,20.0"`, `cy="132.5"`, ">6 s<", ">100<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in\n%s", want, svg)
		}
	}
}

func TestNothing(t *testing.T) {
	p := NewPlot(frame)
	p.Lines(1, nil)
	p.Bars(Bars{})
	if svg := p.SVG(); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("of nothing: %s", svg)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.1: "0.1", 0.2345: "0.234", 7: "7", 9.876: "9.88", 45.33: "45.3", 99.96: "100", 123.4: "123",
		1000: "1000", 9999: "9999", 10000: "10k", 12345: "12.3k", 1e6: "1M", 2.5e6: "2.5M", 250e6: "250M",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestCeiling(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.1: 2, 3: 4, 41: 50, 51: 100, 999: 1000, 1000: 1000} {
		if got := ceiling(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("ceiling(%v) = %v, want %v", v, got, want)
		}
	}
}
