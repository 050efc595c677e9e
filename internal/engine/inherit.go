package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/l2tp"
	"culvert/ppp"
)

// An heir takes over, when the engine starts, what the last process has left. The
// loops do not run yet: whoever restores a shard's tunnels owns the shard.
type heir struct {
	engine   *Engine
	snapshot *config.Snapshot
	declared declared // by the configuration as it is now

	tunnels, sessions   atomic.Int64 // taken over
	lostTunnels, hungUp atomic.Int64

	mu    sync.Mutex
	taken map[string]bool // the declared tunnels and sessions that are there
}

// inherit takes over what the records tell of, as far as the data plane has it. What
// is only in one of the two is ended, and what is ended is said.
func (e *Engine) inherit(records journal.Records) *heir {
	began := time.Now()
	in, errs := readInheritance(records)
	for _, err := range errs {
		e.log.Error("taking over", "err", err)
	}
	snapshot := e.store.Snapshot()
	h := &heir{engine: e, snapshot: snapshot, declared: newDeclared(snapshot), taken: make(map[string]bool)}
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
	if len(records) > 0 || len(rest) > 0 {
		e.log.Info("took over from the last process", "tunnels", h.tunnels.Load(),
			"sessions", h.sessions.Load(), "tunnels_ended", h.lostTunnels.Load(),
			"sessions_ended", h.hungUp.Load(), "not_known", len(rest), "took", time.Since(began))
	}
	for _, name := range rest {
		e.log.Debug("closed what nobody took over", "name", name)
	}
	return h
}

// take notes that what the configuration declares under a key is there.
func (h *heir) take(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken[key] = true
}

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
	path, err := h.engine.path.AdoptTunnel(context.Background(), t.adoptedSpec(in), in.adoptedPeer())
	if err != nil {
		h.loseTunnel(t, in, err)
		return
	}
	t.path = path
	h.tunnels.Add(1)
	if t.attached = in.Attached; !t.attached {
		t.attach(in.Core.Peer.TunnelID)
	}
	for _, r := range in.sessions {
		h.takeSession(t, r)
	}
	if undone := t.dialer != nil && !t.dialer.adopted && !h.declared.has(t.dialer.asked); in.Closing || undone {
		s.mail.post(func() {
			t.close(time.Now(), l2tp.Result{Code: l2tp.StopGeneral, Message: "no longer configured"})
		})
	}
	s.deadlines.update(t)
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

// restoreTunnel makes the tunnel of its record, with the profiles as they are now.
func (h *heir) restoreTunnel(s *shard, in *inheritedTunnel) (*tunnel, error) {
	peer := h.snapshot.SelectPeer(in.Core.Peer.HostName, in.Peer)
	resolved := peer.Tunnel
	var d *dialer
	if in.Dialer != nil {
		var err error
		if d, err = h.restoreDialer(s, in); err != nil {
			return nil, err
		}
		if !d.adopted {
			resolved = d.resolved
		}
	}
	settings := s.settings.tunnel(h.snapshot, resolved, in.Local)
	core, err := l2tp.Restore(settings.core, in.At, in.complete())
	if err != nil {
		return nil, err
	}
	t := s.newTunnel(core, settings, in.Peer)
	t.byPeer, t.told = in.ByPeer, in.Told
	t.created, t.establishedAt, t.idleSince = in.Created, in.Established, in.IdleSince
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

// restoreDialer makes the dialer of a tunnel.
func (h *heir) restoreDialer(s *shard, in *inheritedTunnel) (*dialer, error) {
	asked, err := in.Dialer.askedTunnel()
	if err != nil {
		return nil, err
	}
	if now := h.declared.tunnels[keyOfTunnel(asked)]; now != nil && !in.Dialer.Adopted {
		asked = now
	}
	d := newDialer(s, asked, h.snapshot.SelectPeer(in.Core.Peer.HostName, in.Peer).Tunnel)
	d.adopted, d.attempts = in.Dialer.Adopted, in.Dialer.Attempts
	resolved, err := d.resolve(h.snapshot, asked, in.Peer.Addr())
	if err != nil {
		return nil, err
	}
	d.resolved = resolved
	if err := h.engine.names.add(d); err != nil {
		return nil, err
	}
	d.take(in.Core.ID)
	s.dialers[d] = struct{}{}
	h.take(keyOfTunnel(asked))
	return d, nil
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
		h.restoreSession(t, r)
	}
	t.peer = in.Peer
	t.open(func() {
		t.shard.step(t, l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopError,
			Error: l2tp.ErrorResources, Message: "sessions lost in a restart"}})
	})
}

// takeSession restores one session. One that was not up, and one that the data
// plane does not have, is hung up: its peer hears of it at once.
func (h *heir) takeSession(t *tunnel, r *sessionRecord) {
	s, undone := h.restoreSession(t, r)
	cause := "set-up interrupted by a restart"
	if r.Phase == up {
		err := s.adopt(r)
		if err == nil && undone == "" {
			h.sessions.Add(1)
			s.goOn(r)
			return
		}
		if cause = undone; err != nil {
			cause = "taking over: " + err.Error()
			s.log().Error("session cannot be taken over", "err", err)
		}
	}
	h.hungUp.Add(1)
	t.shard.mail.post(func() {
		s.cause = cause
		s.hangUpCall(l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "interrupted by a restart"})
	})
}

// restoreSession makes the session of its record, without its path and link. It
// says why the session should not be, if so.
func (h *heir) restoreSession(t *tunnel, r *sessionRecord) (s *session, undone string) {
	s = &session{
		tunnel: t, id: r.Core.Session, peerID: r.Core.PeerSession, kind: r.Core.Kind, phase: r.Phase,
		told: r.Told, created: r.Created, establishedAt: r.Established, endBy: r.EndBy, idleBy: r.IdleBy,
		call: r.Call,
	}
	s.settings = t.shard.settings.incoming(h.snapshot, t.settings, s.kind)
	t.sessions[s.id] = s
	h.engine.count.sessions.Add(1)
	if !s.establishedAt.IsZero() {
		h.engine.count.sessionsEstablished.Add(1)
	}
	if s.phase == up {
		s.wasUp = true
		h.engine.count.sessionsUp.Add(1)
	}
	if asked, err := askedSession(r.Changed); err == nil && r.Changed != nil {
		t.note(s.id, asked)
	}
	if r.Wanted != nil {
		undone = h.restoreCall(s, r.Wanted)
	}
	return s, undone
}

// restoreCall makes the call of a session that we were asked to have.
func (h *heir) restoreCall(s *session, r *callRecord) (undone string) {
	d := s.tunnel.dialer
	asked, err := askedSession(r.Asked)
	if err != nil || d == nil {
		return "nobody asks for the session any more"
	}
	now := h.declared.sessions[keyOfSession(asked)]
	switch {
	case now != nil:
		asked = now
	case !d.adopted:
		return "no longer configured"
	}
	resolved, err := h.snapshot.ResolveSession(d.resolved, asked)
	if err != nil {
		return err.Error()
	}
	c := &call{dialer: d, asked: asked, session: s, attempts: r.Attempts, limit: resolved.PPP.MaxFailureCount}
	c.enter()
	h.take(keyOfSession(asked))
	s.wanted = c
	s.settings = s.shard().settings.session(h.snapshot, resolved, false)
	return ""
}

// adopt takes over what the data plane and the pools have of the session, and
// restores its link.
func (s *session) adopt(r *sessionRecord) (err error) {
	s.network = r.Network.restore()
	s.reclaim()
	if s.path, err = s.tunnel.path.AdoptSession(context.Background(), r.Spec,
		dataplane.Configured{Link: r.Shape, Unsure: r.Shaping}); err != nil {
		s.path = nil
		return err
	}
	if r.Link == nil {
		return nil
	}
	now := time.Now()
	s.link, err = ppp.Restore(s.settings.linkConfig(s.call), now, r.Link.Later(now.Sub(r.At)))
	return err
}

func (r *networkRecord) restore() network {
	return network{user: r.User, pool: r.Pool, pooled: r.Pooled, chosen: true, chosenFor: r.ChosenFor,
		ready: true, open4: r.Open4, open6: r.Open6, addresses: r.Addresses, terms: r.Terms}
}

// reclaim takes the session's address out of its pool again. If the pool has
// changed so that it cannot, the session goes on with it all the same.
func (s *session) reclaim() {
	n := &s.network
	if n.pool == "" {
		return
	}
	if err := s.engine().pools.Claim(n.pool, n.pooled, n.user); err != nil {
		s.log().Warn("address of a session that goes on is not its pool's any more", "err", err)
		n.pool = ""
	}
}

// goOn does for a session that was taken over what only a loop may do.
func (s *session) goOn(r *sessionRecord) {
	s.shard().deadlines.update(s)
	s.shard().mail.post(func() {
		if r.Shaping {
			s.configure(s.warn("completing the interface"))
		}
		if r.Network.Resolving {
			s.useNameServers()
		}
		s.tunnel.watchPath(time.Now(), s)
	})
}

// declared is what the configuration declares, by what names it.
type declared struct {
	tunnels  map[string]*api.Tunnel
	sessions map[string]*api.Session
}

func newDeclared(snapshot *config.Snapshot) declared {
	d := declared{make(map[string]*api.Tunnel), make(map[string]*api.Session)}
	for _, t := range snapshot.Tunnels() {
		d.tunnels[keyOfTunnel(t)] = t
	}
	for _, s := range snapshot.Sessions() {
		d.sessions[keyOfSession(s)] = s
	}
	return d
}

func (d *declared) has(asked *api.Tunnel) bool { return d.tunnels[keyOfTunnel(asked)] != nil }

// keyOfTunnel names a tunnel of ours: by its name, or else by all that tells it
// from others.
func keyOfTunnel(t *api.Tunnel) string {
	if name := t.GetTunnelName(); name != "" {
		return name
	}
	return fmt.Sprintf("%d %s %d", t.GetTunnelId(), t.GetDestIpaddr(), t.GetConfigId())
}

// keyOfSession names a session of ours likewise.
func keyOfSession(s *api.Session) string {
	return fmt.Sprintf("%s %d %s %d", s.GetTunnelName(), s.GetTunnelId(), s.GetSessionName(), s.GetSessionId())
}
