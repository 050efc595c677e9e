package management

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// peer finds the host of an address, with which there are tunnels.
func (s *Server) peer(ctx context.Context, key *api.Peer) (*api.Peer, error) {
	peers, err := s.Backend.ListPeers(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(peers, func(p *api.Peer) bool {
		return p.GetPeerIpaddr() == key.GetPeerIpaddr()
	})
	if i < 0 {
		return nil, Errorf(ErrNotFound, "there is no tunnel with %s", schema.Label(key))
	}
	return peers[i], nil
}

// listPeers pages through the hosts with which there are tunnels, by their number.
func (s *Server) listPeers(ctx context.Context, filter *api.Peer, size int,
	token string) (*api.ListResponse, error) {
	start, err := parseStart(token)
	if err != nil {
		return nil, err
	}
	peers, err := s.Backend.ListPeers(ctx)
	if err != nil {
		return nil, err
	}
	res := &api.ListResponse{}
	for i := start; i < len(peers); i++ {
		if !agrees(peers[i], filter) || !agreesInStatus(peers[i], filter) {
			continue
		}
		if len(res.Objects) == size {
			res.NextPageToken = strconv.Itoa(i)
			break
		}
		res.Objects = append(res.Objects, masked(peers[i]))
	}
	return res, nil
}

// user finds a user by the configuration, his sessions or both. The session told of is
// the first.
func (s *Server) user(ctx context.Context, key *api.User) (Shown, error) {
	u, err := s.userOfSession(ctx, key.GetUserName())
	if err != nil {
		return Shown{}, err
	}
	snapshot := s.Store.Snapshot()
	known, ok := snapshot.Object(key)
	switch {
	case ok:
		m := proto.CloneOf(known.(*api.User))
		m.Status = u.GetStatus()
		e := snapshot.Explain(m)
		return Shown{Object: m, Effective: e.Effective, Origins: e.Origins}, nil
	case u != nil:
		return Shown{Object: u}, nil
	}
	return Shown{}, Errorf(ErrNotFound, "there is no %s", schema.Label(key))
}

// userOfSession finds the first session of a user. It is nil if he has none.
func (s *Server) userOfSession(ctx context.Context, name string) (found *api.User, err error) {
	err = s.eachUser(ctx, func(u *api.User) bool {
		if u.GetUserName() == name {
			found = u
		}
		return found == nil
	})
	return found, err
}

// configuredUsers begins the tokens of the second part of a listing of users.
const configuredUsers = "configured."

// listUsers lists the sessions that have a user, and then the users of the
// configuration who have none.
func (s *Server) listUsers(ctx context.Context, filter *api.User, size int,
	token string) (*api.ListResponse, error) {
	if rest, ok := strings.CutPrefix(token, configuredUsers); ok {
		return s.listIdleUsers(ctx, filter, size, rest)
	}
	page, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	page.Limit = size
	users, err := s.Backend.ListUsers(ctx, page)
	if err != nil {
		return nil, err
	}
	res, snapshot := &api.ListResponse{}, s.Store.Snapshot()
	for _, u := range users {
		u = proto.CloneOf(u)
		if known, ok := snapshot.Object(&api.User{UserName: u.UserName}); ok {
			schema.Inherit(u, known)
		}
		if agrees(u, filter) && agreesInStatus(u, filter) {
			res.Objects = append(res.Objects, masked(u))
		}
	}
	res.NextPageToken = configuredUsers
	if len(users) == size {
		last := users[len(users)-1].GetStatus()
		res.NextPageToken = tokenOf(Page{AfterTunnel: uint16(last.GetTunnelId()),
			AfterSession: uint16(last.GetSessionId())})
	}
	if len(res.Objects) == 0 && len(users) < size {
		return s.listIdleUsers(ctx, filter, size, "")
	}
	return res, nil
}

// listIdleUsers lists the users of the configuration who have no session.
func (s *Server) listIdleUsers(ctx context.Context, filter *api.User, size int,
	token string) (*api.ListResponse, error) {
	busy, err := s.busyUsers(ctx)
	if err != nil {
		return nil, err
	}
	start, err := parseStart(token)
	if err != nil {
		return nil, err
	}
	res, snapshot := &api.ListResponse{}, s.Store.Snapshot()
	all := snapshot.Objects(schema.KindOf(filter))
	for i := start; i < len(all); i++ {
		u := snapshot.Effective(all[i]).(*api.User)
		if busy[u.GetUserName()] || !agrees(u, filter) || !agreesInStatus(u, filter) {
			continue
		}
		if len(res.Objects) == size {
			res.NextPageToken = configuredUsers + strconv.Itoa(i)
			break
		}
		res.Objects = append(res.Objects, masked(u))
	}
	return res, nil
}

// busyUsers are those who have a session.
func (s *Server) busyUsers(ctx context.Context) (map[string]bool, error) {
	busy := make(map[string]bool)
	err := s.eachUser(ctx, func(u *api.User) bool {
		busy[u.GetUserName()] = true
		return true
	})
	return busy, err
}

// eachUser calls yield for each session that has a user, until it says false.
func (s *Server) eachUser(ctx context.Context, yield func(*api.User) bool) error {
	page := Page{Limit: maxPage}
	for {
		users, err := s.Backend.ListUsers(ctx, page)
		if err != nil {
			return err
		}
		for _, u := range users {
			if !yield(u) {
				return nil
			}
		}
		if len(users) < page.Limit {
			return nil
		}
		last := users[len(users)-1].GetStatus()
		page.AfterTunnel = uint16(last.GetTunnelId())
		page.AfterSession = uint16(last.GetSessionId())
	}
}
