package management

import (
	"context"

	"google.golang.org/protobuf/proto"

	"culvert/api"
)

// A Backend holds what lives: tunnels, sessions and the counts of the system.
// Its methods are called from many goroutines at once.
//
// An object that names a tunnel or session (a key) has tunnel_name or
// tunnel_id set, and session_name or session_id. What is returned has the
// parameters that were set, the keys, and status; secrets may be left in,
// the server masks them.
//
// Errors are wrapped with ErrNotFound, ErrExists, ErrRefused, ErrUnavailable or ErrInvalid so that
// the shell can say what went wrong; others are reported as internal.
type Backend interface {
	// CreateTunnel begins to open a tunnel. It returns when the tunnel exists, not
	// when it is established. The parameters were validated and resolve.
	CreateTunnel(ctx context.Context, t *api.Tunnel) (*api.Tunnel, error)
	// ModifyTunnel sets the parameters that t sets and those of unset back to
	// what profiles say, of a tunnel that a peer opened too. A tunnel_name beside
	// the tunnel_id renames the tunnel.
	ModifyTunnel(ctx context.Context, t *api.Tunnel, unset []string) (*api.Tunnel, error)
	// DeleteTunnel ends a tunnel and its sessions; reason is told to the peer.
	DeleteTunnel(ctx context.Context, key *api.Tunnel, reason string) (*api.Tunnel, error)
	ShowTunnel(ctx context.Context, key *api.Tunnel) (Shown, error)
	// ListTunnels returns a page, ordered by tunnel_id.
	ListTunnels(ctx context.Context, page Page) ([]*api.Tunnel, error)

	CreateSession(ctx context.Context, s *api.Session) (*api.Session, error)
	ModifySession(ctx context.Context, s *api.Session, unset []string) (*api.Session, error)
	DeleteSession(ctx context.Context, key *api.Session, reason string) (*api.Session, error)
	ShowSession(ctx context.Context, key *api.Session) (Shown, error)
	// ListSessions returns a page of one tunnel's sessions if tunnel names one,
	// else of all. They are ordered by tunnel_id; within a tunnel those that wait
	// for a call, which have no created_at, come first, then the others by session_id.
	ListSessions(ctx context.Context, tunnel *api.Tunnel, page Page) ([]*api.Session, error)

	// SystemStatus is what system show adds to the configuration.
	SystemStatus(ctx context.Context) (*api.SystemStatus, error)
	// PoolStatus returns nil for a pool from which nothing was ever given.
	PoolStatus(ctx context.Context, name string) (*api.PoolStatus, error)
	// ResetStatistics sets the counters of SystemStatus.Statistics to zero.
	ResetStatistics(ctx context.Context) error

	// ListPeers returns the hosts with which there are tunnels, ordered by address.
	ListPeers(ctx context.Context) ([]*api.Peer, error)
	// ListUsers returns a page of the sessions that have a user, as a listing of
	// users shows them, in the order of ListSessions.
	ListUsers(ctx context.Context, page Page) ([]*api.User, error)
}

// A Configurator checks and loads whole configurations, and keeps those that
// once ran. An author is who asked: Identity.Name. Faults of a configuration are part of
// the answer, not errors.
type Configurator interface {
	Check(ctx context.Context, r *api.CheckConfigRequest) (*api.CheckConfigResponse, error)
	Load(ctx context.Context, author string, r *api.LoadConfigRequest) (
		*api.LoadConfigResponse, error)
	Confirm(ctx context.Context, author string) (*api.ConfirmConfigResponse, error)
	Write(ctx context.Context, author string, r *api.WriteConfigRequest) (
		*api.WriteConfigResponse, error)
	Revisions(ctx context.Context) (*api.ListRevisionsResponse, error)
	Revision(ctx context.Context, r *api.GetRevisionRequest) (*api.GetRevisionResponse, error)
}

// Shown is one live object with everything about it.
type Shown struct {
	// Object has what was set, the keys, and status.
	Object proto.Message
	// Effective has what it runs with, profiles and defaults included, and Origins
	// says for each of its parameters where the value comes from.
	Effective proto.Message
	Origins   map[string]string
	// Of a session: the parameters of its PPP link, in the same way.
	Link        *api.PPPProfile
	LinkOrigins map[string]string
}

// A Page is which part of a listing is wanted.
type Page struct {
	// The page begins after this tunnel and session; zeros for the first page.
	AfterTunnel, AfterSession uint16
	// Waiting is how many of AfterTunnel's sessions that wait for a call, which
	// come before those that have one, are on earlier pages.
	Waiting int
	// Limit is how many objects to return at most. Fewer mean that there are
	// no more.
	Limit int
}

// AfterSessions returns the page that follows one of sessions.
func (p Page) AfterSessions(list []*api.Session) Page {
	last := list[len(list)-1]
	next := Page{AfterTunnel: uint16(last.GetTunnelId()), Limit: p.Limit}
	if !waits(last.GetStatus()) {
		next.AfterSession = uint16(last.GetSessionId())
		return next
	}
	if next.AfterTunnel == p.AfterTunnel {
		next.Waiting = p.Waiting
	}
	for _, s := range list {
		if s.GetTunnelId() == last.GetTunnelId() {
			next.Waiting++
		}
	}
	return next
}

// waits reports whether a session is one that waits for its call.
func waits(s *api.SessionStatus) bool {
	waiting := s.GetState() == api.SessionState_SESSION_STATE_WAIT_TUNNEL ||
		s.GetState() == api.SessionState_SESSION_STATE_RETRY
	return waiting && s.GetCreatedAt() == nil
}
