package trace

import (
	"bytes"
	"slices"

	"culvert/l2tp"
)

// A Query says which records are wanted: of a tunnel, and if Session or
// SessionName are set of one session in it.
//
// Identifiers are used again. A query by identifier finds all that had it, each
// beginning with a line that says so; one by name finds those with that name.
type Query struct {
	Tunnel      l2tp.TunnelID
	TunnelName  string
	Session     l2tp.SessionID
	SessionName string
	Limit       int // the last ones; 0: all
}

// Find returns what is in memory, the oldest first.
func (r *Recorder) Find(q Query) []Record {
	if r == nil {
		return nil
	}
	var found []Record
	for i, ring := range r.rings {
		if q.TunnelName == "" && i != int(q.Tunnel)%len(r.rings) {
			continue
		}
		found = append(found, q.in(ring)...)
	}
	slices.SortStableFunc(found, func(a, b Record) int { return a.Time.Compare(b.Time) })
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[len(found)-q.Limit:]
	}
	return found
}

// in returns what a ring has.
func (q *Query) in(r *ring) []Record {
	var kept []record
	names := make(map[l2tp.TunnelID]string)
	sessions := make(map[[2]uint16]string)
	r.each(func(rec record) {
		key := [2]uint16{uint16(rec.tunnel), uint16(rec.session)}
		switch {
		case rec.kind != kindBegin:
		case rec.session == 0:
			names[rec.tunnel] = rec.begun()
		default:
			sessions[key] = rec.begun()
		}
		if q.wants(rec, names[rec.tunnel], sessions[key]) {
			rec.data = bytes.Clone(rec.data)
			kept = append(kept, rec)
		}
	})
	found := make([]Record, len(kept))
	for i := range kept {
		found[i] = kept[i].render()
	}
	return found
}

// wants reports whether a record is one of the query's. The names are those
// that its tunnel and session were born with.
func (q *Query) wants(rec record, tunnel, session string) bool {
	byID := q.Tunnel != 0 && rec.tunnel == q.Tunnel
	byName := q.TunnelName != "" && tunnel == q.TunnelName
	if !byID && !byName {
		return false
	}
	switch {
	case q.Session == 0 && q.SessionName == "":
		return true
	case q.Session != 0 && rec.session == q.Session:
		return true
	}
	return q.SessionName != "" && session == q.SessionName
}
