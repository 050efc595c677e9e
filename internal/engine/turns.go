package engine

import (
	"slices"
	"time"
)

// maxPlaced is how many calls of ours a tunnel has in set-up at once. Thousands would not
// come up sooner: the LNS has them wait, for longer than it may be patient, and
// session_establish_timeout runs from when a call is placed.
const maxPlaced = 256

// placing is the calls that we place in a tunnel: those in set-up, and those that wait
// until one of these is through, in the order in which they came.
type placing struct {
	inSetUp int
	waiting []*call
}

// placeCall begins an attempt to have a session, or has the call wait for its turn.
func (c *call) placeCall(now time.Time) {
	if c.session != nil || c.deleted || c.waits {
		return
	}
	if p := &c.dialer.tunnel.placing; p.inSetUp >= maxPlaced {
		c.waits = true
		p.waiting = append(p.waiting, c)
		return
	}
	c.attempt(now)
}

// placeNext places the calls whose turn it is. One that cannot be placed takes nobody's turn.
func (t *tunnel) placeNext(now time.Time) {
	p := &t.placing
	for p.inSetUp < maxPlaced && len(p.waiting) > 0 && t.dialer.isUp() {
		c := p.waiting[0]
		p.waiting[0] = nil
		p.waiting = p.waiting[1:]
		c.waits = false
		c.attempt(now)
	}
	if len(p.waiting) == 0 {
		p.waiting = nil
	}
}

// leaveQueue has a call wait for its turn no more.
func (c *call) leaveQueue() {
	if !c.waits {
		return
	}
	c.waits = false
	p := &c.dialer.tunnel.placing
	if i := slices.Index(p.waiting, c); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

// dropQueue has no call wait for its turn any more: the tunnel has ended.
func (t *tunnel) dropQueue() {
	for _, c := range t.placing.waiting {
		c.waits = false
	}
	t.placing.waiting = nil
}
