package engine

import (
	"cmp"
	"fmt"
	"time"

	"culvert/api"
	"culvert/l2tp"
)

// A call is a session that we were asked to have in a dialer's tunnel.
type call struct {
	dialer   *dialer
	place    slot
	index    int // in dialer.calls
	asked    *api.Session
	session  *session // the attempt that runs, or nil
	attempts uint64
	failures int // in a row
	limit    int // after so many it is given up; 0: never
	retry    backoff
	waits    bool // for its turn, in its tunnel's queue
	deleted  bool
	cause    string

	// interrupted: a restart ended its session, or its set-up. It is placed anew even
	// if the tunnel does not persist.
	interrupted bool
}

func (c *call) slot() *slot { return &c.place }

func (c *call) deadline() time.Time { return c.retry.at }

func (c *call) tick(now time.Time) {
	if c.retry.take(now) && c.dialer.isUp() {
		c.placeCall(now)
	}
}

// enter puts the call on its dialer's lists.
func (c *call) enter() {
	d := c.dialer
	c.index = len(d.calls)
	d.calls = append(d.calls, c)
	if name := c.asked.GetSessionName(); name != "" {
		d.callNames[name] = c
	}
	if id := c.asked.GetSessionId(); id != 0 {
		d.callIDs[l2tp.SessionID(id)] = c
	}
}

// forget takes the call off its dialer's lists.
func (c *call) forget() {
	d := c.dialer
	c.retry.at = time.Time{}
	d.shard.deadlines.remove(c)
	c.leaveQueue()
	if c.deleted = true; c.index < 0 {
		return
	}
	last := len(d.calls) - 1
	d.calls[c.index] = d.calls[last]
	d.calls[c.index].index = c.index
	d.calls[last] = nil
	d.calls, c.index = d.calls[:last], -1
	delete(d.callNames, c.asked.GetSessionName())
	delete(d.callIDs, l2tp.SessionID(c.asked.GetSessionId()))
}

// rename makes asked what the call is asked to be, its name included.
func (c *call) rename(asked *api.Session) {
	names := c.dialer.callNames
	delete(names, c.asked.GetSessionName())
	if c.asked = asked; asked.GetSessionName() != "" {
		names[asked.GetSessionName()] = c
	}
	if c.session != nil {
		c.session.touch()
	}
}

// callOf finds a call by its name or by the identifier that it asked for or has.
func (d *dialer) callOf(name string, id uint32) *call {
	if name != "" {
		return d.callNames[name]
	}
	if d.tunnel != nil {
		if s := d.tunnel.sessions[l2tp.SessionID(id)]; s != nil && s.wanted != nil && s.phase != gone {
			return s.wanted
		}
	}
	return d.callIDs[l2tp.SessionID(id)]
}

// attempt begins an attempt to have a session.
func (c *call) attempt(now time.Time) {
	t := c.dialer.tunnel
	snapshot := t.shard.engine.store.Snapshot()
	resolved, err := snapshot.ResolveSession(c.dialer.resolved, c.asked)
	if err == nil {
		err = t.shard.engine.maySetUp(snapshot.System())
	}
	var id l2tp.SessionID
	if err == nil {
		id, err = t.sessionID(resolved.ID)
	}
	if err != nil {
		c.log("session not placed", err)
		c.failed(now, err.Error())
		return
	}
	kind := l2tp.LACIncoming
	if resolved.Type == api.SessionType_SESSION_TYPE_LNOC {
		kind = l2tp.LNSOutgoing
	}
	s := t.newSession(now, id, kind, c)
	s.settings = t.shard.settings.session(snapshot, resolved, false)
	c.session, c.interrupted = s, false
	c.limit = resolved.PPP.MaxFailureCount
	c.attempts++
	s.traceBegin(c.asked.GetSessionName(), fmt.Sprintf("placing call %s, attempt %d",
		either(c.asked.GetSessionName(), uint32(id)), c.attempts))
	s.tellCreated()
	t.shard.step(t, l2tp.PlaceCall{Session: id, Kind: kind, Call: s.settings.asCall()})
}

// sessionID returns an identifier for a call of ours, the one that is asked
// for unless that is zero.
func (t *tunnel) sessionID(asked uint16) (l2tp.SessionID, error) {
	id := l2tp.SessionID(asked)
	if id == 0 {
		if id, _ = t.core.NewSessionID(); id == 0 {
			return 0, fmt.Errorf("max_sessions of the tunnel is reached")
		}
		return id, nil
	}
	if _, taken := t.core.Session(id); taken || t.sessions[id] != nil {
		return 0, fmt.Errorf("session_id %d: in use", id)
	}
	return id, nil
}

func (c *call) log(message string, cause any) {
	c.dialer.shard.engine.log.Warn(message, "tunnel", c.dialer,
		"name", c.asked.GetSessionName(), "again_in", c.retry.delay, "cause", cause)
}

// up is called when the session carries a network: later attempts begin anew.
func (c *call) up() {
	c.retry.delay, c.dialer.retry.delay = 0, 0
	c.failures = 0
}

// isPlacedAgain reports whether the call is placed again when its session ends.
func (c *call) isPlacedAgain() bool {
	d := c.dialer
	again := c.interrupted && !d.deleted && !d.shard.engine.stopping.Load()
	return !c.deleted && (d.persists() || again)
}

// sessionEnded tries again later if the tunnel persists, or forgets the call.
func (c *call) sessionEnded(now time.Time) {
	cause := c.session.endText()
	if !c.session.wasUp && !c.interrupted {
		c.failures++
	}
	c.session = nil
	if c.limit > 0 && c.failures >= c.limit && !c.deleted {
		c.dialer.shard.engine.log.Warn("session given up", "tunnel", c.dialer,
			"name", c.asked.GetSessionName(), "attempts", c.failures, "cause", cause)
		c.cause = cause
		c.forget()
		return
	}
	c.failed(now, cause)
}

func (c *call) failed(now time.Time, cause string) {
	c.cause = cause
	p := c.dialer.resolved.Parameters
	if !c.isPlacedAgain() {
		c.forget()
		return
	}
	if !c.dialer.isUp() {
		return
	}
	sys := c.dialer.shard.engine.store.Snapshot().System()
	if sys.NoSessionRetry && !c.interrupted {
		c.log("session not to be tried again before its tunnel is", cause)
		return
	}
	longest := cmp.Or(sys.SessionPersistPend, p.PersistMaxDelay)
	c.retry.schedule(now, min(p.PersistDelay, longest), longest)
	c.log("session to be tried again", cause)
	c.dialer.shard.deadlines.update(c)
}

// delete ends the session for good.
func (c *call) delete(now time.Time, reason string) {
	c.deleted = true
	if c.session == nil {
		c.forget()
		return
	}
	c.session.touch() // it may be ending already, and hangUp does nothing
	c.session.hangUp(now, reason)
}
