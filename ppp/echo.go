package ppp

import "encoding/binary"

// startEcho begins to ask the peer whether it is alive (RFC 1661, 5.8).
func (l *Link) startEcho() {
	if l.cfg.EchoInterval > 0 {
		l.start(timerEcho, l.cfg.EchoInterval)
	}
}

func (l *Link) echoExpired() {
	s := &l.state
	if s.Controls[lcpIndex].State != Opened {
		return
	}
	if int(s.Unanswered) >= l.cfg.echoFailures() {
		l.setEnd(PeerSilent, "LCP Echo-Requests went unanswered")
		s.Ending.CloseReason = "Peer not responding"
		l.terminate()
		return
	}
	countUp(&s.Unanswered)
	s.EchoID++
	l.send(ProtocolLCP, packet{echoRequest, s.EchoID, l.magicData(nil)})
	l.startEcho()
}

func (l *Link) magicData(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, l.state.LCP.magic()), data...)
}

// receiveEchoRequest: "Upon reception of an Echo-Request in the LCP Opened state, an
// Echo-Reply MUST be transmitted." The table says so too, and that in any other state
// nothing is.
// https://www.rfc-editor.org/rfc/rfc1661#section-5.8
func (l *Link) receiveEchoRequest(p packet) {
	if len(p.data) < 4 {
		return
	}
	if l.ownMagic(p) {
		l.setEnd(LoopDetected, "our own Echo-Request came back")
		l.terminate()
		return
	}
	data := l.fit(p.data[4:], 4)
	l.fire(lcpIndex, evEcho, packet{echoReply, p.id, l.magicData(data)})
}

// receiveEchoReply: any answer shows that the peer is alive, an old one too. Our own
// number in it does not: that is either a loop or a peer that only mirrors.
func (l *Link) receiveEchoReply(p packet) {
	if len(p.data) >= 4 && !l.ownMagic(p) && l.state.Controls[lcpIndex].State == Opened {
		l.state.Unanswered = 0
	}
}

func (l *Link) ownMagic(p packet) bool {
	own := l.state.LCP.magic()
	return own != 0 && binary.BigEndian.Uint32(p.data) == own &&
		l.state.Controls[lcpIndex].State == Opened
}

// IsEcho reports whether a frame is an Echo-Request, Echo-Reply or Discard-Request
// of LCP: traffic that leaves the link as it was.
func IsEcho(frame []byte) bool {
	if len(frame) < 3 || Protocol(binary.BigEndian.Uint16(frame)) != ProtocolLCP {
		return false
	}
	c := code(frame[2])
	return c == echoRequest || c == echoReply || c == discardRequest
}
