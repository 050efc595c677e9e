package managementtest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/management"
	"culvert/internal/schema"
)

// A Fake is a Backend in memory. Its zero value is ready for use.
type Fake struct {
	// Err, if it is set, is what every method returns.
	Err error
	// Reasons are those of the tunnels and sessions deleted.
	Reasons []string
	// Resets is how often the statistics were set to zero.
	Resets int

	mu       sync.Mutex
	tunnels  []*api.Tunnel
	sessions []*api.Session
	lastID   uint32
}

var _ management.Backend = (*Fake)(nil)

func (f *Fake) tunnel(name *string, id *uint32) (*api.Tunnel, error) {
	for _, t := range f.tunnels {
		if name != nil && t.GetTunnelName() == *name || id != nil && t.GetTunnelId() == *id {
			return t, f.Err
		}
	}
	return nil, notFound(&api.Tunnel{TunnelName: name, TunnelId: id})
}

func (f *Fake) session(key *api.Session) (*api.Session, error) {
	t, err := f.tunnel(key.TunnelName, key.TunnelId)
	if err != nil {
		return nil, err
	}
	for _, s := range f.sessions {
		if s.GetTunnelId() != t.GetTunnelId() {
			continue
		}
		if key.SessionName != nil && s.GetSessionName() == key.GetSessionName() ||
			key.SessionId != nil && s.GetSessionId() == key.GetSessionId() {
			return s, f.Err
		}
	}
	return nil, notFound(key)
}

func notFound(m proto.Message) error {
	return management.Errorf(management.ErrNotFound, "there is no %s", schema.Label(m))
}

// CreateTunnel makes an established tunnel, with the next free ID.
func (f *Fake) CreateTunnel(_ context.Context, t *api.Tunnel) (*api.Tunnel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.tunnel(t.TunnelName, t.TunnelId); err == nil {
		return nil, management.Errorf(management.ErrExists, "%s exists already", schema.Label(t))
	}
	t = proto.CloneOf(t)
	if t.TunnelId == nil {
		f.lastID++
		t.TunnelId = new(f.lastID)
	}
	t.Status = &api.TunnelStatus{
		State:        api.TunnelState_TUNNEL_STATE_ESTABLISHED,
		PeerAddress:  t.GetDestIpaddr() + ":1701",
		PeerTunnelId: 4711,
		LocalResult:  &api.Result{ResultCode: 2, ErrorCode: 6, Message: "try later"},
	}
	f.tunnels = append(f.tunnels, t)
	return t, f.Err
}

// ModifyTunnel changes what is set.
func (f *Fake) ModifyTunnel(_ context.Context, t *api.Tunnel, unset []string) (*api.Tunnel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := t.TunnelName
	if t.TunnelId != nil {
		name = nil // that is the new one
	}
	old, err := f.tunnel(name, t.TunnelId)
	if err == nil {
		schema.Update(old, t, unset)
	}
	return old, err
}

// DeleteTunnel removes a tunnel and its sessions.
func (f *Fake) DeleteTunnel(_ context.Context, key *api.Tunnel, reason string) (*api.Tunnel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, err := f.tunnel(key.TunnelName, key.TunnelId)
	if err != nil {
		return nil, err
	}
	f.tunnels = slices.DeleteFunc(f.tunnels, func(x *api.Tunnel) bool { return x == t })
	f.sessions = slices.DeleteFunc(f.sessions, func(x *api.Session) bool {
		return x.GetTunnelId() == t.GetTunnelId()
	})
	f.Reasons = append(f.Reasons, reason)
	return t, nil
}

// ShowTunnel finds a tunnel.
func (f *Fake) ShowTunnel(_ context.Context, key *api.Tunnel) (management.Shown, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, err := f.tunnel(key.TunnelName, key.TunnelId)
	return management.Shown{Object: t}, err
}

// ListTunnels returns a page.
func (f *Fake) ListTunnels(_ context.Context, page management.Page) ([]*api.Tunnel, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.SortedFunc(slices.Values(f.tunnels), func(a, b *api.Tunnel) int {
		return cmp.Compare(a.GetTunnelId(), b.GetTunnelId())
	})
	all = slices.DeleteFunc(all, func(t *api.Tunnel) bool {
		return t.GetTunnelId() <= uint32(page.AfterTunnel)
	})
	return all[:min(len(all), page.Limit)], f.Err
}

// CreateSession makes a session that is up.
func (f *Fake) CreateSession(_ context.Context, s *api.Session) (*api.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, err := f.tunnel(s.TunnelName, s.TunnelId)
	if err != nil {
		return nil, err
	}
	if _, err := f.session(s); err == nil {
		return nil, management.Errorf(management.ErrExists, "%s exists already", schema.Label(s))
	}
	s = proto.CloneOf(s)
	s.TunnelId, s.TunnelName = t.TunnelId, t.TunnelName
	if s.SessionId == nil {
		f.lastID++
		s.SessionId = new(f.lastID)
	}
	s.Status = &api.SessionStatus{
		State:     api.SessionState_SESSION_STATE_UP,
		Interface: "ppp0",
		Ppp:       &api.PPPStatus{PeerIpv4: "10.0.0.1"},
	}
	f.sessions = append(f.sessions, s)
	return s, f.Err
}

// ModifySession changes what is set.
func (f *Fake) ModifySession(_ context.Context, s *api.Session, unset []string) (*api.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, err := f.session(s)
	if err == nil {
		schema.Update(old, s, unset)
	}
	return old, err
}

// DeleteSession removes a session.
func (f *Fake) DeleteSession(_ context.Context, key *api.Session, reason string) (*api.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.session(key)
	if err != nil {
		return nil, err
	}
	f.sessions = slices.DeleteFunc(f.sessions, func(x *api.Session) bool { return x == s })
	f.Reasons = append(f.Reasons, reason)
	return s, nil
}

// ShowSession finds a session.
func (f *Fake) ShowSession(_ context.Context, key *api.Session) (management.Shown, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := f.session(key)
	return management.Shown{Object: s}, err
}

// ListSessions returns a page.
func (f *Fake) ListSessions(_ context.Context, tunnel *api.Tunnel, page management.Page) (
	[]*api.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	only := uint32(0)
	if tunnel != nil {
		t, err := f.tunnel(tunnel.TunnelName, tunnel.TunnelId)
		if err != nil {
			return nil, err
		}
		only = t.GetTunnelId()
	}
	order := func(s *api.Session) uint32 { return s.GetTunnelId()<<16 | s.GetSessionId() }
	all := slices.SortedFunc(slices.Values(f.sessions), func(a, b *api.Session) int {
		return cmp.Compare(order(a), order(b))
	})
	after := uint32(page.AfterTunnel)<<16 | uint32(page.AfterSession)
	all = slices.DeleteFunc(all, func(s *api.Session) bool {
		return order(s) <= after || only != 0 && s.GetTunnelId() != only
	})
	return all[:min(len(all), page.Limit)], f.Err
}

// SystemStatus counts tunnels and sessions.
func (f *Fake) SystemStatus(context.Context) (*api.SystemStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &api.SystemStatus{
		Version:   "test",
		Dataplane: "fake",
		Tunnels:   uint32(len(f.tunnels)),
		Sessions:  uint32(len(f.sessions)),
	}, f.Err
}

// PoolStatus knows no pool.
func (f *Fake) PoolStatus(context.Context, string) (*api.PoolStatus, error) { return nil, f.Err }

// ResetStatistics counts how often it is asked to.
func (f *Fake) ResetStatistics(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Resets++
	return f.Err
}

// ListPeers lists the addresses where the tunnels lead.
func (f *Fake) ListPeers(context.Context) ([]*api.Peer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*api.Peer
	for _, t := range f.tunnels {
		i := slices.IndexFunc(all, func(p *api.Peer) bool {
			return p.GetPeerIpaddr() == t.GetDestIpaddr()
		})
		if i < 0 {
			i = len(all)
			all = append(all, &api.Peer{PeerIpaddr: t.DestIpaddr, Status: &api.PeerStatus{}})
		}
		all[i].Status.Tunnels++
	}
	slices.SortFunc(all, func(a, b *api.Peer) int {
		return cmp.Compare(a.GetPeerIpaddr(), b.GetPeerIpaddr())
	})
	return all, f.Err
}

// ListUsers lists the sessions that were created with a user_name.
func (f *Fake) ListUsers(ctx context.Context, page management.Page) ([]*api.User, error) {
	sessions, err := f.ListSessions(ctx, nil, management.Page{Limit: 1 << 30,
		AfterTunnel: page.AfterTunnel, AfterSession: page.AfterSession})
	var all []*api.User
	for _, s := range sessions {
		if s.UserName != nil && len(all) < page.Limit {
			all = append(all, &api.User{UserName: s.UserName, Status: &api.UserStatus{
				TunnelId: s.GetTunnelId(), SessionId: s.GetSessionId(),
				Interface: s.GetStatus().GetInterface()}})
		}
	}
	return all, err
}
