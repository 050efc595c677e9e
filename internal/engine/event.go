package engine

import (
	"cmp"

	"culvert/api"
	"culvert/l2tp"
	"culvert/ppp"
)

// told is which events of a tunnel or session were published. Created comes first,
// deleted last, and down only for what was up; a session is deleted before its tunnel.
type told uint8

const (
	toldCreated told = 1 << iota
	toldUp
	toldNetwork
)

// first reports whether what is told for the first time, and notes that it is.
func (t *told) first(what told) bool {
	if *t&what != 0 {
		return false
	}
	*t |= what
	return true
}

// last reports whether what was told, and notes that it no longer holds.
func (t *told) last(what told) bool {
	if *t&what == 0 {
		return false
	}
	*t &^= what
	return true
}

// toldBy is what has been told once an event was the last.
var toldBy = map[api.EventType]told{
	api.EventType_EVENT_TYPE_TUNNEL_CREATED:  toldCreated,
	api.EventType_EVENT_TYPE_TUNNEL_UP:       toldCreated | toldUp,
	api.EventType_EVENT_TYPE_TUNNEL_DOWN:     toldCreated,
	api.EventType_EVENT_TYPE_TUNNEL_DELETED:  0,
	api.EventType_EVENT_TYPE_SESSION_CREATED: toldCreated,
	api.EventType_EVENT_TYPE_SESSION_UP:      toldCreated | toldUp,
	api.EventType_EVENT_TYPE_PPP_UP:          toldCreated | toldUp | toldNetwork,
	api.EventType_EVENT_TYPE_PPP_DOWN:        toldCreated | toldUp,
	api.EventType_EVENT_TYPE_SESSION_DOWN:    toldCreated,
	api.EventType_EVENT_TYPE_SESSION_DELETED: 0,
}

func (t *tunnel) tellCreated() {
	if t.told.first(toldCreated) {
		t.publish(api.EventType_EVENT_TYPE_TUNNEL_CREATED)
	}
}

func (t *tunnel) tellUp() {
	if t.told.first(toldUp) {
		t.publish(api.EventType_EVENT_TYPE_TUNNEL_UP)
	}
}

func (t *tunnel) tellDown() {
	if t.told.last(toldUp) {
		t.publish(api.EventType_EVENT_TYPE_TUNNEL_DOWN)
	}
}

// tellDeleted is called when nothing of the tunnel is left in the data plane. Its
// identifier and socket linger, for what the peer repeats.
func (t *tunnel) tellDeleted() {
	if t.told.last(toldCreated) {
		t.publish(api.EventType_EVENT_TYPE_TUNNEL_DELETED)
	}
}

func (t *tunnel) publish(what api.EventType) {
	if log := t.shard.engine.events; log != nil {
		e := t.event(what)
		if t.end != nil {
			e.Cause = causeOf(*t.end, t.end.Result.StopString())
		}
		log.Publish(e)
	}
}

// event begins an event about the tunnel or one of its sessions.
func (t *tunnel) event(what api.EventType) *api.Event {
	peer := t.core.Peer()
	e := &api.Event{
		Type:          what,
		TunnelId:      uint32(t.core.ID()),
		PeerTunnelId:  uint32(peer.TunnelID),
		Peer:          t.peer.String(),
		PeerHostName:  peer.HostName,
		CreatedByPeer: t.byPeer,
	}
	if t.dialer != nil {
		e.TunnelName = t.dialer.asked.GetTunnelName()
	}
	return e
}

// causeOf says in one line why a tunnel or call ended, and on whose account if
// that is not ours.
func causeOf(end l2tp.End, result string) string {
	switch {
	case end.Lost:
		return "lost: " + result
	case end.ByPeer:
		return "peer: " + result
	}
	return result
}

func (s *session) tellCreated() {
	if s.told.first(toldCreated) {
		s.publish(api.EventType_EVENT_TYPE_SESSION_CREATED)
	}
}

func (s *session) tellUp() {
	if s.told.first(toldUp) {
		s.publish(api.EventType_EVENT_TYPE_SESSION_UP)
	}
}

func (s *session) tellDown() {
	s.tellNetworkDown(s.network.addresses)
	if s.told.last(toldUp) {
		s.publish(api.EventType_EVENT_TYPE_SESSION_DOWN)
	}
}

func (s *session) tellDeleted() {
	if s.told.last(toldCreated) {
		s.publish(api.EventType_EVENT_TYPE_SESSION_DELETED)
	}
}

// tellNetworkUp is called when a network protocol is up and its interface is there.
// While IPv4 is being negotiated it waits for that: most who listen want to know
// the addresses.
func (s *session) tellNetworkUp(network ppp.Network) {
	waits := network != ppp.IPv4 && (s.network.open4 || s.negotiates4())
	if s.phase == up && s.network.isOpen() && !waits && s.told.first(toldNetwork) {
		s.publish(api.EventType_EVENT_TYPE_PPP_UP)
	}
}

// negotiates4 reports whether IPv4 may yet come up.
func (s *session) negotiates4() bool {
	if s.link == nil {
		return false
	}
	_, ipcp, _ := s.link.States()
	return ipcp == ppp.ReqSent || ipcp == ppp.AckRcvd || ipcp == ppp.AckSent
}

// tellNetwork is called when the link was stepped. The addresses are those before.
func (s *session) tellNetwork(had ppp.Addresses) {
	switch {
	case s.told&toldNetwork == 0:
		s.tellNetworkUp(ppp.IPv6) // IPv4 may have been given up
	case !s.network.isOpen():
		s.tellNetworkDown(had)
	}
}

// tellNetworkDown is called when no network protocol is left.
func (s *session) tellNetworkDown(had ppp.Addresses) {
	if !s.told.last(toldNetwork) {
		return
	}
	if e := s.event(api.EventType_EVENT_TYPE_PPP_DOWN); e != nil {
		e.Cause = s.causeText()
		setAddresses(e, had)
		s.engine().events.Publish(e)
	}
}

// isOpen reports whether a network protocol is up.
func (n *network) isOpen() bool { return n.open4 || n.open6 }

// publish tells what became of the session.
func (s *session) publish(what api.EventType) {
	e := s.event(what)
	if e == nil {
		return
	}
	switch what {
	case api.EventType_EVENT_TYPE_PPP_UP:
		if s.network.open4 {
			setAddresses(e, s.network.addresses)
		}
	case api.EventType_EVENT_TYPE_SESSION_DOWN, api.EventType_EVENT_TYPE_SESSION_DELETED:
		e.Cause = s.causeText()
	}
	s.engine().events.Publish(e)
}

// event begins an event about the session, or returns nil if nobody is told.
func (s *session) event(what api.EventType) *api.Event {
	if s.engine().events == nil {
		return nil
	}
	e := s.tunnel.event(what)
	e.SessionId, e.PeerSessionId = uint32(s.id), uint32(s.peerID)
	e.CreatedByPeer = s.wanted == nil
	e.User = s.network.user
	if s.wanted != nil {
		e.SessionName = s.wanted.asked.GetSessionName()
		e.User = cmp.Or(e.User, s.settings.UserName)
	}
	if s.path != nil {
		e.Interface = s.path.Interface()
	}
	return e
}

func setAddresses(e *api.Event, a ppp.Addresses) {
	if a.Local.IsValid() && a.Peer.IsValid() {
		e.LocalIpv4, e.PeerIpv4 = a.Local.String(), a.Peer.String()
	}
}

// causeText is one line on why the session, or only its link, ended.
func (s *session) causeText() string {
	if s.end != nil && s.cause == "" {
		return causeOf(*s.end, s.end.Result.CDNString())
	}
	detail := ""
	if s.link != nil {
		detail = s.link.End().Detail
	}
	return cmp.Or(s.cause, detail, "PPP began anew")
}
