package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/l2tp"
)

// A dialer is a tunnel that we were asked to have. It opens the tunnel, again
// and again if it is to persist, and places the calls in it. It belongs to one shard.
//
// A tunnel that its peer opened gets one as well when a command changes it or
// creates a session in it. That one never dials.
type dialer struct {
	shard  *shard
	place  slot
	jobs   jobs
	asked  *api.Tunnel // as the command said
	tunnel *tunnel     // the attempt that runs, or nil
	id     l2tp.TunnelID

	adopted  bool   // the peer opened the tunnel
	configID uint16 // no other tunnel that leads there has it
	leadsTo  string // where, as it was said

	calls     []*call // in no order
	callNames map[string]*call
	callIDs   map[l2tp.SessionID]*call // by the identifier asked for

	resolved config.Tunnel // for the attempt that runs, or the last
	attempts uint64
	retry    backoff
	deleted  bool
	cause    string // why the last attempt ended
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

func (d *dialer) deadline() time.Time { return d.retry.at }

func (d *dialer) tick(now time.Time) {
	if d.retry.take(now) {
		d.dial(now)
	}
}

// adopt makes a dialer for a tunnel that its peer opened.
func (t *tunnel) adopt() *dialer {
	d := newDialer(t.shard, &api.Tunnel{}, t.settings.resolved)
	d.adopted, d.tunnel, t.dialer = true, t, d
	d.take(t.core.ID())
	t.shard.dialers[d] = struct{}{}
	t.touch()
	return d
}

func newDialer(s *shard, asked *api.Tunnel, resolved config.Tunnel) *dialer {
	return &dialer{
		shard:     s,
		asked:     asked,
		resolved:  resolved,
		callNames: make(map[string]*call),
		callIDs:   make(map[l2tp.SessionID]*call),
	}
}

// persists reports whether the tunnel is opened again when it ends.
func (d *dialer) persists() bool {
	return d.resolved.Parameters.Persist && !d.adopted && !d.deleted &&
		!d.shard.engine.stopping.Load()
}

// isUp reports whether calls can be placed. A tunnel that is ending tells of
// its calls first.
func (d *dialer) isUp() bool {
	t := d.tunnel
	return t != nil && t.core.State() == l2tp.TunnelEstablished && !t.closing && t.end == nil
}

// take makes id the identifier of the tunnel that is there or comes next, and
// keeps others from it.
func (d *dialer) take(id l2tp.TunnelID) {
	d.yield()
	if d.id = id; id != 0 {
		d.shard.wanted[id] = d
	}
}

// yield gives the identifier up.
func (d *dialer) yield() {
	if d.shard.wanted[d.id] == d {
		delete(d.shard.wanted, d.id)
	}
}

// isTaken reports whether an identifier is somebody's. One whose tunnel ends for
// good is its successor's already, which waits for that, see dial.
func (s *shard) isTaken(id l2tp.TunnelID) bool {
	t := s.tunnels[id]
	ends := t != nil && (t.closing || t.end != nil) && (t.dialer == nil || t.dialer.deleted)
	return s.wanted[id] != nil || t != nil && !ends
}

// dial begins an attempt: the profiles are read anew, and so is the name. It waits
// for a tunnel that still has the identifier.
func (d *dialer) dial(now time.Time) {
	if last := d.shard.tunnels[d.id]; d.id != 0 && last != nil {
		last.successor = d
		return
	}
	e := d.shard.engine
	snapshot := e.store.Snapshot()
	resolved, err := d.resolve(snapshot, d.asked, netip.Addr{})
	if err == nil {
		err = e.mayOpen(snapshot.System())
	}
	if err != nil {
		d.failed(now, err)
		return
	}
	d.resolved = resolved
	d.attempts++
	var peer netip.Addr
	d.shard.do(&d.jobs, job{
		foreign: true,
		run: func(ctx context.Context) (err error) {
			peer, err = e.find(ctx, resolved)
			return err
		},
		done: func(err error) { d.found(snapshot, peer, err) },
	})
}

// resolve says what the tunnel is to be like. What that is may depend on the
// peer's address, which is known late if the peer has a name.
func (d *dialer) resolve(
	snapshot *config.Snapshot, asked *api.Tunnel, peer netip.Addr,
) (config.Tunnel, error) {
	if peer.IsValid() {
		asked = proto.CloneOf(asked)
		asked.DestIpaddr = new(peer.String())
	}
	if d.adopted {
		d.inherit(snapshot, asked)
	}
	return snapshot.ResolveTunnel(asked)
}

// inherit says of a tunnel that its peer opened which profiles it was found to
// have, as far as they are still there.
func (d *dialer) inherit(snapshot *config.Snapshot, asked *api.Tunnel) {
	profile := &api.TunnelProfile{ProfileName: &d.resolved.Parameters.ProfileName}
	if _, there := snapshot.Object(profile); there {
		asked.ProfileName = profile.ProfileName
	}
	peer := &api.PeerProfile{ProfileName: &d.resolved.PeerProfileName}
	if _, there := snapshot.Object(peer); there && asked.PeerProfileName == nil {
		asked.PeerProfileName = peer.ProfileName
	}
}

// found goes on when the peer's address is known, or that it has none.
func (d *dialer) found(snapshot *config.Snapshot, peer netip.Addr, err error) {
	if d.deleted {
		d.forget()
		return
	}
	if err == nil && !d.resolved.Dest.Addr.IsValid() {
		d.resolved, err = d.resolve(snapshot, d.asked, peer)
	}
	if err != nil {
		d.failed(time.Now(), err)
		return
	}
	d.open(snapshot, netip.AddrPortFrom(peer, d.resolved.Parameters.PeerUDPPort))
}

// find finds the address of a tunnel's peer, of the family of our own address
// if that is given.
func (e *Engine) find(ctx context.Context, t config.Tunnel) (netip.Addr, error) {
	if t.Dest.Addr.IsValid() {
		return t.Dest.Addr, nil
	}
	network := "ip"
	switch src := t.Parameters.Src; {
	case src.Is4():
		network = "ip4"
	case src.Is6():
		network = "ip6"
	}
	addrs, err := e.lookUp(ctx, network, t.Dest.Name)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking up %s: %w", t.Dest.Name, err)
	}
	return addrs[0].Unmap(), nil
}

// open makes the tunnel and sends its SCCRQ.
func (d *dialer) open(snapshot *config.Snapshot, peer netip.AddrPort) {
	if d.id == 0 {
		d.take(d.shard.newTunnelID())
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
	d.shard.engine.ties.add(d, peer.Addr())
	t.enlist()
	t.log().Info("opening tunnel", "name", d.asked.GetTunnelName())
	t.traceBegin(d.asked.GetTunnelName(), fmt.Sprintf("opening tunnel %s to %v, attempt %d",
		d, peer, d.attempts))
	t.open(func() { d.shard.step(t, l2tp.Open{}) })
}

// ownPort is the port that a tunnel of ours has: the usual one stands for the
// daemon's own, on which a peer that calls back finds us.
func (e *Engine) ownPort(port uint16) uint16 {
	if port != UsualPort || len(e.listeners) == 0 {
		return port
	}
	for _, l := range e.listeners {
		if l.Addr().Port() == port {
			return port
		}
	}
	return e.listeners[0].Addr().Port()
}

// UsualPort is L2TP's (RFC 2661, 8.1).
const UsualPort = 1701

// established places the calls that were asked for.
func (d *dialer) established(now time.Time) {
	d.shard.engine.ties.remove(d, d.tunnel.peer.Addr())
	for _, c := range slices.Clone(d.calls) {
		c.placeCall(now)
	}
}

// tunnelEnded tries again later, or forgets the dialer.
//
// Waits grow until an attempt leads to a network or lasts: a peer that takes
// every tunnel and ends it at once is not to be asked every second.
func (d *dialer) tunnelEnded(now time.Time, end l2tp.End) {
	d.shard.engine.ties.remove(d, d.tunnel.peer.Addr())
	if up := d.tunnel.establishedAt; !up.IsZero() &&
		now.Sub(up) >= d.resolved.Parameters.PersistMaxDelay {
		d.retry.delay = 0
	}
	for _, c := range d.calls {
		c.retry.at = time.Time{}
		d.shard.deadlines.remove(c)
	}
	d.tunnel = nil
	if d.adopted || d.deleted {
		d.forget()
		return
	}
	d.take(d.nextID())
	d.failed(now, errors.New(end.Result.StopString()))
}

// nextID is the next tunnel's identifier: another one if it does not matter.
func (d *dialer) nextID() l2tp.TunnelID {
	if id := d.asked.GetTunnelId(); id != 0 {
		return l2tp.TunnelID(id)
	}
	return d.shard.newTunnelID()
}

// failed schedules the next attempt of a persistent tunnel, or forgets it.
func (d *dialer) failed(now time.Time, err error) {
	p := d.resolved.Parameters
	if !d.persists() {
		if !d.deleted {
			d.shard.engine.log.Warn("tunnel given up", "name", d.asked.GetTunnelName(), "cause", err)
		}
		d.forget()
		return
	}
	d.cause = err.Error()
	d.retry.schedule(now, p.PersistDelay, p.PersistMaxDelay)
	d.shard.engine.log.Warn("tunnel to be tried again", "name", d.asked.GetTunnelName(),
		"again_in", d.retry.delay, "cause", err)
	d.traceRetry(err)
	d.shard.deadlines.update(d)
}

// forget takes the dialer off the shard; its tunnel may linger.
func (d *dialer) forget() {
	d.deleted, d.retry.at = true, time.Time{}
	d.shard.deadlines.remove(d)
	d.yield()
	delete(d.shard.dialers, d)
	d.shard.engine.names.remove(d)
}

// isForgotten reports whether nothing is left of the tunnel.
func (d *dialer) isForgotten() bool { return d.deleted && d.tunnel == nil }

// delete ends the tunnel for good.
func (d *dialer) delete(now time.Time, reason string) {
	if d.tunnel == nil {
		d.forget() // a look-up that runs finds it deleted
		return
	}
	d.deleted = true
	d.tunnel.touch()
	d.yield()
	d.shard.engine.names.remove(d)
	d.tunnel.close(now, l2tp.Result{Code: l2tp.StopGeneral, Message: reason})
}
