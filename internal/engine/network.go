package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/l2tp"
	"culvert/ppp"
)

// A network is what a session's link carries: who the peer is, the addresses of both
// ends and the interface.
type network struct {
	user      string // as authenticated
	pool      string // where the peer's address is from, if from one
	pooled    netip.Addr
	chosenFor string // for whom addresses were chosen,
	chosen    bool   // if they were
	ready     bool   // and the interface is there
	open4     bool
	open6     bool
	resolving bool   // the host asks the peer's name servers
	unproxied bool   // it was said that proxy_arp has no effect
	numbered  bool   // the interface has an address, as the last process made it
	peerMRU   uint16 // once LCP is up
	shape     change // of the interface
	refusal   error  // why no address was found
	addresses ppp.Addresses
	name      string // of the interface, as the last process made it; empty: as configured
	// configured tells what the interface was last brought to; 0: nobody knows.
	configured uint64
}

// A change says whether the data plane has what was last asked of it: the next process
// makes a change again that was under way, or failed, for it may be half done.
type change struct {
	underWay uint16
	failed   bool
}

func (c *change) begin() { c.underWay++ }

func (c *change) end(well bool) {
	c.underWay--
	c.failed = !well
}

func (c *change) isUnsure() bool { return c.underWay > 0 || c.failed }

// prepareNetwork chooses addresses and makes the interface with them, then
// calls then.
func (s *session) prepareNetwork(then func()) {
	if n := &s.network; !n.chosen || n.chosenFor != n.user {
		s.releaseLater() // LCP may have begun anew, with somebody else
		n.ready = false
		n.addresses, n.refusal = s.choose()
		n.chosen, n.chosenFor = true, n.user
	}
	if s.network.refusal != nil {
		s.log().Warn("no address for peer", "err", s.network.refusal)
		s.network.ready = true
		then()
		return
	}
	s.configure(func(err error) {
		if err != nil {
			s.networkFailed(err)
			return
		}
		s.network.ready = true
		then()
	})
}

// choose says which addresses the link may use.
func (s *session) choose() (ppp.Addresses, error) {
	set := &s.settings.PPP
	a := ppp.Addresses{Local: set.LocalAddr, Peer: set.RemoteAddr, DNS: set.DNS, WINS: set.WINS}
	if s.wanted != nil || !set.IPv4 {
		return a, nil
	}
	user, known := s.engine().user(s.network.user)
	var err error
	switch {
	case !a.Local.IsValid():
		return a, fmt.Errorf("ppp profile %s: local_ipaddr is not set", set.ProfileName)
	case known && user.Addr.IsValid():
		a.Peer, err = s.claim(user)
	case a.Peer.IsValid():
	default:
		a.Peer, err = s.allocate(user)
	}
	return a, err
}

// claim takes the user's own address. If it is of the pool, nobody else gets
// it meanwhile.
func (s *session) claim(user config.User) (netip.Addr, error) {
	name, pools := cmp.Or(user.PoolName, s.settings.PPP.PoolName), s.engine().pools
	if !pools.Contains(name, user.Addr) {
		return user.Addr, nil
	}
	if err := pools.Claim(name, user.Addr, s.network.user); err != nil {
		return netip.Addr{}, err
	}
	s.network.pool, s.network.pooled = name, user.Addr
	return user.Addr, nil
}

// allocate takes the peer's address from a pool.
func (s *session) allocate(user config.User) (netip.Addr, error) {
	name := cmp.Or(user.PoolName, s.settings.PPP.PoolName)
	if name == "" {
		return netip.Addr{}, fmt.Errorf("ppp profile %s: neither remote_ipaddr nor "+
			"ip_pool_name is set", s.settings.PPP.ProfileName)
	}
	addr, err := s.engine().pools.Allocate(name, s.network.user)
	if err != nil {
		return netip.Addr{}, err
	}
	s.network.pool, s.network.pooled = name, addr
	return addr, nil
}

// release gives the pool's address back, once no interface has it any more.
func (s *session) release() {
	if s.network.pool != "" {
		s.engine().pools.Release(s.network.pool, s.network.pooled)
		s.network.pool = ""
	}
}

// releaseLater releases the address when the jobs that run and wait are done:
// the interface has it until then.
func (s *session) releaseLater() {
	pool, addr := s.network.pool, s.network.pooled
	if s.network.pool = ""; pool == "" {
		return
	}
	s.shard().do(&s.jobs, job{
		run:  func(context.Context) error { return nil },
		done: func(error) { s.engine().pools.Release(pool, addr) },
	})
}

// forgetNegotiated is called when LCP begins anew: what the peer gave us it may
// give otherwise.
func (s *session) forgetNegotiated() {
	n := &s.network
	n.peerMRU = 0
	if s.wanted != nil {
		n.addresses, n.refusal = s.choose()
	}
	n.addresses.PeerInterfaceID = 0
}

// grant answers which addresses the link gets.
func (s *session) grant(a ppp.GrantAddresses) {
	if !s.network.ready {
		s.network.user = a.PeerName
		s.prepareNetwork(func() { s.grant(a) })
		return
	}
	if err := s.network.refusal; err != nil {
		s.shard().stepLink(s, ppp.AddressesRefused{Reason: err.Error(), Serial: a.Serial})
		return
	}
	s.shard().stepLink(s, ppp.AddressesGranted{Addresses: s.network.addresses, Serial: a.Serial})
}

// networkUp opens a network protocol on the interface.
func (s *session) networkUp(a ppp.NetworkUp) {
	n := &s.network
	switch a.Network {
	case ppp.IPv4:
		n.open4 = true
		n.addresses.Local, n.addresses.Peer = a.Addresses.Local, a.Addresses.Peer
		if s.wanted != nil { // what we would give is of no use any more
			n.addresses.DNS, n.addresses.WINS = a.Addresses.DNS, a.Addresses.WINS
		}
	case ppp.IPv6:
		n.open6 = true
		n.addresses.LocalInterfaceID = a.Addresses.LocalInterfaceID
		n.addresses.PeerInterfaceID = a.Addresses.PeerInterfaceID
	}
	s.log().Info("network up", "network", a.Network,
		"local", s.addressOf(a.Network).Local, "peer", s.addressOf(a.Network).Peer)
	s.configure(func(err error) {
		if err != nil {
			s.networkFailed(err)
			return
		}
		s.reachUp()
		s.tellNetworkUp(a.Network)
		s.useNameServers()
	})
}

// reachUp marks the session as up: a network protocol and its interface are there.
func (s *session) reachUp() {
	if s.phase != linking {
		return
	}
	now := time.Now()
	s.phase = up
	s.touch()
	s.wasUp = true
	s.engine().count.sessionsUp.Add(1)
	s.countUp(now)
	s.limitLife(now)
	s.setUpDone()
	if s.wanted != nil {
		s.wanted.up()
	}
	s.shard().deadlines.update(s)
	s.tunnel.watchPath(now, s)
}

// useNameServers makes the host ask the servers that the peer gave us.
func (s *session) useNameServers() {
	set, servers := s.engine().resolver, validOf(s.network.addresses.DNS)
	switch {
	case !s.settings.PPP.AcceptDNS || len(servers) == 0 || set == nil || s.wanted == nil:
		return
	case !s.network.open4 || s.network.resolving:
		return
	}
	s.network.resolving = true
	s.do(fmt.Sprint("name servers ", servers), job{
		foreign: true,
		run:     func(ctx context.Context) error { return set.Set(ctx, s.path.Interface(), servers) },
		done:    s.warn("setting name servers"),
	})
}

// dropNameServers undoes useNameServers.
func (s *session) dropNameServers() {
	set, iface := s.engine().resolver, s.network.name // as the last process made it,
	if s.path != nil {
		iface = s.path.Interface() // or we
	}
	if !s.network.resolving || set == nil {
		return
	}
	s.network.resolving = false
	s.do("restoring name servers", job{
		urgency: forTeardown,
		foreign: true,
		run:     func(ctx context.Context) error { return set.Unset(ctx, iface) },
		done:    s.warn("restoring name servers"),
	})
}

// resumeNameServers has the host ask the same servers as under the last process, which this
// one must know to undo it, unless the profile says otherwise now.
func (s *session) resumeNameServers() {
	had := s.network.resolving
	s.network.resolving = false
	s.useNameServers()
	if had && !s.network.resolving {
		s.network.resolving = true
		s.dropNameServers()
	}
}

func validOf(addrs [2]netip.Addr) []netip.Addr {
	var valid []netip.Addr
	for _, a := range addrs {
		if a.IsValid() {
			valid = append(valid, a)
		}
	}
	return valid
}

// networkDown closes a network protocol on the interface.
func (s *session) networkDown(network ppp.Network) {
	if network == ppp.IPv4 {
		s.network.open4 = false
		s.dropNameServers()
	} else {
		s.network.open6 = false
	}
	if s.phase != gone {
		s.configure(s.warn("closing network protocol"))
	}
}

// networkFailed ends a session whose interface cannot be made as it should be.
func (s *session) networkFailed(err error) {
	s.log().Error("configuring interface", "err", err)
	s.cause = "configuring interface: " + err.Error()
	s.hangUpCall(l2tp.Result{Code: l2tp.CDNNoFacilitiesForNow, Message: "no interface"})
}

// maxChanges is how many changes of a session's interface may wait for the kernel: a
// peer can open and close its protocols faster than that.
const maxChanges = 32

var errTooManyChanges = errors.New("it changes faster than the data plane follows")

// configure brings the interface to what the session now needs. It calls then
// unless the session has ended meanwhile: at once if there is nothing to do.
func (s *session) configure(then func(err error)) {
	if len(s.jobs.queue) >= maxChanges {
		s.networkFailed(errTooManyChanges)
		return
	}
	s.warnUnnamed()
	spec := s.linkSpec()
	want := spec.Hash(s.engine().seed)
	if s.network.configured == want && !s.jobs.pending() {
		then(nil)
		return
	}
	s.network.configured = 0
	s.network.shape.begin()
	s.touchIfUp()
	s.do("interface "+textOfLink(spec), job{
		run: func(ctx context.Context) error { return s.path.Configure(ctx, spec) },
		done: func(err error) {
			if s.phase == gone {
				return
			}
			s.touchIfUp()
			s.network.shape.end(err == nil || errors.Is(err, dataplane.ErrNoProxyARP))
			if err == nil {
				s.network.configured = want
			}
			if errors.Is(err, dataplane.ErrNoProxyARP) {
				s.warnUnproxied(err)
				err = nil
			}
			then(err)
		},
	})
}

// warnUnproxied says, once, that proxy_arp does nothing for the session's peer.
func (s *session) warnUnproxied(err error) {
	if !s.network.unproxied {
		s.network.unproxied = true
		s.log().Warn("proxy_arp has no effect", "err", err)
	}
}

// linkSpec is the interface as the session now needs it. As server the
// addresses are set as soon as they are chosen: the peer's first packet may
// follow its last Configure-Ack at once.
func (s *session) linkSpec() dataplane.LinkSpec {
	n, set := &s.network, &s.settings.PPP
	spec := dataplane.LinkSpec{
		Name: cmp.Or(n.name, config.InterfaceName(s.settings.Parameters.InterfaceName,
			uint16(s.tunnel.core.ID()), uint16(s.id))),
		MTU:          s.mtu(),
		MRU:          set.MRU,
		DefaultRoute: set.DefaultRoute && (n.open4 || n.open6),
		ProxyARP:     set.ProxyARP,
		Unnumbered:   s.wanted == nil && !n.numbered,
	}
	known := n.addresses.Local.IsValid() && n.addresses.Peer.IsValid()
	if n.open4 || s.wanted == nil && !n.ready && known {
		spec.IPv4 = s.addressOf(ppp.IPv4)
	}
	if n.open6 {
		spec.IPv6 = s.addressOf(ppp.IPv6)
	}
	return spec
}

// addressOf returns the two ends' addresses in a network.
func (s *session) addressOf(network ppp.Network) dataplane.PointToPoint {
	a := &s.network.addresses
	if network == ppp.IPv4 {
		return dataplane.PointToPoint{Local: a.Local, Peer: a.Peer}
	}
	return dataplane.PointToPoint{
		Local: ppp.LinkLocal(a.LocalInterfaceID),
		Peer:  ppp.LinkLocal(a.PeerInterfaceID),
	}
}
