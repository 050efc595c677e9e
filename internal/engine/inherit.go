package engine

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/event"
	"culvert/l2tp"
)

// An heir takes over, when the engine starts, what the last process has left. The
// loops do not run yet: whoever restores a shard's tunnels owns the shard.
type heir struct {
	engine   *Engine
	snapshot *config.Snapshot
	declared declared
	told     map[event.Subject]api.EventType

	tunnels, sessions   atomic.Int64 // taken over
	lostTunnels, hungUp atomic.Int64

	mu    sync.Mutex
	taken map[proto.Message]bool // which of the declared tunnels and sessions are there
	lost  []*tunnel              // tunnels whose peers are still to be told
}

// inherit takes over what the records tell of, as far as the data plane has it. What
// is only in one of the two is ended, and what is ended is said.
func (e *Engine) inherit(opts Options) *heir {
	began := time.Now()
	in, errs := readInheritance(opts.Kept)
	if opts.Journal != nil {
		in.addStale(opts.Journal.Stale())
	}
	for _, err := range errs {
		e.log.Error("taking over", "err", err)
	}
	snapshot := e.store.Snapshot()
	h := &heir{engine: e, snapshot: snapshot, declared: newDeclared(snapshot, in),
		told: e.events.Last(), taken: make(map[proto.Message]bool)}
	byShard := make([][]*inheritedTunnel, len(e.shards))
	for _, t := range in.tunnels {
		at := e.shardOf(t.Core.ID).index
		byShard[at] = append(byShard[at], t)
	}
	var restoring sync.WaitGroup
	for i, s := range e.shards {
		restoring.Go(func() {
			for _, t := range byShard[i] {
				h.takeTunnel(s, t)
			}
		})
	}
	restoring.Wait()
	h.finishStories()
	rest, err := e.path.DropRest(context.Background())
	if err != nil {
		e.log.Error("closing what nobody took over", "err", err)
	}
	for _, t := range h.lost {
		t.tellOfLoss() // now that the socket of before is closed
	}
	if len(opts.Kept) > 0 || len(rest) > 0 {
		e.log.Info("took over from the last process", "tunnels", h.tunnels.Load(),
			"sessions", h.sessions.Load(), "tunnels_ended", h.lostTunnels.Load(),
			"sessions_ended", h.hungUp.Load(), "not_known", len(rest), "took", time.Since(began))
	}
	for _, name := range rest {
		e.log.Debug("closed what nobody took over", "name", name)
	}
	return h
}

// take notes that what the configuration declares is there.
func (h *heir) take(object proto.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken[object] = true
}

// toldOf is what was told of a tunnel or session. An event is kept as it is told, a record
// only at the end of the turn, and of a call that is being answered not before its session is
// up: where there is one the event is right, and no other is told twice, or left out.
func (h *heir) toldOf(id l2tp.TunnelID, session l2tp.SessionID, recorded told) told {
	if last, ok := h.told[event.Subject{Tunnel: uint32(id), Session: uint32(session)}]; ok {
		return toldBy[last]
	}
	return recorded
}

// isTold reports whether the end was told of what is recorded as up: the last process was
// killed in between.
func isTold(is, recorded told) bool { return recorded&^is&toldUp != 0 }

// finishStories tells those who watch what has become of tunnels and sessions
// that the last process has told of and that are not there any more.
func (h *heir) finishStories() {
	for _, last := range h.engine.events.Unfinished() {
		t := h.engine.shardOf(l2tp.TunnelID(last.TunnelId)).tunnels[l2tp.TunnelID(last.TunnelId)]
		if t == nil || last.SessionId != 0 && t.sessions[l2tp.SessionID(last.SessionId)] == nil {
			h.engine.events.Finish(last, "the daemon was restarted")
		}
	}
}

// takeTunnel restores one tunnel with its sessions.
func (h *heir) takeTunnel(s *shard, in *inheritedTunnel) {
	t, err := h.restoreTunnel(s, in)
	if err != nil {
		h.lostTunnels.Add(1)
		h.hungUp.Add(int64(len(in.sessions)))
		h.engine.log.Error("tunnel cannot be taken over", "tunnel", in.Core.ID, "peer", in.Peer, "err", err)
		return
	}
	if in.doubt != nil {
		h.loseTunnel(t, in, in.doubt)
		return
	}
	path, err := h.engine.path.AdoptTunnel(context.Background(), t.adoptedSpec(in), in.adoptedPeer())
	if err != nil {
		h.loseTunnel(t, in, err)
		return
	}
	t.path = path
	h.tunnels.Add(1)
	if t.attached = in.Attached; !t.attached {
		// To attach replaces the socket, which waits for who reads it; and that one for us.
		s.mail.post(func() { t.attach(in.Core.Peer.TunnelID) })
	}
	for _, r := range in.sessions {
		h.takeSession(t, r)
	}
	if now := h.declared.tunnels[in.Dialer]; now != nil && t.dialer != nil {
		h.take(now)
	}
	h.endUnwanted(t, in)
	s.deadlines.update(t)
}

// endUnwanted ends a tunnel that was ending already, and one of ours that the
// configuration has no more.
func (h *heir) endUnwanted(t *tunnel, in *inheritedTunnel) {
	switch d := t.dialer; {
	case in.Closing, isTold(t.told, in.Told):
		t.shard.mail.post(func() {
			t.close(time.Now(), l2tp.Result{Code: l2tp.StopGeneral, Message: "closed"})
		})
	case d != nil && !d.adopted && !d.deleted && h.declared.lacks(in.Dialer, d.asked):
		t.shard.mail.post(func() { d.delete(time.Now(), "no longer configured") })
	}
}

// adoptedSpec is the socket as it was.
func (t *tunnel) adoptedSpec(in *inheritedTunnel) dataplane.TunnelSpec {
	spec := t.spec()
	spec.Local, spec.Peer, spec.AnyPort = in.Local, in.Peer, false
	return spec
}

// adoptedPeer is the tunnel that the data plane's leads to, if there is one.
func (in *inheritedTunnel) adoptedPeer() l2tp.TunnelID {
	if !in.Attached {
		return 0
	}
	return in.Core.Peer.TunnelID
}

// restoreTunnel makes the tunnel of its record, with the profiles as they are now. One of
// which it cannot be said any more what commands want of it is only to be closed.
func (h *heir) restoreTunnel(s *shard, in *inheritedTunnel) (*tunnel, error) {
	d, err := h.restoreDialer(s, in)
	if err != nil {
		h.engine.log.Warn("tunnel can only be closed", "tunnel", in.Core.ID, "peer", in.Peer, "err", err)
		in.Closing = true
	}
	resolved := h.snapshot.SelectPeer(in.Core.Peer.HostName, in.Peer).Tunnel
	if d != nil {
		resolved = d.resolved
	}
	settings := s.settings.tunnel(h.snapshot, resolved, in.Local)
	now := time.Now()
	age := h.engine.age(in.moment, now)
	core, err := l2tp.Restore(settings.core, now.Add(-age), in.complete())
	if err != nil {
		if d != nil {
			d.forget()
		}
		return nil, err
	}
	core.Resume(now)
	t := s.newTunnel(core, settings, in.Peer)
	t.byPeer, t.told = in.ByPeer, h.toldOf(in.Core.ID, 0, in.Told)
	t.created, t.establishedAt = in.retell(in.Created, now, age), in.retell(in.Established, now, age)
	t.idleSince = in.rebase(in.IdleSince, now, age)
	if t.byPeer {
		t.first = first{in.First.Peer, in.First.ID}
		s.firsts[t.first] = t
	}
	if d != nil {
		t.dialer, d.tunnel = d, t
	}
	h.engine.count.tunnels.Add(1)
	h.engine.count.tunnelsEstablished.Add(1)
	h.engine.gate.prove(t.peer.Addr())
	return t, nil
}

// complete is the core's snapshot with its sessions. A call whose session has no
// record has ended since.
func (in *inheritedTunnel) complete() l2tp.Snapshot {
	snap := in.Core
	known := make(map[l2tp.SessionID]bool)
	for _, r := range in.sessions {
		snap.Sessions = append(snap.Sessions, r.Core)
		known[r.Core.Session] = true
	}
	snap.Setups = nil
	for _, w := range in.Core.Setups {
		if known[w.Session] {
			snap.Setups = append(snap.Setups, w)
		}
	}
	return snap
}

// restoreDialer makes the dialer of a tunnel, if it had one, and makes it known.
func (h *heir) restoreDialer(s *shard, in *inheritedTunnel) (*dialer, error) {
	if in.Dialer == nil {
		return nil, nil
	}
	asked, err := in.Dialer.askedTunnel()
	if err != nil {
		return nil, err
	}
	if now := h.declared.tunnels[in.Dialer]; now != nil {
		asked = now
	}
	d := newDialer(s, asked, h.snapshot.SelectPeer(in.Core.Peer.HostName, in.Peer).Tunnel)
	d.adopted, d.deleted, d.attempts = in.Dialer.Adopted, in.Dialer.Deleted, in.Dialer.Attempts
	resolved, err := d.resolve(h.snapshot, asked, in.Peer.Addr())
	if err != nil {
		return nil, err
	}
	resolved.ConfigID = cmp.Or(resolved.ConfigID, in.Dialer.ConfigID)
	d.resolved = resolved
	if err := d.enlist(in); err != nil {
		return nil, err
	}
	return d, nil
}

// enlist makes the dialer known, unless it was deleted: then others may have its names.
func (d *dialer) enlist(in *inheritedTunnel) error {
	if d.deleted {
		return nil
	}
	enter := d.shard.engine.names.add
	if d.adopted {
		enter = d.shard.engine.names.addName
	}
	if err := enter(d); err != nil {
		return err
	}
	d.take(in.Core.ID)
	d.shard.dialers[d] = struct{}{}
	return nil
}

// loseTunnel ends a tunnel of which the data plane has nothing: from a new socket
// its peer is told, so that it need not find out by the silence.
func (h *heir) loseTunnel(t *tunnel, in *inheritedTunnel, cause error) {
	level := t.log().Error
	if errors.Is(cause, errors.ErrUnsupported) {
		level = t.log().Warn
	}
	level("tunnel cannot be taken over", "err", cause)
	h.lostTunnels.Add(1)
	h.hungUp.Add(int64(len(in.sessions)))
	for _, r := range in.sessions {
		h.restoreSession(t, r).phase = closing
	}
	t.closing, t.result = true, lostInARestart // its identifier is another's soon
	if d := t.dialer; d != nil {               // what the configuration declares begins anew
		d.deleted = true
		d.yield()
		d.shard.engine.names.remove(d)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost = append(h.lost, t)
}

// lostInARestart is what a peer is told of a tunnel that is lost.
var lostInARestart = l2tp.Result{Code: l2tp.StopError, Error: l2tp.ErrorResources,
	Message: "sessions lost in a restart"}

// tellOfLoss tells the peer of a tunnel that is lost.
func (t *tunnel) tellOfLoss() {
	t.open(func() { t.shard.step(t, l2tp.Stop{Result: t.result}) })
}
