package dataplane

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"culvert/l2tp"
)

// A fakeSession is guarded by its fake's mutex. Engines are measured with
// 100,000 of them, so the record is small.
type fakeSession struct {
	tunnel   *fakeTunnel
	link     *LinkSpec     // nil before Configure
	last     time.Duration // when the last packet went, or the link was made; since fake.began
	count    Counters
	id, peer l2tp.SessionID
	order    sequencer
	reorder  uint16 // ms
	closed   bool
	raw      bool
	kept     bool // from an earlier process, and not adopted yet
}

func (s *fakeSession) key() SessionKey { return SessionKey{s.tunnel.spec.ID, s.id} }

// Send sends a PPP control frame to the peer's session.
func (s *fakeSession) Send(frame []byte) error {
	f := s.tunnel.fake
	if respond := f.opts.Respond; respond != nil {
		return s.respond(respond, frame)
	}
	f.mu.Lock()
	b, err := s.encode(frame)
	spec := s.tunnel.spec
	f.mu.Unlock()
	if err != nil {
		return fmt.Errorf("send on session %s: %w", s.key(), err)
	}
	return f.transmit(spec, b)
}

// encode makes the data message for a frame. fake.mu is held.
func (s *fakeSession) encode(frame []byte) ([]byte, error) {
	if s.closed {
		return nil, fs.ErrClosed
	}
	if s.raw {
		return nil, errRaw
	}
	h := dataHeader{Tunnel: s.tunnel.peer, Session: s.peer}
	s.order.number(&h)
	b := appendDataHeader(make([]byte, 0, maxDataHeader+len(frame)), h)
	return appendFrame(b, frame), nil
}

// respond gives the frame to the test's responder and its answer to the handler.
func (s *fakeSession) respond(f func(SessionKey, []byte) []byte, frame []byte) error {
	fake, key := s.tunnel.fake, s.key()
	fake.mu.Lock()
	closed := s.closed
	fake.mu.Unlock()
	if closed {
		return fmt.Errorf("send on session %s: %w", key, fs.ErrClosed)
	}
	answer := f(key, frame)
	if answer == nil {
		return nil
	}
	fake.enqueue(0, arrival{session: key, data: answer})
	return nil
}

// receiveFrame hands a responder's frame to the handler.
func (f *Fake) receiveFrame(a arrival) {
	if !f.lockFor(a) {
		return
	}
	s := f.session(a.session)
	if s != nil && s.kept {
		f.held[a.session] = append(f.held[a.session], a)
		s = nil
	}
	f.mu.Unlock()
	if s != nil {
		f.handler.FrameReceived(a.session, a.data)
	}
}

// session returns a session, or nil. f.mu is held.
func (f *Fake) session(id SessionKey) *fakeSession {
	if t := f.tunnels[id.Tunnel]; t != nil {
		return t.sessions[id.Session]
	}
	return nil
}

// input finds the session of a data message and returns what is to be called with
// it, nil if the message is the handler's. f.mu is held.
func (f *Fake) input(from *fakeSocket, a arrival) func() {
	if isControl(a.data) {
		return nil
	}
	h, payload, err := parseData(a.data)
	if err != nil {
		return nil
	}
	t := f.tunnels[h.Tunnel]
	if t == nil || t.socket != from || !t.attached || t.sessions[h.Session] == nil {
		return nil
	}
	s := t.sessions[h.Session]
	j := s.order.judge(h)
	s.count.RxOutOfSequence += uint64(j.missing)
	if j.late {
		s.count.RxOutOfSequence++
	}
	if j.drop {
		s.count.RxDropped++
		return func() {}
	}
	return s.deliver(payload, a)
}

// deliver returns what is to be called with a PPP frame, which came in a. fake.mu is held.
func (s *fakeSession) deliver(payload []byte, a arrival) func() {
	f, key := s.tunnel.fake, s.key()
	protocol, information, ok := splitFrame(payload)
	if !ok {
		s.count.RxErrors++
		return func() {}
	}
	if protocol != protocolIPv4 && protocol != protocolIPv6 {
		frame := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(information)), protocol)
		frame = append(frame, information...)
		if s.kept {
			a.session, a.data = key, frame
			f.held[key] = append(f.held[key], a)
			return func() {}
		}
		return func() { f.handler.FrameReceived(key, frame) }
	}
	if !s.link.isOpen(protocol) {
		s.count.RxDropped++
		return func() {}
	}
	s.last = time.Since(f.began)
	s.count.RxPackets++
	s.count.RxBytes += uint64(len(information))
	return func() {
		if f.opts.Packet != nil {
			f.opts.Packet(key, slices.Clone(information))
		}
	}
}

// SendPacket sends a network packet into a session's interface, as the host's
// routing would.
func (f *Fake) SendPacket(id SessionKey, packet []byte) error {
	b, spec, err := f.output(id, packet)
	if err != nil {
		return fmt.Errorf("send packet on session %s: %w", id, err)
	}
	return f.transmit(spec, b)
}

func (f *Fake) output(id SessionKey, packet []byte) (b []byte, spec TunnelSpec, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.session(id)
	if s == nil || len(packet) == 0 {
		return nil, spec, fs.ErrNotExist
	}
	protocol := uint16(protocolIPv4)
	if packet[0]>>4 == 6 {
		protocol = protocolIPv6
	}
	if !s.link.isOpen(protocol) {
		s.count.TxDropped++
		return nil, spec, errNotOpen
	}
	if len(packet) > s.link.MTU {
		s.count.TxDropped++
		return nil, spec, fmt.Errorf("%d bytes: longer than the MTU, %d", len(packet), s.link.MTU)
	}
	s.last = time.Since(f.began)
	s.count.TxPackets++
	s.count.TxBytes += uint64(len(packet))
	frame := binary.BigEndian.AppendUint16(nil, protocol)
	b, err = s.encode(append(frame, packet...))
	return b, s.tunnel.spec, err
}

// Configure brings the session's interface to the state that spec describes.
func (s *fakeSession) Configure(ctx context.Context, spec LinkSpec) error {
	f := s.tunnel.fake
	refusal := f.before(ctx, OpConfigure, s.key())
	if refusal != nil && !errors.Is(refusal, ErrNoProxyARP) {
		return refusal
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.closed {
		return fmt.Errorf("configure session %s: %w", s.key(), fs.ErrClosed)
	}
	if s.raw {
		return fmt.Errorf("configure session %s: %w", s.key(), errRaw)
	}
	if err := spec.check(s.link); err != nil {
		return fmt.Errorf("configure session %s: %w", s.key(), err)
	}
	if s.link == nil {
		s.last = time.Since(f.began)
	}
	spec.Routes = slices.Clone(spec.Routes)
	s.link = &spec
	return refusal
}

// Modify changes sequencing.
func (s *fakeSession) Modify(ctx context.Context, spec SessionSpec) error {
	f := s.tunnel.fake
	if err := f.before(ctx, OpModify, s.key()); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.closed {
		return fmt.Errorf("modify session %s: %w", s.key(), fs.ErrClosed)
	}
	s.order.modify(spec)
	s.reorder = uint16(spec.ReorderTimeout / time.Millisecond)
	return nil
}

// Interface returns the name last configured.
func (s *fakeSession) Interface() string {
	f := s.tunnel.fake
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.link == nil {
		return ""
	}
	return s.link.Name
}

// Counters returns the session's counters, also those of a closed one.
func (s *fakeSession) Counters(ctx context.Context) (Counters, error) {
	f := s.tunnel.fake
	if err := f.before(ctx, OpCounters, s.key()); err != nil {
		return Counters{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.count, nil
}

// Idle returns for how long no packet has gone.
func (s *fakeSession) Idle(ctx context.Context) (time.Duration, error) {
	f := s.tunnel.fake
	if err := f.before(ctx, OpIdle, s.key()); err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.link == nil {
		return 0, nil
	}
	return time.Since(f.began) - s.last, nil
}

// Close closes the session and its interface.
func (s *fakeSession) Close(ctx context.Context) error {
	f := s.tunnel.fake
	if err := f.before(ctx, OpCloseSession, s.key()); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.close()
	return nil
}

// close does what Close does. fake.mu is held.
func (s *fakeSession) close() {
	if !s.closed {
		s.closed, s.link = true, nil
		delete(s.tunnel.sessions, s.id)
		delete(s.tunnel.fake.held, s.key())
	}
}

// Lose takes a session away, as an operator's command to the kernel would, and
// tells the handler.
func (f *Fake) Lose(id SessionKey, cause error) {
	f.mu.Lock()
	s := f.session(id)
	if s == nil {
		f.mu.Unlock()
		return
	}
	s.close()
	f.mu.Unlock()
	f.enqueue(0, arrival{call: func() { f.handler.SessionLost(id, cause) }})
}
