package dataplane

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A userSession is a session whose data messages this process makes and reads.
type userSession struct {
	tunnel *userTunnel
	socket *userSocket // the tunnel's, which cannot change while there are sessions
	key    SessionKey
	peer   dataHeader // of the messages that we send, without numbers
	count  liveCounters

	link   atomic.Pointer[LinkSpec] // nil before Configure and after Close
	closed atomic.Bool
	raw    bool

	// delivering is held while messages that were put in order are handed on, by
	// the poller or when the time of one is up, so that they stay so. It is taken
	// before mu.
	delivering sync.Mutex

	// numbered is whether messages without numbers need a look at order as well.
	numbered atomic.Bool
	mu       sync.Mutex // guards what follows
	order    sequencer
	reorder  *reorderQueue // nil: what comes late is dropped

	configuring sync.Mutex // held by Configure and Close
}

// newUserSession makes a session. plane.mu is held.
func newUserSession(t *userTunnel, spec SessionSpec) *userSession {
	s := &userSession{
		tunnel: t,
		socket: t.socket,
		key:    SessionKey{t.spec.ID, spec.Session},
		peer:   dataHeader{Tunnel: t.peer, Session: spec.PeerSession},
		order:  newSequencer(spec),
		raw:    spec.Raw,
	}
	s.setOrder(spec)
	return s
}

// setOrder takes what spec says about numbers. s.mu is held, or s is new.
func (s *userSession) setOrder(spec SessionSpec) {
	s.order.modify(spec)
	s.numbered.Store(!s.order.idle())
	switch {
	case spec.ReorderTimeout <= 0:
		s.reorder = nil
	case s.reorder == nil:
		s.reorder = &reorderQueue{timeout: spec.ReorderTimeout}
		s.reorder.timer = stoppedTimer(s.overdue)
	default:
		s.reorder.timeout = spec.ReorderTimeout
	}
}

// appendHeader begins the next data message.
func (s *userSession) appendHeader(b []byte) []byte {
	h := s.peer
	if s.numbered.Load() {
		s.mu.Lock()
		s.order.number(&h)
		s.mu.Unlock()
	}
	return appendDataHeader(b, h)
}

// Send sends a PPP control frame.
func (s *userSession) Send(frame []byte) error {
	if s.closed.Load() {
		return fmt.Errorf("send on session %s: %w", s.key, fs.ErrClosed)
	}
	if s.raw {
		return fmt.Errorf("send on session %s: %w", s.key, errRaw)
	}
	b := s.appendHeader(make([]byte, 0, maxDataHeader+len(frame)))
	return s.socket.Socket.Send(appendFrame(b, frame))
}

// input takes a data message. payload is not kept.
func (s *userSession) input(h dataHeader, payload []byte) {
	if !h.HasSequence && !s.numbered.Load() {
		s.receive(payload)
		return
	}
	if h.HasSequence && s.reorders() {
		s.inOrder(h, payload)
		return
	}
	s.mu.Lock()
	j := s.order.judge(h)
	s.numbered.Store(!s.order.idle())
	s.mu.Unlock()
	if j.count(&s.count) {
		s.receive(payload)
	}
}

func (s *userSession) reorders() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reorder != nil
}

// inOrder hands on what a numbered message lets go on.
func (s *userSession) inOrder(h dataHeader, payload []byte) {
	s.deliver(func(now time.Time, r *reorderQueue) [][]byte {
		return r.accept(now, &s.order, &s.count, h, payload)
	})
}

// overdue hands on what has waited long enough. The timer calls it.
func (s *userSession) overdue() {
	s.deliver(func(now time.Time, r *reorderQueue) [][]byte {
		return r.expire(now, &s.order, &s.count, nil)
	})
}

// deliver hands on what f takes out of the queue, if there is one.
func (s *userSession) deliver(f func(time.Time, *reorderQueue) [][]byte) {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	s.mu.Lock()
	var ready [][]byte
	if r := s.reorder; r != nil {
		now := time.Now()
		ready = f(now, r)
		r.arm(now)
		s.numbered.Store(!s.order.idle())
	}
	s.mu.Unlock()
	for _, p := range ready {
		s.receive(p)
	}
}

// endReorder drops what is held. When it returns, nothing of it is being handed on.
func (s *userSession) endReorder() {
	s.mu.Lock()
	if s.reorder != nil {
		s.reorder.timer.Stop()
		s.reorder = nil
	}
	s.mu.Unlock()
	s.delivering.Lock()
	defer s.delivering.Unlock()
}

// receive takes a PPP frame in its order.
func (s *userSession) receive(payload []byte) {
	protocol, information, ok := splitFrame(payload)
	switch {
	case !ok:
		s.count.rxErrors.Add(1)
	case protocol != protocolIPv4 && protocol != protocolIPv6:
		frame := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(information)), protocol)
		s.tunnel.plane.handler.FrameReceived(s.key, append(frame, information...))
	case !s.link.Load().isOpen(protocol):
		s.count.rxDropped.Add(1)
	default:
		s.tunnel.plane.network.receive(s, protocol, information)
	}
}

// Configure brings the session's link to the state that spec describes.
func (s *userSession) Configure(ctx context.Context, spec LinkSpec) error {
	s.configuring.Lock()
	defer s.configuring.Unlock()
	old := s.link.Load()
	err := spec.check(old)
	switch {
	case s.closed.Load():
		err = fs.ErrClosed
	case s.raw:
		err = errRaw
	}
	if err != nil {
		return fmt.Errorf("configure session %s: %w", s.key, err)
	}
	spec.Routes = slices.Clone(spec.Routes)
	spec.IPv6 = PointToPoint{spec.IPv6.Local.WithZone(""), spec.IPv6.Peer.WithZone("")}
	err = s.tunnel.plane.network.configure(ctx, s, old, &spec)
	if err != nil && !errors.Is(err, ErrNoProxyARP) {
		s.link.Store(nil)
		return fmt.Errorf("configure session %s: %w", s.key, err)
	}
	if old == nil {
		s.count.touch()
	}
	s.link.Store(&spec)
	if err != nil {
		return fmt.Errorf("configure session %s: %w", s.key, err)
	}
	return nil
}

// Modify changes sequencing.
func (s *userSession) Modify(ctx context.Context, spec SessionSpec) error {
	if s.closed.Load() {
		return fmt.Errorf("modify session %s: %w", s.key, fs.ErrClosed)
	}
	s.deliver(func(_ time.Time, r *reorderQueue) [][]byte {
		return r.flush(&s.order, &s.count)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil
	}
	s.setOrder(spec)
	return nil
}

// Interface returns the name last configured.
func (s *userSession) Interface() string {
	if l := s.link.Load(); l != nil {
		return s.tunnel.plane.network.name(l.Name)
	}
	return ""
}

// Counters returns the session's counters, also those of a closed one.
func (s *userSession) Counters(ctx context.Context) (Counters, error) {
	return s.count.load(), ctx.Err()
}

// Idle returns for how long no network packet has gone.
func (s *userSession) Idle(ctx context.Context) (time.Duration, error) {
	if s.link.Load() == nil {
		return 0, ctx.Err()
	}
	return s.count.idle(), ctx.Err()
}

// Close closes the session and its link.
func (s *userSession) Close(ctx context.Context) error {
	if !s.closed.Swap(true) {
		s.tunnel.forget(s)
		s.endReorder()
	}
	s.configuring.Lock()
	defer s.configuring.Unlock()
	old := s.link.Load()
	if old == nil {
		return nil
	}
	if err := s.tunnel.plane.network.configure(ctx, s, old, nil); err != nil {
		return fmt.Errorf("close session %s: %w", s.key, err)
	}
	s.link.Store(nil)
	return nil
}

// forget takes a session out of the maps.
func (t *userTunnel) forget(s *userSession) {
	t.plane.mu.Lock()
	defer t.plane.mu.Unlock()
	if t.sessions[s.key.Session] == s {
		delete(t.sessions, s.key.Session)
	}
	if t.plane.sessions[s.key] == s {
		delete(t.plane.sessions, s.key)
	}
}
