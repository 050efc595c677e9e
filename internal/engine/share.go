package engine

import (
	"errors"
	"sync/atomic"
	"time"

	"culvert/l2tp"
)

// patience is how long a call of a peer may wait for the data plane: after that its
// caller has begun anew, and what is set up for it is set up for nobody.
const patience = 10 * time.Second

// errTooLate is what became of a job that waited longer than its peer does.
var errTooLate = errors.New("it waited for too long")

// isGreedy reports whether the tunnel's peer has its share of the sessions that may
// be in set-up: as many as are left for others. So one peer gets half of all, two get
// a third each, and there is always room for one more, whom nobody has to know
// beforehand (Choudhury and Hahne, dynamic queue length thresholds). Calls of ours are not
// among them: peers are not refused for what we ask of others.
func (t *tunnel) isGreedy() bool {
	e := t.shard.engine
	left := e.credit - e.count.askedFor.Load()
	return t.shard.askedFor[t.peer.Addr()] >= left
}

// tooMany refuses a call for now, and counts that.
func (t *tunnel) tooMany(count *atomic.Uint64, message string) *l2tp.Result {
	count.Add(1)
	t.shard.engine.overload.notice("calls", t.peer.Addr())
	return &l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: message}
}

// urgencyOfCall is that of the job that makes the session: a call of a peer waits
// until those that have begun are through. Ours wait for nobody's patience but our own.
func (s *session) urgencyOfCall() urgency {
	if s.wanted != nil {
		return forSetup
	}
	return forNewCall
}

// setUpBegins counts a session as being set up, until setUpDone.
func (s *session) setUpBegins() {
	s.counted = true
	s.engine().count.settingUp.Add(1)
	if s.wanted != nil {
		s.tunnel.placing.inSetUp++
		return
	}
	s.engine().count.askedFor.Add(1)
	s.shard().askedFor[s.tunnel.peer.Addr()]++
}

// setUpDone gives back the credit of a session's set-up.
func (s *session) setUpDone() {
	if !s.counted {
		return
	}
	s.counted = false
	s.engine().count.settingUp.Add(-1)
	if s.wanted != nil {
		s.tunnel.placing.inSetUp--
		s.tunnel.placeNext(time.Now())
		return
	}
	s.engine().count.askedFor.Add(-1)
	shares, peer := s.shard().askedFor, s.tunnel.peer.Addr()
	if shares[peer]--; shares[peer] <= 0 {
		delete(shares, peer)
	}
}
