package engine

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
	"culvert/l2tp"
)

// A dialer is a tunnel that we were asked to have. It opens the tunnel, again
// and again if it is to persist, and places the calls in it. It belongs to one shard.
type dialer struct {
	shard  *shard
	place  slot
	jobs   jobs
	asked  *api.Tunnel // as the command said
	tunnel *tunnel     // the attempt that runs, or nil
	id     l2tp.TunnelID
	calls  []*call

	resolved config.Tunnel // for the attempt that runs, or the last
	attempts uint64
	retry    backoff
	deleted  bool
	cause    string // why the last attempt ended
}

// A call is a session that we were asked to have in a dialer's tunnel.
type call struct {
	dialer   *dialer
	asked    *api.Session
	session  *session // the attempt that runs, or nil
	attempts uint64
	retry    backoff
	deleted  bool
	cause    string
}

// A backoff is the wait before a next attempt, doubled each time.
type backoff struct {
	delay time.Duration
	at    time.Time // zero: none is due
}

// schedule sets the time of the next attempt.
func (b *backoff) schedule(now time.Time, first, longest time.Duration) {
	b.delay = min(max(2*b.delay, first), longest)
	b.at = now.Add(b.delay)
}

// take reports whether the attempt is due, and unsets it if so.
func (b *backoff) take(now time.Time) bool {
	if !due(b.at, now) {
		return false
	}
	b.at = time.Time{}
	return true
}

func (d *dialer) slot() *slot { return &d.place }

func (d *dialer) deadline() time.Time {
	at := d.retry.at
	for _, c := range d.calls {
		at = earliest(at, c.retry.at)
	}
	return at
}

func (d *dialer) tick(now time.Time) {
	if d.retry.take(now) {
		d.dial(now)
	}
	for _, c := range d.calls {
		if c.retry.take(now) && d.isUp() {
			c.placeCall(now)
		}
	}
}

func (d *dialer) isUp() bool {
	t := d.tunnel
	return t != nil && !t.establishedAt.IsZero() && t.end == nil && !t.closing
}

// dial begins an attempt: the profiles are read anew, and so is the name.
func (d *dialer) dial(now time.Time) {
	snapshot := d.shard.engine.store.Snapshot()
	resolved, err := snapshot.ResolveTunnel(d.asked)
	if err != nil {
		d.failed(now, err)
		return
	}
	d.resolved = resolved
	d.attempts++
	var peer netip.Addr
	d.shard.do(&d.jobs, job{
		run: func(ctx context.Context) (err error) {
			peer, err = lookUp(ctx, resolved.Dest)
			return err
		},
		done: func(err error) {
			if d.deleted {
				d.forget()
				return
			}
			if err != nil {
				d.failed(time.Now(), err)
				return
			}
			d.open(snapshot, netip.AddrPortFrom(peer, resolved.Parameters.PeerUDPPort))
		},
	})
}

// lookUp finds the address of a tunnel's peer.
func lookUp(ctx context.Context, host config.Host) (netip.Addr, error) {
	if host.Addr.IsValid() {
		return host.Addr, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host.Name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking up %s: %w", host.Name, err)
	}
	return addrs[0].Unmap(), nil
}

// open makes the tunnel and sends its SCCRQ.
func (d *dialer) open(snapshot *config.Snapshot, peer netip.AddrPort) {
	if d.id == 0 {
		d.id = d.shard.newTunnelID()
	}
	if d.id == 0 || d.shard.tunnels[d.id] != nil {
		d.failed(time.Now(), fmt.Errorf("tunnel_id %d: its last tunnel still closes", d.id))
		return
	}
	p := d.resolved.Parameters
	settings := d.shard.settings.tunnel(snapshot, d.resolved,
		netip.AddrPortFrom(p.Src, d.shard.engine.ownPort(p.OurUDPPort)))
	t := d.shard.newTunnel(l2tp.Initiate(settings.core, d.id), settings, peer)
	t.dialer, d.tunnel = d, t
	t.log().Info("opening tunnel", "name", d.asked.GetTunnelName())
	t.open(func() { d.shard.step(t, l2tp.Open{}) })
}

// ownPort is the port that a tunnel of ours has: the usual one stands for the
// daemon's own, on which a peer that calls back finds us.
func (e *Engine) ownPort(port uint16) uint16 {
	if port != usualPort || len(e.listeners) == 0 {
		return port
	}
	for _, l := range e.listeners {
		if l.Addr().Port() == port {
			return port
		}
	}
	return e.listeners[0].Addr().Port()
}

// usualPort is L2TP's (RFC 2661, 8.1).
const usualPort = 1701

// established places the calls that were asked for.
func (d *dialer) established(now time.Time) {
	d.retry.delay = 0
	for _, c := range d.calls {
		c.placeCall(now)
	}
}

// tunnelEnded tries again later, or forgets the dialer.
func (d *dialer) tunnelEnded(now time.Time, end l2tp.End) {
	d.cause = end.Result.StopString()
	d.id = l2tp.TunnelID(d.asked.GetTunnelId()) // another one if it does not matter
	for _, c := range d.calls {
		c.retry.at = time.Time{}
	}
	d.tunnel = nil
	d.failed(now, fmt.Errorf("%s", d.cause))
}

// failed schedules the next attempt of a persistent tunnel, or forgets it.
func (d *dialer) failed(now time.Time, err error) {
	p := d.resolved.Parameters
	if d.deleted || !p.Persist || d.shard.engine.stopping.Load() {
		if !d.deleted {
			d.shard.engine.log.Warn("tunnel given up", "name", d.asked.GetTunnelName(), "cause", err)
		}
		d.forget()
		return
	}
	d.cause = err.Error()
	d.retry.schedule(now, p.PersistDelay, p.PersistMaxDelay)
	d.shard.engine.log.Warn("tunnel to be tried again", "name", d.asked.GetTunnelName(),
		"in", d.retry.delay, "cause", err)
	d.shard.deadlines.update(d)
}

// forget takes the dialer off the shard; its tunnel may linger.
func (d *dialer) forget() {
	d.deleted = true
	d.shard.deadlines.remove(d)
	for i, other := range d.shard.dialers {
		if other == d {
			d.shard.dialers = append(d.shard.dialers[:i], d.shard.dialers[i+1:]...)
			break
		}
	}
	d.shard.engine.names.remove(d)
}

// delete ends the tunnel for good.
func (d *dialer) delete(now time.Time, reason string) {
	d.deleted = true
	d.retry.at = time.Time{}
	if d.tunnel == nil {
		if !d.jobs.pending() {
			d.forget()
		}
		return
	}
	d.shard.engine.names.remove(d)
	d.tunnel.close(now, l2tp.Result{Code: l2tp.StopGeneral, Message: reason})
}

// placeCall begins an attempt to have a session.
func (c *call) placeCall(now time.Time) {
	if c.session != nil || c.deleted {
		return
	}
	t := c.dialer.tunnel
	snapshot := t.shard.engine.store.Snapshot()
	resolved, err := snapshot.ResolveSession(c.dialer.resolved, c.asked)
	if err != nil {
		c.failed(now, err.Error())
		return
	}
	id := l2tp.SessionID(resolved.ID)
	if id == 0 {
		id, _ = t.core.NewSessionID()
	}
	if id == 0 || t.sessions[id] != nil {
		c.failed(now, "no free Session ID")
		return
	}
	kind := l2tp.LACIncoming
	if resolved.Type == api.SessionType_SESSION_TYPE_LNOC {
		kind = l2tp.LNSOutgoing
	}
	s := t.newSession(now, id, kind)
	s.settings = t.shard.settings.session(snapshot, resolved, false)
	s.wanted, c.session = c, s
	c.attempts++
	t.shard.step(t, l2tp.PlaceCall{Session: id, Kind: kind, Call: s.settings.asCall()})
}

// up is called when the session carries a network.
func (c *call) up() { c.retry.delay = 0 }

// sessionEnded tries again later if the tunnel persists, or forgets the call.
func (c *call) sessionEnded(now time.Time) {
	cause := c.session.endText()
	c.session = nil
	c.failed(now, cause)
}

func (c *call) failed(now time.Time, cause string) {
	c.cause = cause
	p := c.dialer.resolved.Parameters
	if c.deleted || c.dialer.deleted || !p.Persist {
		c.forget()
		return
	}
	if c.dialer.isUp() {
		c.retry.schedule(now, p.PersistDelay, p.PersistMaxDelay)
		c.dialer.shard.engine.log.Warn("session to be tried again",
			"tunnel", c.dialer.asked.GetTunnelName(), "name", c.asked.GetSessionName(),
			"in", c.retry.delay, "cause", cause)
		c.dialer.shard.deadlines.update(c.dialer)
	}
}

// forget takes the call off its dialer.
func (c *call) forget() {
	c.deleted = true
	for i, other := range c.dialer.calls {
		if other == c {
			c.dialer.calls = append(c.dialer.calls[:i:i], c.dialer.calls[i+1:]...)
			return
		}
	}
}

// delete ends the session for good.
func (c *call) delete(now time.Time, reason string) {
	c.deleted = true
	if c.session == nil {
		c.forget()
		return
	}
	c.session.hangUp(now, reason)
}

// modify changes what a tunnel is to be like: what can be changed while it
// runs takes effect at once.
func (d *dialer) modify(now time.Time, change *api.Tunnel, unset []string) (*api.Tunnel, error) {
	asked := proto.CloneOf(d.asked)
	schema.Update(asked, change, unset)
	snapshot := d.shard.engine.store.Snapshot()
	resolved, err := snapshot.ResolveTunnel(asked)
	if err != nil {
		return nil, err
	}
	d.asked, d.resolved = asked, resolved
	if d.tunnel != nil {
		d.tunnel.reconfigure(d.shard.settings.tunnel(snapshot, resolved, d.tunnel.settings.local()))
	}
	return d.status(now), nil
}
