package dataplane

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"culvert/kernel"
	"culvert/l2tp"
)

// A kernelSession is a session's channel and, once configured, its unit.
type kernelSession struct {
	tunnel     *kernelTunnel
	key        SessionKey
	peerTunnel l2tp.TunnelID
	poller     *userPoller

	// changing is held while the kernel works on the session.
	changing  sync.Mutex
	raw       bool
	channel   *kernel.Channel // set once, before anybody else knows the session
	channelFD int
	unitFD    int
	link      linkState    // guarded by changing, as are the next
	sources   []netip.Addr // addresses of the host's that it uses
	gone      bool         // there is nothing left to close

	unit   atomic.Pointer[kernel.Unit]
	closed atomic.Bool
	lost   atomic.Bool

	requireSequence atomic.Bool
}

func (s *kernelSession) kernel() *kernel.Kernel { return s.tunnel.plane.k }

func (s *kernelSession) spec(spec SessionSpec) kernel.SessionSpec {
	return kernel.SessionSpec{
		Tunnel:          uint16(s.key.Tunnel),
		Session:         uint16(spec.Session),
		PeerSession:     uint16(spec.PeerSession),
		LNS:             spec.LNS,
		SendSequence:    spec.SendSequence,
		RequireSequence: spec.RequireSequence,
		ReorderTimeout:  spec.ReorderTimeout,
	}
}

// open makes the session and its channel, or nothing. s.changing is held.
func (s *kernelSession) open(ctx context.Context, spec SessionSpec) error {
	if err := s.kernel().CreateSession(ctx, s.spec(spec)); err != nil {
		return err
	}
	if s.raw = spec.Raw; s.raw {
		return nil
	}
	channel, err := kernel.OpenChannel(s.channelSpec(spec))
	if err != nil {
		s.remove()
		return err
	}
	s.channel, s.channelFD = channel, channel.FD()
	s.requireSequence.Store(spec.RequireSequence)
	if err := s.poller.Add(s.channelFD, func() { s.ready(channel, s.channelFD) }); err != nil {
		channel.Close()
		return err
	}
	s.keep()
	return nil
}

func (s *kernelSession) channelSpec(spec SessionSpec) kernel.ChannelSpec {
	return kernel.ChannelSpec{
		Tunnel: uint16(s.key.Tunnel), PeerTunnel: uint16(s.peerTunnel),
		Session: uint16(spec.Session), PeerSession: uint16(spec.PeerSession),
		Peer: s.tunnel.Peer(),
	}
}

// remove deletes a session that got no channel.
func (s *kernelSession) remove() {
	err := s.kernel().DeleteSession(context.Background(), uint16(s.key.Tunnel), uint16(s.key.Session))
	if err != nil {
		s.tunnel.plane.log.Error("session is left in the kernel", "session", s.key, "error", err)
	}
}

// A frameReader is a channel or a unit.
type frameReader interface {
	ReadFrames(scratch []byte, limit int, receive func([]byte)) error
}

// ready reads what a channel or unit has. It runs on the poller's goroutine.
func (s *kernelSession) ready(from frameReader, fd int) {
	err := from.ReadFrames(s.poller.scratch, batch, s.received)
	if err != nil {
		s.poller.Mute(fd) // nothing can be read any more
		s.lose(err)
	}
}

// received hands a frame on, unless it is a packet that came before there was
// a unit to take it.
//
// "Any supported network-layer protocol packets received when the corresponding
// NCP is not in the Opened state MUST be silently discarded."
// https://www.rfc-editor.org/rfc/rfc1661#section-3.6
func (s *kernelSession) received(frame []byte) {
	if len(frame) < 2 || s.closed.Load() {
		return
	}
	switch binary.BigEndian.Uint16(frame) {
	case protocolIPv4, protocolIPv6:
		return
	}
	s.tunnel.plane.handler.FrameReceived(s.key, frame)
}

// lose tells the handler, once, that something else took the session away.
func (s *kernelSession) lose(cause error) {
	if !s.closed.Load() && s.lost.CompareAndSwap(false, true) {
		s.tunnel.plane.handler.SessionLost(s.key, cause)
	}
}

// Send sends a PPP frame: one of a network control protocol by the unit, if
// there is one, where the kernel wants to see some of them; others by the channel.
func (s *kernelSession) Send(frame []byte) error {
	if s.closed.Load() {
		return fmt.Errorf("send on session %s: %w", s.key, fs.ErrClosed)
	}
	if s.raw {
		return fmt.Errorf("send on session %s: %w", s.key, errRaw)
	}
	if len(frame) < 2 {
		return fmt.Errorf("send on session %s: frame of %d bytes, expected its protocol", s.key, len(frame))
	}
	const linkLayer = 0xc0 // LCP, authentication and the like are 0xc000 and up
	if u := s.unit.Load(); u != nil && frame[0] < linkLayer {
		return u.Write(frame)
	}
	return s.channel.Write(frame)
}

// Modify changes sequencing.
func (s *kernelSession) Modify(ctx context.Context, spec SessionSpec) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.closed.Load() {
		return fmt.Errorf("modify session %s: %w", s.key, fs.ErrClosed)
	}
	spec.Session = s.key.Session
	if err := s.kernel().ModifySession(ctx, s.spec(spec)); err != nil {
		return err
	}
	s.requireSequence.Store(spec.RequireSequence)
	return nil
}

// Interface returns the interface's name.
func (s *kernelSession) Interface() string {
	if u := s.unit.Load(); u != nil {
		return u.Name()
	}
	return ""
}

// Counters returns the interface's counters, the same numbers that
// `ip -s link` shows: network packets, and frames of network control protocols,
// with their bytes from behind the PPP protocol field on. They are zero before
// there is an interface. RxOutOfSequence is l2tp's, the sum of rx_oos_packets and
// rx_seq_discards in generic netlink.
func (s *kernelSession) Counters(ctx context.Context) (c Counters, err error) {
	info, err := s.kernel().Session(ctx, uint16(s.key.Tunnel), uint16(s.key.Session))
	if err != nil {
		return c, err
	}
	c.RxOutOfSequence = info.Stats.RxOutOfSequence + info.Stats.RxSequenceDiscards
	u := s.unit.Load()
	if u == nil {
		return c, nil
	}
	l, err := s.kernel().Stats(ctx, u.Index())
	c.RxPackets, c.RxBytes, c.RxErrors, c.RxDropped = l.RxPackets, l.RxBytes, l.RxErrors, l.RxDropped
	c.TxPackets, c.TxBytes, c.TxErrors, c.TxDropped = l.TxPackets, l.TxBytes, l.TxErrors, l.TxDropped
	return c, err
}

// Idle returns how long the unit has been idle.
func (s *kernelSession) Idle(context.Context) (time.Duration, error) {
	u := s.unit.Load()
	if u == nil {
		return 0, nil
	}
	return u.Idle()
}

// Close stops traffic at once, and then waits for the kernel to remove interface
// and session.
func (s *kernelSession) Close(ctx context.Context) error {
	s.closed.Store(true)
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.gone || s.channel == nil && !s.raw { // closed, or never opened
		return nil
	}
	s.gone = true
	if s.raw {
		s.tunnel.leave(s)
		return s.kernel().DeleteSession(ctx, uint16(s.key.Tunnel), uint16(s.key.Session))
	}
	err := s.end(ctx)
	s.tunnel.leave(s)
	if err != nil {
		return fmt.Errorf("close session %s: %w", s.key, err)
	}
	return nil
}

// end closes channel and unit. s.changing is held.
func (s *kernelSession) end(ctx context.Context) error {
	err := s.block()
	keys := []string{sessionKey(s.key)}
	if u := s.unit.Load(); u != nil {
		keys = append(keys, unitKey(s.key, u.Name()))
	}
	s.tunnel.plane.keeper.Drop(ctx, keys...)
	err = errors.Join(err, s.closeUnit(ctx))
	s.poller.Remove(s.channelFD)
	return errors.Join(err, s.channel.Close())
}

// block stops network packets.
func (s *kernelSession) block() error {
	u := s.unit.Load()
	if u == nil {
		return nil
	}
	err := errors.Join(u.Pass(kernel.IPv4, false), u.Pass(kernel.IPv6, false))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody removed the interface
	}
	return err
}

// closeUnit takes away the interface, with its addresses and routes.
func (s *kernelSession) closeUnit(ctx context.Context) error {
	u := s.unit.Load()
	if u == nil {
		return nil
	}
	s.poller.Remove(s.unitFD)
	s.kernel().Apply(ctx, s.link.leave4(u.Index())...) // or they go with the interface
	err := errors.Join(u.Close(), s.tunnel.plane.proxies.set(ctx, s.key, netip.Addr{}))
	return errors.Join(err, s.letGo(ctx, linkState{}))
}
