package event

import (
	"cmp"
	"slices"

	"culvert/api"
)

// A Subject names what an event is about: a tunnel, or a session in it.
type Subject struct{ Tunnel, Session uint32 }

// Last returns the type of the last event in memory of each tunnel and session that there
// is one of.
func (l *Log) Last() map[Subject]api.EventType {
	last := make(map[Subject]api.EventType)
	if l == nil {
		return last
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := l.oldest(); n <= l.last; n++ {
		e := l.at(n)
		if e.Type == api.EventType_EVENT_TYPE_TUNNEL_DELETED ||
			e.Type == api.EventType_EVENT_TYPE_SESSION_DELETED || following[e.Type] != nil {
			last[Subject{e.TunnelId, e.SessionId}] = e.Type
		}
	}
	return last
}

// Unfinished returns, of each tunnel and session whose events in memory do not end with
// its deletion, the last one: those of sessions first.
func (l *Log) Unfinished() []*api.Event {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last := make(map[Subject]*api.Event)
	for n := l.oldest(); n <= l.last; n++ {
		e := l.at(n)
		about := Subject{e.TunnelId, e.SessionId}
		switch e.Type {
		case api.EventType_EVENT_TYPE_TUNNEL_DELETED, api.EventType_EVENT_TYPE_SESSION_DELETED:
			delete(last, about)
		default:
			if _, ok := following[e.Type]; ok {
				last[about] = e
			}
		}
	}
	var events []*api.Event
	for _, e := range last {
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b *api.Event) int {
		return cmp.Or(cmp.Compare(min(b.SessionId, 1), min(a.SessionId, 1)), cmp.Compare(a.Sequence, b.Sequence))
	})
	return events
}

// following is what is still to be told, in order, of what goes after an event.
var following = map[api.EventType][]api.EventType{
	api.EventType_EVENT_TYPE_TUNNEL_CREATED: {api.EventType_EVENT_TYPE_TUNNEL_DELETED},
	api.EventType_EVENT_TYPE_TUNNEL_UP: {api.EventType_EVENT_TYPE_TUNNEL_DOWN,
		api.EventType_EVENT_TYPE_TUNNEL_DELETED},
	api.EventType_EVENT_TYPE_TUNNEL_DOWN:     {api.EventType_EVENT_TYPE_TUNNEL_DELETED},
	api.EventType_EVENT_TYPE_SESSION_CREATED: {api.EventType_EVENT_TYPE_SESSION_DELETED},
	api.EventType_EVENT_TYPE_SESSION_UP: {api.EventType_EVENT_TYPE_SESSION_DOWN,
		api.EventType_EVENT_TYPE_SESSION_DELETED},
	api.EventType_EVENT_TYPE_PPP_UP: {api.EventType_EVENT_TYPE_PPP_DOWN,
		api.EventType_EVENT_TYPE_SESSION_DOWN, api.EventType_EVENT_TYPE_SESSION_DELETED},
	api.EventType_EVENT_TYPE_PPP_DOWN: {api.EventType_EVENT_TYPE_SESSION_DOWN,
		api.EventType_EVENT_TYPE_SESSION_DELETED},
	api.EventType_EVENT_TYPE_SESSION_DOWN: {api.EventType_EVENT_TYPE_SESSION_DELETED},
}

// Finish tells what is still to be told of something that is gone, whose last event was last.
func (l *Log) Finish(last *api.Event, cause string) {
	for _, what := range following[last.Type] {
		e := &api.Event{
			Type: what, TunnelId: last.TunnelId, TunnelName: last.TunnelName,
			PeerTunnelId: last.PeerTunnelId, Peer: last.Peer, PeerHostName: last.PeerHostName,
			CreatedByPeer: last.CreatedByPeer, SessionId: last.SessionId, SessionName: last.SessionName,
			PeerSessionId: last.PeerSessionId, User: last.User, Interface: last.Interface, Cause: cause,
		}
		if what == api.EventType_EVENT_TYPE_PPP_DOWN {
			e.LocalIpv4, e.PeerIpv4 = last.LocalIpv4, last.PeerIpv4
		}
		l.Publish(e)
	}
}
