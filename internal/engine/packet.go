package engine

import (
	"culvert/internal/dataplane"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// A packet is what the data plane received: a datagram, or a frame of a session.
type packet struct {
	header   l2tp.Header
	datagram dataplane.Datagram
	session  dataplane.SessionKey
	frame    []byte
}

// tunnel is the identifier of the tunnel that the packet is for.
func (p *packet) tunnel() l2tp.TunnelID {
	if p.frame != nil {
		return p.session.Tunnel
	}
	return p.header.TunnelID
}

// DatagramReceived hands a datagram to the shard of the tunnel that its header
// names, whichever socket it came by. [dataplane.Handler] says when it is called.
func (e *Engine) DatagramReceived(d dataplane.Datagram) {
	h, _, err := l2tp.ParseHeader(d.Data)
	if err != nil {
		e.countMalformed(err)
		return
	}
	<-e.ready
	p := packet{header: h, datagram: d}
	switch {
	case h.TunnelID != 0 && e.registry.has(h.TunnelID, d.Peer.Addr()):
		e.shardOf(h.TunnelID).mail.postPacket(p)
	case !h.Control:
		e.total.noSession.Add(1)
	case h.TunnelID != 0:
		e.total.noTunnel.Add(1)
		e.stray(d)
	case e.letsIn(d):
		e.shardFor(d.Peer.Addr()).mail.postFirst(p)
	default:
		e.stray(d)
	}
}

// FrameReceived hands a PPP frame to the session's shard.
func (e *Engine) FrameReceived(id dataplane.SessionKey, frame []byte) {
	e.shardOf(id.Tunnel).mail.postPacket(packet{session: id, frame: frame})
}

// SessionLost ends a session that somebody else took from the kernel.
func (e *Engine) SessionLost(id dataplane.SessionKey, cause error) {
	s := e.shardOf(id.Tunnel)
	s.mail.post(func() {
		if found := s.session(id); found != nil {
			found.lost(cause)
		}
	})
}

// receive gives a packet to whom it is for.
func (s *shard) receive(p packet) {
	switch {
	case p.frame != nil:
		if found := s.session(p.session); found != nil {
			found.receive(p.frame)
		}
	case !p.header.Control:
		s.receiveData(p)
	case p.header.TunnelID == 0:
		s.receiveFirst(p.datagram)
	default:
		s.receiveControl(p)
	}
}

// receiveControl gives a control message to its tunnel.
func (s *shard) receiveControl(p packet) {
	t := s.tunnels[p.header.TunnelID]
	if t == nil || !t.isFrom(p.datagram) {
		s.engine.total.noTunnel.Add(1)
		s.engine.stray(p.datagram)
		return
	}
	t.captured(trace.Received, p.datagram.Local, p.datagram.Peer, p.datagram.Data)
	t.follow(p.datagram.Peer, func() { s.step(t, l2tp.MessageReceived{Data: p.datagram.Data}) })
}

// receiveData gives a data message that came before its session was there to
// the session's link: it is the peer's first Configure-Request, and if lost it
// would be missed for three seconds.
func (s *shard) receiveData(p packet) {
	found := s.session(dataplane.SessionKey{Tunnel: p.header.TunnelID, Session: p.header.SessionID})
	if found == nil || !found.tunnel.isFrom(p.datagram) {
		s.engine.total.noSession.Add(1)
		return
	}
	if _, frame, err := l2tp.ParseHeader(p.datagram.Data); err == nil {
		s.engine.total.earlyFrames.Add(1)
		found.receive(frame)
	}
}
