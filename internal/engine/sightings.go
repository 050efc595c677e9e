package engine

import "time"

// sightings remember since when something is known, in a table whose size does not
// grow: strangers choose what goes in. Where it is full, the oldest of a few
// neighbours goes. What is remembered is a hash, with a seed that nobody knows: two
// things are taken for one about once in a thousand million times.
type sightings struct {
	sets []sightingSet
}

// A sightingSet is the places where something may be: one cache line.
type sightingSet [8]sighting

// A sighting is a hash, and when it was seen in ticks; zero is an empty place.
type sighting struct{ tag, at uint32 }

// A tick is what sightings count time in.
const tick = time.Second / 16

func ticks(at time.Duration) uint32 { return uint32(at/tick) + 1 }

// newSightings makes a table with room for n, at least.
func newSightings(n int) *sightings {
	return &sightings{sets: make([]sightingSet, (n+len(sightingSet{})-1)/len(sightingSet{}))}
}

// find returns the place of what hashes to h, or, if it is not there, where it would go.
func (s *sightings) find(h uint64) (place *sighting, known bool) {
	set := &s.sets[(h>>32)%uint64(len(s.sets))]
	oldest := &set[0]
	for i := range set {
		p := &set[i]
		if p.at != 0 && p.tag == uint32(h) {
			return p, true
		}
		if p.at < oldest.at {
			oldest = p
		}
	}
	return oldest, false
}

// since returns how long ago what hashes to h was first seen, and notes it if it
// was not.
func (s *sightings) since(h uint64, at time.Duration) (ago time.Duration, known bool) {
	place, known := s.find(h)
	if !known {
		*place = sighting{uint32(h), ticks(at)}
		return 0, false
	}
	return time.Duration(ticks(at)-place.at) * tick, true
}

// note notes that what hashes to h is seen.
func (s *sightings) note(h uint64, at time.Duration) {
	place, _ := s.find(h)
	*place = sighting{uint32(h), ticks(at)}
}

// seen reports whether what hashes to h was noted within some time.
func (s *sightings) seen(h uint64, at, within time.Duration) bool {
	place, known := s.find(h)
	return known && time.Duration(ticks(at)-place.at)*tick <= within
}
