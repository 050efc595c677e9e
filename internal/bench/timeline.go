package bench

import "time"

// A timeline is what happened in each interval of a run.
type timeline struct {
	interval time.Duration
	begun    time.Duration // of the interval that runs
	now      Point
	took     time.Duration // of the set-ups in it, together
	worst    time.Duration
	points   []Point
}

// maxPoints bounds a timeline: beyond it two intervals become one.
const maxPoints = 1200

func newTimeline() timeline { return timeline{interval: time.Second} }

// setUp notes a set-up that took d.
func (t *timeline) setUp(d time.Duration) {
	t.took += d
	t.worst = max(t.worst, d)
}

// advance closes the intervals that are over.
func (t *timeline) advance(now time.Duration, upNow, inFlight int) {
	for now >= t.begun+t.interval {
		t.close(upNow, inFlight)
	}
}

// close ends the interval that runs.
func (t *timeline) close(upNow, inFlight int) {
	p := t.now
	p.At, p.UpNow, p.InFlight = seconds(t.begun), upNow, inFlight
	if p.Up > 0 {
		p.Mean = millis(t.took / time.Duration(p.Up))
	}
	p.Max = millis(t.worst)
	t.points = append(t.points, p)
	t.begun += t.interval
	t.now, t.took, t.worst = Point{}, 0, 0
	if len(t.points) >= maxPoints && len(t.points)%2 == 0 {
		t.halve()
	}
}

// halve makes one interval of each two. What runs now has just begun.
func (t *timeline) halve() {
	half := t.points[:0]
	for i := 0; i+1 < len(t.points); i += 2 {
		half = append(half, t.points[i].join(t.points[i+1]))
	}
	t.points, t.interval = half, 2*t.interval
}

// join makes one interval of two that follow each other.
func (p Point) join(q Point) Point {
	j := Point{
		At: p.At, Placed: p.Placed + q.Placed, Up: p.Up + q.Up, Failed: p.Failed + q.Failed,
		Ended: p.Ended + q.Ended, Dropped: p.Dropped + q.Dropped,
		UpNow: q.UpNow, InFlight: q.InFlight, Packets: p.Packets + q.Packets,
		Max: max(p.Max, q.Max),
	}
	if j.Up > 0 {
		j.Mean = (p.Mean*float64(p.Up) + q.Mean*float64(q.Up)) / float64(j.Up)
	}
	return j
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
