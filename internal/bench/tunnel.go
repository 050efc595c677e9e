package bench

import (
	"net/netip"
	"time"

	"culvert/l2tp"
)

// A tunnel is one of a run's: an attempt after the other, if it must. Its run's loop owns it.
type tunnel struct {
	run      *Run
	number   int
	settings *l2tp.Config

	core  *l2tp.Tunnel // of the attempt that runs, or nil
	conn  Conn
	line  *line          // the shared socket, if it is one
	peer  netip.AddrPort // where the LNS is heard
	state tunnelState
	busy  bool // something is not acknowledged
	began time.Duration
	again time.Duration // when the next attempt is due, or never
	place slot

	sessions map[l2tp.SessionID]*session // that are placed
	waiting  fifo[*session]
	isReady  bool // on the run's list
}

// A tunnelState says how far a tunnel is.
type tunnelState uint8

const (
	tunnelDown tunnelState = iota
	tunnelOpening
	tunnelUp
)

// A line is a socket that the tunnels of one source share. An LNS may take a second
// SCCRQ from one address and port for a copy of the first until that tunnel is
// established: l2tpns does. So one tunnel opens after the other.
type line struct {
	conn    Conn
	users   int
	opening *tunnel
}

// retryDelay is how long what failed waits before it is tried again, in a run that does.
const retryDelay = time.Second

func (t *tunnel) slot() *slot { return &t.place }

func (t *tunnel) deadline() time.Duration {
	if t.core == nil {
		return t.again
	}
	return min(t.again, t.run.since(t.core.Deadline()))
}

func (t *tunnel) tick(now time.Time) {
	if t.again <= t.run.since(now) {
		t.again = never
		t.discard()
		t.run.unopened.push(t)
		return
	}
	t.run.step(t, l2tp.Tick{})
}

// local is where the tunnel's socket is bound.
func (t *tunnel) local() netip.AddrPort {
	cfg := t.run.cfg
	var a netip.Addr
	if n := len(cfg.Sources); n > 0 {
		a = cfg.Sources[t.number%n]
	}
	return netip.AddrPortFrom(a, cfg.SourcePort)
}

// mayOpen reports whether no other tunnel on the same socket is opening.
func (t *tunnel) mayOpen() bool {
	l := t.run.lines[t.local().Addr()]
	return l == nil || l.opening == nil
}

// open begins an attempt.
func (t *tunnel) open(now time.Duration) {
	r := t.run
	t.state, t.began = tunnelOpening, now
	r.opening++
	if err := t.dial(); err != nil {
		t.stopped(now, cause{"opening a socket", err.Error()})
		return
	}
	id := r.newTunnelID()
	t.core = l2tp.Initiate(t.settings, id)
	r.byID[id] = t
	r.step(t, l2tp.Open{})
}

// dial gives the tunnel its socket.
func (t *tunnel) dial() (err error) {
	r, local := t.run, t.local()
	t.peer = r.cfg.Target
	if local.Port() == 0 {
		t.conn, err = r.network.Dial(local, r.cfg.Target, r.mail.put)
		return err
	}
	l := r.lines[local.Addr()]
	if l == nil {
		conn, err := r.network.Dial(local, r.cfg.Target, r.mail.put)
		if err != nil {
			return err
		}
		l = &line{conn: conn}
		r.lines[local.Addr()] = l
	}
	l.users++
	l.opening = t
	t.conn, t.line = l.conn, l
	return nil
}

// step gives an event to the core and carries out what it says.
func (t *tunnel) step(now time.Time, ev l2tp.Event) {
	if t.core == nil {
		return
	}
	for _, a := range t.core.Step(now, ev) {
		t.act(now, a)
	}
	t.mark(t.core != nil && !t.core.Drained())
	t.run.deadlines.update(t)
}

// hear notes where the LNS's first message comes from: "the recipient picks a free port
// on its own system (which may or may not be 1701)".
// https://www.rfc-editor.org/rfc/rfc2661#section-8.1
func (t *tunnel) hear(from netip.AddrPort) {
	if t.state == tunnelOpening {
		t.peer = from
	}
}

func (t *tunnel) mark(busy bool) {
	if busy != t.busy {
		t.busy = busy
		if busy {
			t.run.busy++
		} else {
			t.run.busy--
		}
	}
}

func (t *tunnel) act(now time.Time, a l2tp.Action) {
	at := t.run.since(now)
	switch a := a.(type) {
	case l2tp.Send:
		t.send(at, a)
	case l2tp.Established:
		t.established(at)
	case l2tp.CallAnswered:
		if s := t.sessions[a.Session]; s != nil {
			t.run.step(t, l2tp.CallConnected{
				Session: a.Session, Call: t.run.cfg.call(int(s.number)),
			})
		}
	case l2tp.SessionUp:
		if s := t.sessions[a.Session]; s != nil {
			s.connected(at, a.PeerSession)
		}
	case l2tp.SessionDown:
		if s := t.sessions[a.Session]; s != nil {
			s.disconnected(at, a.End)
		}
	case l2tp.Stopped:
		t.stopped(at, tunnelCause(a.End))
	case l2tp.Finished:
		t.discard()
	}
}

// send sends a control message.
func (t *tunnel) send(now time.Duration, a l2tp.Send) {
	count := &t.run.tally
	count.controlSent++
	if a.Again {
		count.againL2TP++
	}
	if t.conn.Send(t.peer, a.Data) != nil {
		count.sendErrors++
	}
	if s := t.sessions[a.Session]; s != nil && s.state == queued {
		s.asked(now)
	}
}

func (t *tunnel) established(now time.Duration) {
	r := t.run
	t.leaveOpening()
	t.state = tunnelUp
	r.tally.tunnelsCameUp++
	r.tally.tunnelsUp++
	r.tally.tunnelsMostUp = max(r.tally.tunnelsMostUp, r.tally.tunnelsUp)
	r.tally.timed(PhaseTunnel, now-t.began)
	r.makeReady(t)
}

// leaveOpening counts the tunnel as opening no more.
func (t *tunnel) leaveOpening() {
	if t.state != tunnelOpening {
		return
	}
	t.run.opening--
	if t.line != nil && t.line.opening == t {
		t.line.opening = nil
	}
}

// stopped counts the end of an attempt. Its sessions have ended before.
func (t *tunnel) stopped(now time.Duration, why cause) {
	r := t.run
	t.leaveOpening()
	wasUp := t.state == tunnelUp
	if wasUp {
		r.tally.tunnelsUp--
	}
	t.state = tunnelDown
	switch {
	case r.isEnding():
		return
	case wasUp:
		r.tally.tunnelsLost++
		r.tally.drops.add(PhaseTunnel, why)
	default:
		r.tally.tunnelsFailed++
		r.tally.failures.add(PhaseTunnel, why)
	}
	if r.cfg.Churn {
		t.again = now + retryDelay
		r.deadlines.update(t)
		return
	}
	for s, ok := t.waiting.pop(); ok; s, ok = t.waiting.pop() {
		s.giveUpWaiting(now, wasUp)
	}
}

// discard forgets the attempt and closes its socket.
func (t *tunnel) discard() {
	if t.core != nil {
		delete(t.run.byID, t.core.ID())
		t.core = nil
	}
	t.mark(false)
	t.hangUpSocket()
	t.run.deadlines.update(t)
}

func (t *tunnel) hangUpSocket() {
	conn, l := t.conn, t.line
	t.conn, t.line = nil, nil
	if l != nil {
		if l.users--; l.users > 0 {
			return
		}
		delete(t.run.lines, t.local().Addr())
	}
	if conn != nil {
		conn.Close() // nothing depends on it any more
	}
}
