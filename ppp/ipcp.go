package ppp

import "net/netip"

// The options of IPCP (RFC 1332, 3; RFC 1877, 1).
const (
	optAddress       = 3
	optPrimaryDNS    = 129
	optPrimaryWINS   = 130
	optSecondaryDNS  = 131
	optSecondaryWINS = 132
)

// serverOptions are the options of RFC 1877, in the order of [IPCPState]'s arrays.
var serverOptions = [4]uint8{optPrimaryDNS, optSecondaryDNS, optPrimaryWINS, optSecondaryWINS}

func serverIndex(kind uint8) (int, bool) {
	for i, k := range serverOptions {
		if k == kind {
			return i, true
		}
	}
	return 0, false
}

type addr4 = [4]byte

// An IPCPState is what IPCP asks for and what it granted: plain data. An address of
// zeros is none.
type IPCPState struct {
	// As the engine granted it.
	GrantedLocal, GrantedPeer addr4
	GrantedServers            [4]addr4 // DNS, DNS, WINS, WINS

	Local   addr4    // ours, as asked for
	Servers [4]addr4 // what we ask for

	WithoutAddress  bool // rejected by the peer
	WithoutServers  [4]bool
	Peer            addr4 // as the peer asked for and was granted
	RefusedPeer     bool  // we rejected what the peer insisted on
	PeerSaidAddress bool
}

func (s *IPCPState) grant(a Addresses) {
	*s = IPCPState{GrantedLocal: as4(a.Local), GrantedPeer: as4(a.Peer)}
	for i := range 2 {
		s.GrantedServers[i], s.GrantedServers[2+i] = as4(a.DNS[i]), as4(a.WINS[i])
	}
}

func as4(a netip.Addr) addr4 {
	if a = a.Unmap(); a.Is4() {
		return a.As4()
	}
	return addr4{}
}

func from4(a addr4) netip.Addr {
	if a == (addr4{}) {
		return netip.Addr{}
	}
	return netip.AddrFrom4(a)
}

// ipcp negotiates IPv4.
type ipcp struct{ l *Link }

func (n ipcp) s() *IPCPState { return &n.l.state.IPCP }

func (n ipcp) reset() {
	s, cfg := n.s(), n.l.cfg
	*s = IPCPState{
		GrantedLocal: s.GrantedLocal, GrantedPeer: s.GrantedPeer,
		GrantedServers: s.GrantedServers, Local: s.GrantedLocal,
	}
	for i := range s.WithoutServers {
		s.WithoutServers[i] = i < 2 && !cfg.RequestDNS || i >= 2 && !cfg.RequestWINS
	}
}

func (n ipcp) request(b []byte) []byte {
	s := n.s()
	if !s.WithoutAddress {
		b = appendOption(b, optAddress, s.Local[:])
	}
	for i, kind := range serverOptions {
		if !s.WithoutServers[i] {
			b = appendOption(b, kind, s.Servers[i][:])
		}
	}
	return b
}

func (n ipcp) begin() { n.s().Peer, n.s().PeerSaidAddress = addr4{}, false }

// judge: Van Jacobson compression and the old IP-Addresses are rejected like anything
// unknown.
func (n ipcp) judge(o option) (judgement, []byte) {
	s := n.s()
	if o.kind == optAddress {
		return n.judgeAddress(o)
	}
	i, ok := serverIndex(o.kind)
	if !ok || s.GrantedServers[i] == (addr4{}) {
		return rejected, nil
	}
	if len(o.value) != 4 || addr4(o.value) != s.GrantedServers[i] {
		return naked, s.GrantedServers[i][:]
	}
	return acked, nil
}

func (n ipcp) judgeAddress(o option) (judgement, []byte) {
	s := n.s()
	s.PeerSaidAddress = true
	switch want := s.GrantedPeer; {
	case want != (addr4{}) && (len(o.value) != 4 || addr4(o.value) != want):
		if int(n.l.state.Controls[ipcpIndex].Naks) >= n.l.cfg.limits(ipcpIndex).MaxFailure {
			s.RefusedPeer = true // the Nak becomes a Reject
		}
		return naked, want[:]
	case len(o.value) != 4 || addr4(o.value) == addr4{}:
		return rejected, nil // we have none to give
	}
	s.Peer = addr4(o.value)
	return acked, nil
}

// missing asks the peer to take the address that it is to have. A peer that does
// not know the option at all may have it all the same; one that wanted another
// may not.
func (n ipcp) missing(b []byte) []byte {
	s := n.s()
	if s.PeerSaidAddress || s.GrantedPeer == (addr4{}) || s.RefusedPeer {
		return b
	}
	return appendOption(b, optAddress, s.GrantedPeer[:])
}

func (n ipcp) refused(o option, isRejected bool) {
	s := n.s()
	if o.kind == optAddress {
		n.refusedAddress(o, isRejected)
		return
	}
	i, ok := serverIndex(o.kind)
	switch {
	case !ok:
	case isRejected || len(o.value) != 4:
		s.WithoutServers[i], s.Servers[i] = true, addr4{}
	case !s.WithoutServers[i]:
		s.Servers[i] = addr4(o.value)
	}
}

// refusedAddress takes the address that the peer gives us, unless ours is fixed.
func (n ipcp) refusedAddress(o option, isRejected bool) {
	s := n.s()
	switch {
	case isRejected:
		s.WithoutAddress = true
		if s.Local == (addr4{}) {
			n.l.giveUp(ipcpIndex, NegotiationFailed, "the peer gives us no address")
		}
	case len(o.value) == 4 && s.GrantedLocal == addr4{}:
		s.Local = addr4(o.value)
	}
}

func (l *Link) ipcpUp() {
	s := &l.state.IPCP
	switch {
	case s.Local == addr4{}:
		l.giveUp(ipcpIndex, NegotiationFailed, "the peer gives us no address")
		return
	case s.RefusedPeer && !s.PeerSaidAddress:
		l.giveUp(ipcpIndex, NegotiationFailed, "the peer insists on an address of its own")
		return
	case s.Peer == addr4{}:
		s.Peer = s.GrantedPeer
	}
	l.networkUp(ipcpIndex, NetworkUp{Network: IPv4, Addresses: s.addresses()})
}

// addresses is what the link ended up with: the servers are what the peer told us if
// we asked.
func (s *IPCPState) addresses() Addresses {
	return Addresses{
		Local: from4(s.Local), Peer: from4(s.Peer),
		DNS:  [2]netip.Addr{from4(s.Servers[0]), from4(s.Servers[1])},
		WINS: [2]netip.Addr{from4(s.Servers[2]), from4(s.Servers[3])},
	}
}
