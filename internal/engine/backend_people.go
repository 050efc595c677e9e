package engine

import (
	"context"
	"net/netip"
	"slices"

	"culvert/api"
	"culvert/internal/management"
)

// ListPeers describes the hosts with which there are tunnels.
func (e *Engine) ListPeers(ctx context.Context) ([]*api.Peer, error) {
	byAddr := make(map[netip.Addr]*api.Peer)
	for _, s := range e.shards {
		tunnels, err := ask(ctx, s, func() (map[netip.Addr]*api.Peer, error) { return s.peers(), nil })
		if err != nil {
			return nil, err
		}
		for addr, p := range tunnels {
			if have := byAddr[addr]; have != nil {
				join(have, p)
				continue
			}
			byAddr[addr] = p
		}
	}
	var addrs []netip.Addr
	for addr := range byAddr {
		addrs = append(addrs, addr)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	var all []*api.Peer
	for _, addr := range addrs {
		all = append(all, byAddr[addr])
	}
	return all, nil
}

// peers describes the hosts of the shard's tunnels.
func (s *shard) peers() map[netip.Addr]*api.Peer {
	all := make(map[netip.Addr]*api.Peer)
	for _, t := range s.tunnels {
		if t.end != nil {
			continue
		}
		addr, peer := t.peer.Addr().Unmap(), t.core.Peer()
		p := &api.Peer{PeerIpaddr: new(addr.String()), Status: &api.PeerStatus{
			HostName: readable(peer.HostName), VendorName: readable(peer.VendorName),
			Tunnels: 1, Sessions: uint32(len(t.sessions)),
		}}
		if t.path != nil {
			p.LocalIpaddr = new(t.path.Local().Addr().Unmap().String())
		}
		if have := all[addr]; have != nil {
			join(have, p)
			continue
		}
		all[addr] = p
	}
	return all
}

// join adds to a peer what another says of the same host. Where several addresses of
// ours are in use none is said.
func join(p, more *api.Peer) {
	if p.GetLocalIpaddr() != more.GetLocalIpaddr() {
		p.LocalIpaddr = nil
	}
	st := p.Status
	st.Tunnels += more.Status.Tunnels
	st.Sessions += more.Status.Sessions
	if st.HostName == "" {
		st.HostName, st.VendorName = more.Status.HostName, more.Status.VendorName
	}
}

// ListUsers describes the sessions that have a user.
func (e *Engine) ListUsers(ctx context.Context, page management.Page) ([]*api.User, error) {
	var users []*api.User
	limit := page.Limit
	for {
		sessions, err := e.ListSessions(ctx, nil, page)
		if err != nil {
			return nil, err
		}
		for _, s := range sessions {
			if u := userOf(s); u != nil && len(users) < limit {
				users = append(users, u)
			}
		}
		if len(users) == limit || len(sessions) < page.Limit {
			return users, nil
		}
		page = page.AfterSessions(sessions)
		page.Limit = limit
	}
}

// userOf describes the user of a session that has a call: who has signed in, or as
// whom we sign in. It returns nil if there is none.
func userOf(s *api.Session) *api.User {
	st := s.GetStatus()
	name := st.GetUser()
	if name == "" {
		name = s.GetUserName()
	}
	if name == "" || st.GetCreatedAt() == nil {
		return nil
	}
	return &api.User{UserName: &name, Status: &api.UserStatus{
		CreatedByPeer: st.GetCreatedByPeer(),
		TunnelId:      s.GetTunnelId(),
		SessionId:     s.GetSessionId(),
		Interface:     st.GetInterface(),
		PeerIpv4:      st.GetPpp().GetPeerIpv4(),
		CreatedAt:     st.GetCreatedAt(),
	}}
}
