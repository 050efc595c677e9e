package trace

import (
	"bytes"
	"slices"

	"culvert/l2tp"
)

// A Query says which records are wanted: of a tunnel, and if Session or
// SessionName are set of one session in it.
//
// Identifiers are used again. A query by identifier alone finds all tunnels that had
// it, each beginning with a line that says so; one by name finds those that were
// born with that name, and the last one that had the identifier.
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

// A life is that of one tunnel among those that had its identifier.
type life struct {
	number int // counts those that memory knows
	name   string
}

// in returns what a ring has.
func (q *Query) in(r *ring) []Record {
	type candidate struct {
		record
		life life
	}
	var kept []candidate
	lives := make(map[l2tp.TunnelID]life)
	sessions := make(map[[2]uint16]string)
	r.each(func(rec record) {
		key := [2]uint16{uint16(rec.tunnel), uint16(rec.session)}
		switch {
		case rec.kind != kindBegin:
		case rec.session == 0:
			lives[rec.tunnel] = life{lives[rec.tunnel].number + 1, rec.begun()}
		default:
			sessions[key] = rec.begun()
		}
		of := lives[rec.tunnel]
		mine := q.Tunnel != 0 && rec.tunnel == q.Tunnel || q.TunnelName != "" && of.name == q.TunnelName
		if mine && q.wantsSession(rec, sessions[key]) {
			rec.data = bytes.Clone(rec.data)
			kept = append(kept, candidate{rec, of})
		}
	})
	var found []Record
	for _, c := range kept {
		if q.TunnelName == "" || c.life.name == q.TunnelName || c.life == lives[q.Tunnel] {
			found = append(found, c.render())
		}
	}
	return found
}

// wantsSession reports whether a record is of the session that is asked for, if
// one is. The name is that which the record's session was born with.
func (q *Query) wantsSession(rec record, name string) bool {
	switch {
	case q.Session == 0 && q.SessionName == "":
		return true
	case q.Session != 0 && rec.session == q.Session:
		return true
	}
	return q.SessionName != "" && name == q.SessionName
}
