package dataplane

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"

	"culvert/l2tp"
)

// adopted tells that one more of the socket's users has come, or will not. When
// all have, what was held is handed on, ahead of what came after it. fake.mu is held.
func (s *fakeSocket) adopted() {
	if s.kept--; s.kept == 0 {
		s.fake.requeue(s.held)
		s.held = nil
	}
}

// requeue queues what was held, at the time at which it was due. f.mu is held.
func (f *Fake) requeue(held []arrival) {
	f.queue.putBack(held...)
	f.look()
}

// AdoptTunnel takes over a tunnel that a killed fake had.
func (f *Fake) AdoptTunnel(ctx context.Context, spec TunnelSpec, peer l2tp.TunnelID) (Tunnel, error) {
	if err := f.before(ctx, OpAdoptTunnel, SessionKey{Tunnel: spec.ID}); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tunnels[spec.ID]
	switch {
	case f.closed:
		return nil, fmt.Errorf("adopt tunnel %d: %w", spec.ID, fs.ErrClosed)
	case t == nil || t.kept && !spec.mayBe(t.spec.Local, t.spec.Peer):
		return nil, fmt.Errorf("adopt tunnel %d: %w", spec.ID, fs.ErrNotExist)
	case !t.kept:
		return nil, fmt.Errorf("adopt tunnel %d: %w", spec.ID, fs.ErrExist)
	}
	t.kept, t.spec.TooLarge = false, spec.TooLarge
	if t.attached && t.peer != peer { // the earlier process had not noted it yet
		t.detach()
	}
	if t.socket != nil {
		t.socket.adopted()
	}
	return t, nil
}

// mayBe tells whether a socket with these addresses can be the one of the tunnel
// that spec was noted of.
func (s *TunnelSpec) mayBe(local, peer netip.AddrPort) bool {
	return s.Local == local && (s.Peer == peer || s.AnyPort)
}

// AdoptSession takes over a session that a killed fake had.
func (t *fakeTunnel) AdoptSession(ctx context.Context, spec SessionSpec, last Configured) (Session, error) {
	id := SessionKey{t.spec.ID, spec.Session}
	if err := t.fake.before(ctx, OpAdoptSession, id); err != nil {
		return nil, err
	}
	t.fake.mu.Lock()
	defer t.fake.mu.Unlock()
	s := t.sessions[spec.Session]
	switch {
	case t.closed:
		return nil, fmt.Errorf("adopt session %s: %w", id, fs.ErrClosed)
	case s == nil || s.kept && s.peer != spec.PeerSession:
		return nil, fmt.Errorf("adopt session %s: %w", id, fs.ErrNotExist)
	case !s.kept:
		return nil, fmt.Errorf("adopt session %s: %w", id, fs.ErrExist)
	}
	s.kept = false
	if last.Link == nil {
		s.link = nil
	}
	held := t.fake.held[id]
	delete(t.fake.held, id)
	t.fake.requeue(held)
	return s, nil
}

// DropRest closes what nobody adopted.
func (f *Fake) DropRest(ctx context.Context) (keys []string, err error) {
	if err := f.before(ctx, OpDropRest, SessionKey{}); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tunnels {
		for _, s := range t.sessions {
			keys = append(keys, s.drop()...)
		}
		if t.kept {
			keys = append(keys, tunnelKey(t.spec.ID))
			t.close()
		}
	}
	for k, s := range f.sockets {
		if s.tunnels == 0 && s.kept > 0 {
			keys = append(keys, listenerKey(k.local))
			delete(f.sockets, k)
		}
	}
	return sortedKeys(keys), nil
}

// drop closes the session if nobody adopted it, and returns the keys of what it
// was. fake.mu is held.
func (s *fakeSession) drop() (keys []string) {
	if !s.kept {
		return nil
	}
	keys = append(keys, sessionKey(s.key()))
	if s.link != nil {
		keys = append(keys, unitKey(s.key(), s.link.Name))
	}
	s.close()
	return keys
}

// HandOver does nothing: what plays the keeper never begins anew.
func (f *Fake) HandOver() {}
