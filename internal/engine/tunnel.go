package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// A tunnel is one control connection: its core, its socket and its sessions.
// Its shard owns it.
type tunnel struct {
	shard *shard
	core  *l2tp.Tunnel
	place slot
	jobs  jobs
	kept  kept
	queue keptQueue // what the journal has of what waits to be sent

	settings *tunnelSettings
	byPeer   bool    // it was opened by the peer
	dialer   *dialer // what commands say of it; nil if the peer opened it and none did
	peer     netip.AddrPort
	first    first // the SCCRQ, if the peer opened it
	refused  bool  // with a StopCCN
	half     halfOpen
	unheard  bool // it began in a flood: until it is established nobody is told of it

	path     dataplane.Tunnel // nil until open
	answer   func(b []byte)   // for a tunnel that has no path: it was refused, or is half open
	outbox   [][]byte         // what was to be sent before path was open
	attached bool             // the data plane takes sessions
	waiting  []func()         // what waits for that

	sessions      map[l2tp.SessionID]*session
	placing       placing
	pmtu          *pathMTU                        // nil: the path is not watched
	changed       map[l2tp.SessionID]*api.Session // what commands say of those that the peer began
	created       time.Time
	establishedAt time.Time
	closing       bool
	result        l2tp.Result // told to the peer once the sessions are gone
	closeBy       time.Time   // when it is told at the latest
	idleSince     time.Time   // when the last session went
	end           *l2tp.End   // why it ended, once Stopped
	finished      bool
	successor     *dialer // waits for the identifier
	told          told
}

// closeGrace is how long sessions may take to terminate PPP when their tunnel
// is closed.
const closeGrace = 3 * time.Second

// maxOutbox is how many messages wait for a socket that is being opened: one,
// and the acknowledgements of what an impatient peer repeats.
const maxOutbox = 8

func (s *shard) newTunnel(
	core *l2tp.Tunnel, settings *tunnelSettings, peer netip.AddrPort,
) *tunnel {
	t := &tunnel{
		shard:    s,
		core:     core,
		settings: settings,
		peer:     peer,
		sessions: make(map[l2tp.SessionID]*session),
		created:  time.Now(),
	}
	s.tunnels[core.ID()] = t
	s.engine.registry.add(core.ID(), peer)
	return t
}

func (t *tunnel) slot() *slot { return &t.place }

// log logs with the tunnel's names.
func (t *tunnel) log() *slog.Logger {
	return t.shard.engine.log.With("tunnel", t.core.ID(), "peer", t.peer)
}

func (t *tunnel) deadline() time.Time {
	if t.finished {
		return time.Time{}
	}
	return earliest(t.core.Deadline(), t.closeBy, t.idleAt(), t.pathAt())
}

func (t *tunnel) tick(now time.Time) {
	if due(t.closeBy, now) {
		t.closeBy = time.Time{}
		t.traceTimer("its sessions took too long to end")
		t.shard.step(t, l2tp.Stop{Result: t.result})
	}
	if due(t.idleAt(), now) {
		t.traceTimer("idle_timeout is over")
		t.idleSince = time.Time{}
		t.close(now, l2tp.Result{Code: l2tp.StopGeneral, Message: "idle"})
	}
	if due(t.pathAt(), now) {
		t.lookAtPath(now)
	}
	t.shard.step(t, l2tp.Tick{})
}

// isFrom reports whether a message for the tunnel comes from its peer's host.
// The port may differ: a peer may answer from another one (RFC 2661, 8.1).
func (t *tunnel) isFrom(d dataplane.Datagram) bool {
	return d.Peer.Addr().Unmap() == t.peer.Addr().Unmap()
}

// step gives an event to the core and carries out what it says.
func (t *tunnel) step(now time.Time, ev l2tp.Event) {
	if t.finished {
		return
	}
	before, malformed := t.watch(ev), t.core.Malformed()
	actions := t.core.Step(now, ev)
	if m, ok := ev.(l2tp.MessageReceived); ok {
		t.shard.countReceived(m.Data, t.core.Malformed() != malformed)
	}
	t.traceStep(before, ev, actions)
	t.touchEvent(ev)
	for _, a := range actions {
		t.perform(now, a)
	}
	if t.touch(); !t.finished {
		t.shard.deadlines.update(t)
	}
	if t.end != nil {
		t.shard.tellIfGone() // the peer may just have acknowledged
	}
}

func (t *tunnel) perform(now time.Time, a l2tp.Action) {
	switch a := a.(type) {
	case l2tp.Send:
		if !a.Again {
			t.touchCall(a.Session) // the peer hears of it
		}
		t.traceSent(a)
		t.send(a.Data)
	case l2tp.Established:
		t.established(now)
	case l2tp.IncomingCall:
		t.incomingCall(now, a)
	case l2tp.CallTurnedDown:
		if a.Result.Code == l2tp.CDNNoFacilitiesForNow { // max_sessions of the tunnel
			t.shard.engine.total.tooManySessions.Add(1)
		}
		t.callRefused(a.Result)
	case l2tp.CallAnswered:
		t.touchCall(a.Session)
		t.callAnswered(now, a)
	case l2tp.SessionUp:
		if s := t.sessions[a.Session]; s != nil {
			s.callUp(now, a)
		}
	case l2tp.SessionDown:
		if s := t.sessions[a.Session]; s != nil {
			s.callDown(now, a.End)
		}
	case l2tp.LinkInfo, l2tp.ErrorsNotified:
		// A PPP of ours needs no ACCM, and the errors of a LAC's modem have no reader here.
	case l2tp.Stopped:
		t.stopped(now, a.End)
	case l2tp.Finished:
		t.finish()
	}
}

// send sends a control message, or keeps it until the socket is open.
func (t *tunnel) send(b []byte) {
	switch {
	case t.path != nil:
		t.shard.leaves(outgoing{tunnel: t, data: b})
		t.captured(trace.Sent, t.path.Local(), t.peer, b)
		t.shard.countSent(b)
	case t.answer != nil:
		t.answer(b)
		t.shard.countSent(b)
	case len(t.outbox) < maxOutbox:
		t.outbox = append(t.outbox, b)
	}
}

// spec is the socket that the tunnel wants.
func (t *tunnel) spec() dataplane.TunnelSpec {
	spec := dataplane.TunnelSpec{
		ID:            t.core.ID(),
		Local:         t.settings.local(),
		Peer:          t.peer,
		AnyPort:       !t.byPeer && t.settings.port == 0,
		NoUDPChecksum: !t.settings.UseUDPChecksums,
		DontFragment:  t.settings.DoPMTUDiscovery,
	}
	if spec.DontFragment {
		spec.TooLarge = t.tooLarge
	}
	return spec
}

// open opens the socket; then is called on the shard when that is done.
func (t *tunnel) open(then func()) {
	spec := t.spec()
	var path dataplane.Tunnel
	t.do("socket "+textOfTunnel(spec), job{
		run: func(ctx context.Context) (err error) {
			path, err = t.shard.engine.path.OpenTunnel(ctx, spec)
			return err
		},
		done: func(err error) {
			if err != nil {
				t.openFailed(err)
				return
			}
			t.path = path
			if t.finished { // it gave way, and leave has queued what closes the socket
				t.outbox = nil
				return
			}
			t.touch()
			for _, b := range t.outbox {
				t.send(b)
			}
			t.outbox = nil
			then()
		},
	})
}

// follow makes peer the other end if it answers our SCCRQ from another port
// than we asked at, and then calls then. While the socket is on its way somewhere else
// what comes from yet another port is lost, or a peer had any number of messages wait.
//
// "The recipient picks a free port on its own system (which may or may not be
// 1701), and sends its reply to the initiator's UDP port and address, setting its own
// source port to the free port it found."
// https://www.rfc-editor.org/rfc/rfc2661#section-8.1
func (t *tunnel) follow(peer netip.AddrPort, then func()) {
	if t.byPeer || peer == t.peer || t.core.State() != l2tp.TunnelWaitCtlReply {
		then()
		return
	}
	if t.jobs.pending() {
		return
	}
	t.shard.engine.registry.move(t.peer, peer)
	t.peer = peer
	t.do(fmt.Sprintf("socket follows the peer to %v", peer), job{
		run: func(ctx context.Context) error { return t.path.Reconnect(ctx, peer) },
		done: func(err error) {
			if err != nil {
				t.log().Warn("following the peer's port", "err", err)
			}
			then()
		},
	})
}

// openFailed ends a tunnel that has no socket: nothing can be told to the peer.
func (t *tunnel) openFailed(err error) {
	if t.shard.engine.mayLog(t.peer.Addr()) {
		t.log().Error("opening tunnel socket", "err", err)
	}
	t.answer, t.outbox = func([]byte) {}, nil
	t.shard.step(t, l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopGeneral, Message: err.Error()}})
}

// established makes the data plane ready for sessions and places the calls
// that wait.
func (t *tunnel) established(now time.Time) {
	t.establishedAt = now
	t.shard.halfOpen.remove(t)
	t.shard.engine.count.tunnelsEstablished.Add(1)
	t.shard.engine.total.tunnelsEstablished.Add(1)
	peer := t.core.Peer()
	t.log().Info("tunnel established", "peer_tunnel", peer.TunnelID, "host_name", peer.HostName)
	t.unheard = false
	t.tellCreated()
	t.tellUp()
	t.shard.engine.gate.prove(t.peer.Addr())
	if t.path == nil {
		t.answer = nil // what comes now waits for the socket: it is to be kept first
		t.open(func() {})
	}
	t.attach(peer.TunnelID)
	if t.dialer != nil {
		t.dialer.established(now)
	}
}

func (t *tunnel) attach(peer l2tp.TunnelID) {
	t.do(fmt.Sprintf("data tunnel, peer's tunnel %d", peer), job{
		run: func(ctx context.Context) error {
			if t.path == nil {
				return nil // openFailed ends the tunnel
			}
			return t.path.Attach(ctx, peer)
		},
		done: func(err error) {
			if err != nil {
				t.log().Error("creating data tunnel", "err", err)
				t.shard.step(t, l2tp.Stop{Result: l2tp.Result{Code: l2tp.StopError,
					Error: l2tp.ErrorResources, Message: "no data tunnel"}})
				return
			}
			if t.path == nil {
				return
			}
			t.attached = true
			t.touch()
			for _, f := range t.waiting {
				f()
			}
			t.waiting = nil
		},
	})
}

// reconfigure gives a running tunnel other settings: timers and limits hold
// at once, the MTU reaches the interfaces that are there, and checksums the socket.
func (t *tunnel) reconfigure(settings *tunnelSettings) {
	resize := settings.MTU != t.settings.MTU
	reopen := settings.UseUDPChecksums != t.settings.UseUDPChecksums
	t.settings = settings
	t.core.Reconfigure(settings.core)
	t.shard.deadlines.update(t)
	if reopen {
		t.modifyPath()
	}
	if !resize {
		return
	}
	for _, s := range t.sessions {
		if s.phase == up && s.link != nil {
			s.configure(s.warn("changing the MTU"))
		}
	}
}

// modifyPath changes the socket to what the tunnel wants now.
func (t *tunnel) modifyPath() {
	spec := t.spec()
	t.do("changing the tunnel's socket: "+textOfTunnel(spec), job{
		run: func(ctx context.Context) error {
			if t.path == nil {
				return nil // it was never opened
			}
			return t.path.Modify(ctx, spec)
		},
		done: func(err error) {
			if err != nil {
				t.log().Warn("changing UDP checksums", "err", err)
			}
		},
	})
}

// whenAttached calls f once sessions can be added.
func (t *tunnel) whenAttached(f func()) {
	if t.attached {
		f()
		return
	}
	t.waiting = append(t.waiting, f)
}
