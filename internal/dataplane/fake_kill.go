package dataplane

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"culvert/l2tp"
)

// FakeRemains are what is left of a host when its [Fake] is killed: sockets,
// tunnels, sessions and interfaces, as kernel and keeper would hold them. What
// arrives meanwhile waits, in order, for the fake that takes them over by
// [FakeOptions].
type FakeRemains struct {
	wire  *Wire
	addrs []netip.Addr

	mu      sync.Mutex // guards what follows
	heir    *Fake      // has taken over
	lost    bool
	began   time.Time
	queue   arrivals
	port    uint16
	sockets map[sockKey]*fakeSocket
	tunnels map[l2tp.TunnelID]*fakeTunnel
}

// Kill ends the fake as kill -9 ends a process: when it returns the handler is
// not called any more, and nothing that is called has an effect. So it must not be
// called by the handler. Killing again returns the same remains.
func (f *Fake) Kill() *FakeRemains {
	f.mu.Lock()
	first := !f.closed
	if first {
		f.closed = true
		f.left = f.leave()
	}
	left := f.left
	f.mu.Unlock()
	if first {
		f.wire.join(left, f.addrs)
		close(f.done)
	}
	<-f.stopped
	return left
}

// Abandon leaves everything to the next fake, as Kill does. Remains has it.
func (f *Fake) Abandon() error {
	f.Kill()
	return nil
}

// Remains returns what Kill or Abandon left, nil before them.
func (f *Fake) Remains() *FakeRemains {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left
}

// leave moves all that the fake has into remains. What it has told others about is dead
// from then on: they are copies that live on. f.mu is held.
func (f *Fake) leave() *FakeRemains {
	r := &FakeRemains{
		wire: f.wire, addrs: f.addrs, began: f.began, port: f.port, queue: arrivals{last: f.queue.last},
		sockets: make(map[sockKey]*fakeSocket, len(f.sockets)),
		tunnels: make(map[l2tp.TunnelID]*fakeTunnel, len(f.tunnels)),
	}
	for k, s := range f.sockets {
		r.sockets[k] = &fakeSocket{key: k, tunnels: s.tunnels, owner: s.owner, kept: max(1, s.tunnels)}
		r.queue.putBack(s.held...)
	}
	for id, t := range f.tunnels {
		r.tunnels[id] = t.bequeath(r.sockets)
	}
	for _, held := range f.held {
		r.queue.putBack(held...)
	}
	for _, a := range f.queue.heap {
		if a.call == nil { // calls were the dead process's own
			r.queue.putBack(a)
		}
	}
	f.queue, f.held = arrivals{}, nil
	clear(f.sockets)
	clear(f.tunnels)
	return r
}

// bequeath returns a copy of the tunnel on the copy of its socket, and ends the
// original. fake.mu is held.
func (t *fakeTunnel) bequeath(sockets map[sockKey]*fakeSocket) *fakeTunnel {
	heir := *t
	heir.fake, heir.kept, heir.spec.TooLarge = nil, true, nil
	if t.socket != nil {
		heir.socket = sockets[t.socket.key]
	}
	heir.sessions = make(map[l2tp.SessionID]*fakeSession, len(t.sessions))
	for id, s := range t.sessions {
		copied := *s
		copied.tunnel, copied.kept = &heir, true
		heir.sessions[id] = &copied
		s.closed = true
	}
	t.closed, t.sessions = true, nil
	return &heir
}

// enqueue keeps what arrives for the one who comes next.
func (r *FakeRemains) enqueue(delay time.Duration, a arrival) {
	r.mu.Lock()
	heir := r.heir
	if heir == nil && !r.lost && a.call == nil {
		r.queue.put(delay, a)
	}
	r.mu.Unlock()
	if heir != nil {
		heir.enqueue(delay, a)
	}
}

// take puts back what the fake had begun to deal with when it was killed.
func (r *FakeRemains) take(a arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue.putBack(a)
}

// Lose is the keeper's end too: everything is closed, and what has arrived is lost.
// It has no effect once a fake has taken the remains over.
func (r *FakeRemains) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heir != nil {
		return
	}
	r.lost, r.queue = true, arrivals{}
	clear(r.sockets)
	clear(r.tunnels)
}

// LoseInterface takes a session's interface alone, as with a keeper that has begun anew and
// was not given it before the process died.
func (r *FakeRemains) LoseInterface(id SessionKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tunnels[id.Tunnel].sessions[id.Session].link = nil
}

// pass hands everything to f, which nobody else knows yet.
func (r *FakeRemains) pass(f *Fake) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heir != nil {
		panic("dataplane: remains of a fake are taken over twice")
	}
	r.heir = f
	f.began, f.queue, f.port = r.began, r.queue, r.port
	maps.Copy(f.sockets, r.sockets)
	maps.Copy(f.tunnels, r.tunnels)
	for _, s := range f.sockets {
		s.fake = f
	}
	for _, t := range f.tunnels {
		t.fake = f
	}
	r.queue, r.sockets, r.tunnels = arrivals{}, nil, nil
}
