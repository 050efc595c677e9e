package ppp

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// SnapshotVersion is that of the [Snapshot]s made here; others cannot be restored.
const SnapshotVersion = 1

// A Snapshot is all that a link knows, as plain data that any encoder takes. It
// holds no password, ours or the peer's.
type Snapshot struct {
	Version int
	State   LinkState
	Timers  [numTimers]Remaining
}

// Remaining is what a timer has left, as a Deadline is not the same on the next machine.
type Remaining struct {
	Running bool
	Left    time.Duration
}

// Snapshot returns the state of the link. It shares nothing with the link.
func (l *Link) Snapshot(now time.Time) Snapshot {
	s := Snapshot{Version: SnapshotVersion, State: l.state.clone()}
	for i, t := range l.timers {
		if t != 0 {
			s.Timers[i] = Remaining{Running: true, Left: l.epoch.Add(t).Sub(now)}
		}
	}
	return s
}

// Later returns the snapshot as it would be after d in which nothing happened: what is
// left of its timers is less.
func (s Snapshot) Later(d time.Duration) Snapshot {
	for i := range s.Timers {
		s.Timers[i].Left -= d
	}
	return s
}

// Restore returns the link that a snapshot was made of. It says nothing; what was due
// in between is due soon, but not all at once: see spread.
func Restore(cfg *Config, now time.Time, s Snapshot) (*Link, error) {
	if s.Version != SnapshotVersion {
		return nil, fmt.Errorf("restoring a PPP link: snapshot version %d, want %d",
			s.Version, SnapshotVersion)
	}
	for i, c := range s.State.Controls {
		if c.State >= numStates {
			return nil, fmt.Errorf("restoring a PPP link: %v is in state %d, want less than %d",
				controlProtocols[i], c.State, numStates)
		}
	}
	l := &Link{cfg: cfg, state: s.State.clone()}
	l.setNow(now)
	for t, r := range s.Timers {
		if r.Running {
			l.start(timer(t), l.spread(timer(t), r.Left))
		}
	}
	l.turn = nil
	return l, nil
}

// spread keeps the echoes of many links restored at once from leaving together.
func (l *Link) spread(t timer, left time.Duration) time.Duration {
	if left > 0 {
		return left
	}
	over := time.Second
	if t == timerEcho && l.cfg.EchoInterval > 0 {
		over = l.cfg.EchoInterval
	}
	return 1 + time.Duration(uint64(l.nonZero32())*uint64(over)>>32)
}

// clone copies the state with what it points to.
func (s *LinkState) clone() LinkState {
	c := *s
	for i := range c.Controls {
		c.Controls[i].Request = bytes.Clone(c.Controls[i].Request)
		c.Controls[i].Kept = slices.Clone(c.Controls[i].Kept)
	}
	if c.Ending != nil {
		c.Ending = new(*c.Ending)
	}
	c.Nonce = bytes.Clone(c.Nonce)
	c.LCP.PeerEndpoint = bytes.Clone(c.LCP.PeerEndpoint)
	c.PeerAuth.Challenge = bytes.Clone(c.PeerAuth.Challenge)
	c.PeerAuth.State = bytes.Clone(c.PeerAuth.State)
	c.LocalAuth.Response = bytes.Clone(c.LocalAuth.Response)
	return c
}
