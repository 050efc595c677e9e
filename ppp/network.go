package ppp

// enabled tells whether a network control protocol is configured.
func (l *Link) enabled(i int) bool {
	switch i {
	case ipcpIndex:
		return !l.cfg.NoIPv4
	case ipv6cpIndex:
		return l.cfg.IPv6
	}
	return false
}

// addressesGranted begins the network protocols, and gives them what came meanwhile.
func (l *Link) addressesGranted(ev AddressesGranted) {
	if !l.awaitsAddresses(ev.Serial) {
		return
	}
	l.state.Granted = true
	l.state.IPCP.grant(ev.Addresses)
	l.state.IPv6CP.grant(ev.Addresses)
	for _, i := range []int{ipcpIndex, ipv6cpIndex} {
		if l.enabled(i) {
			l.startNetwork(i)
		}
	}
	l.endWithoutNetwork()
}

func (l *Link) startNetwork(i int) {
	kept := l.state.Controls[i].Kept
	l.state.Controls[i].Kept = nil
	if l.state.Controls[i].State == Initial {
		l.fire(i, evOpen, packet{})
	}
	l.fire(i, evUp, packet{})
	if kept != nil {
		l.receiveControl(i, kept)
	}
}

func (l *Link) addressesRefused(ev AddressesRefused) {
	if !l.awaitsAddresses(ev.Serial) {
		return
	}
	l.setEnd(NoAddress, orElse(ev.Reason, "no address for the peer"))
	l.terminate()
}

func (l *Link) awaitsAddresses(serial uint32) bool {
	s := &l.state
	return s.Phase == PhaseNetwork && !s.Granted && (serial == 0 || serial == s.GrantSerial)
}

// maxKept bounds what is kept of a packet that came too early.
const maxKept = 256

// receiveNCP handles a packet of a network control protocol, or keeps the last
// Configure-Request until it is known which addresses there are: dropping it would
// cost the peer's Restart timer.
func (l *Link) receiveNCP(i int, info []byte) {
	c := &l.state.Controls[i]
	switch {
	case c.Rejected:
		// The peer says that it does not speak this.
	case l.state.Granted:
		l.receiveControl(i, info)
	case len(info) > 0 && code(info[0]) == configureRequest && len(info) <= maxKept:
		c.Kept = append([]byte(nil), info...)
	}
}

func (l *Link) networkUp(i int, a NetworkUp) {
	c := &l.state.Controls[i]
	c.Told, c.ByPeer = true, false
	l.act(a)
}

func (l *Link) networkDown(i int, n Network) {
	if c := &l.state.Controls[i]; c.Told {
		c.Told = false
		l.act(NetworkDown{Network: n})
	}
}

// networkFinished: one network protocol alone does not end the link, the last does.
func (l *Link) networkFinished(i int) {
	if c := &l.state.Controls[i]; l.state.NetworkFailure == "" {
		switch {
		case c.ByPeer:
			l.state.NetworkFailure = "the peer closed " + controlProtocols[i].String()
		default:
			l.state.NetworkFailure = controlProtocols[i].String() + " did not converge"
		}
	}
	l.endWithoutNetwork()
}

func (l *Link) endWithoutNetwork() {
	s := &l.state
	if s.Phase != PhaseNetwork || !s.Granted {
		return
	}
	for _, i := range []int{ipcpIndex, ipv6cpIndex} {
		if s.Controls[i].alive() {
			return
		}
	}
	reason := NegotiationFailed
	if s.Controls[ipcpIndex].ByPeer || s.Controls[ipv6cpIndex].ByPeer {
		reason = PeerTerminated
	}
	detail := orElse(s.NetworkFailure, "no network protocol is configured")
	l.setEnd(reason, "no network protocol is left: "+detail)
	s.Ending.CloseReason = "No network protocols running"
	l.terminate()
}
