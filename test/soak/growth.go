package soak

import (
	"fmt"
	"slices"
)

// A reading is what something measured at a quiet point: when only what always is up
// was up, and what had come and gone left nothing but what is not forgotten.
type reading struct {
	life  int     // which process it was; what one measures says nothing of the next
	work  float64 // sessions that this process had set up
	value float64
}

// An allowance is by how much something may grow and be called flat.
type allowance struct {
	each float64 // for each session set up
	once float64 // besides that: what one reading differs from another for no reason
}

// A growth is what readings say about one thing.
type growth struct {
	slopes int     // of two readings each
	span   float64 // sessions over which the longest life was watched
	each   float64 // growth for each of them
}

// growthOf fits a line through readings, and takes its slope for the growth.
//
// The slope is the median of those between any two readings of the same life (Theil and
// Sen). Least squares would not do: one reading that is far off, since a collection came
// late or a page was returned early, tilts their line, and here the median does not
// move until a third of the readings are. Nor would the first and the last reading,
// whose noise is that of two. The median of what does not grow is about zero however
// long the soak is, and that of a leak stays what one session leaks, so a longer
// soak finds a smaller leak.
func growthOf(readings []reading) growth {
	var g growth
	var slopes []float64
	for i, a := range readings {
		for _, b := range readings[i+1:] {
			if run := b.work - a.work; a.life == b.life && run > 0 {
				slopes = append(slopes, (b.value-a.value)/run)
				g.span = max(g.span, run)
			}
		}
	}
	if g.slopes = len(slopes); g.slopes > 0 {
		n := g.slopes
		slices.Sort(slopes)
		g.each = (slopes[(n-1)/2] + slopes[n/2]) / 2
	}
	return g
}

// enough is how many slopes tell growth from chance: those of three readings, of which
// two must be wrong to deceive.
const enough = 3

// judged reports whether there are enough readings.
func (g growth) judged() bool { return g.slopes >= enough }

// exceeds reports whether growth is more than is allowed.
func (g growth) exceeds(a allowance) bool {
	return g.judged() && g.each*g.span > a.each*g.span+a.once
}

func (g growth) String() string {
	if !g.judged() {
		return "not judged: too few readings"
	}
	return fmt.Sprintf("%+.2f B a session, over %.0f sessions, by %d slopes", g.each, g.span, g.slopes)
}
