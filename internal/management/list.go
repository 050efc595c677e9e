package management

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/schema"
)

// Pages are of defaultPage objects if the client does not say, and never of
// more than maxPage.
const (
	defaultPage = 500
	maxPage     = 5000
)

func (s *Server) list(ctx context.Context, r *api.ListRequest) (*api.ListResponse, error) {
	filter := schema.Unwrap(r.GetFilter())
	if filter == nil {
		return nil, Errorf(ErrInvalid, "list: expected a kind of object")
	}
	filter = proto.Clone(filter) // the request is still to be logged
	size := int(r.GetPageSize())
	if size == 0 {
		size = defaultPage
	}
	size = min(size, maxPage)
	switch f := filter.(type) {
	case *api.Peer:
		return s.listPeers(ctx, f, size, r.GetPageToken())
	case *api.User:
		return s.listUsers(ctx, f, size, r.GetPageToken())
	}
	if schema.KindOf(filter).Live {
		return s.listLive(ctx, filter, size, r.GetPageToken())
	}
	return s.listStored(ctx, filter, size, r.GetPageToken())
}

// listStored pages through the store. The token is the number of objects
// passed: if objects go or come between pages some may be missed or repeated.
func (s *Server) listStored(ctx context.Context, filter proto.Message, size int,
	token string) (*api.ListResponse, error) {
	start, err := parseStart(token)
	if err != nil {
		return nil, err
	}
	snapshot := s.Store.Snapshot()
	res := &api.ListResponse{}
	all := snapshot.Objects(schema.KindOf(filter))
	for i := start; i < len(all); i++ {
		m := snapshot.Effective(all[i])
		if !agrees(m, filter) {
			continue
		}
		if len(res.Objects) == size {
			res.NextPageToken = strconv.Itoa(i)
			break
		}
		if err := s.addStatus(ctx, m); err != nil {
			return nil, err
		}
		if !agreesInStatus(m, filter) {
			continue
		}
		res.Objects = append(res.Objects, masked(m))
	}
	return res, nil
}

var errToken = Errorf(ErrInvalid, "list: expected the page token of a page before")

// parseStart reads a token that is the number of objects passed.
func parseStart(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(token, 10, 31)
	if err != nil {
		return 0, errToken
	}
	return int(n), nil
}

// listLive pages through the backend's objects. The token is the ID of the
// last one: objects that come and go do not disturb it.
func (s *Server) listLive(ctx context.Context, filter proto.Message, size int,
	token string) (*api.ListResponse, error) {
	page, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	page.Limit = size
	objects, err := s.livePage(ctx, filter, page)
	if err != nil {
		return nil, err
	}
	res := &api.ListResponse{}
	for _, m := range objects {
		ok, err := s.agreesLive(ctx, m, filter)
		if err != nil {
			return nil, err
		}
		if ok {
			res.Objects = append(res.Objects, masked(m))
		}
	}
	if len(objects) >= size {
		res.NextPageToken = tokenOf(page.after(objects))
	}
	return res, nil
}

func (s *Server) livePage(ctx context.Context, filter proto.Message, page Page) (
	[]proto.Message, error) {
	var all []proto.Message
	switch f := filter.(type) {
	case *api.Tunnel:
		tunnels, err := s.Backend.ListTunnels(ctx, page)
		for _, t := range tunnels {
			all = append(all, t)
		}
		return all, err
	case *api.Session:
		var tunnel *api.Tunnel
		if f.TunnelId != nil || f.TunnelName != nil {
			tunnel = &api.Tunnel{TunnelId: f.TunnelId, TunnelName: f.TunnelName}
			f.TunnelId, f.TunnelName = nil, nil
		}
		sessions, err := s.Backend.ListSessions(ctx, tunnel, page)
		for _, m := range sessions {
			all = append(all, m)
		}
		return all, err
	}
	return nil, Errorf(ErrInvalid, "list: %s is not live", schema.KindOf(filter).Words)
}

// after returns the page that follows one of objects.
func (p Page) after(objects []proto.Message) Page {
	if t, ok := objects[len(objects)-1].(*api.Tunnel); ok {
		return Page{AfterTunnel: uint16(t.GetTunnelId())}
	}
	var sessions []*api.Session
	for _, m := range objects {
		sessions = append(sessions, m.(*api.Session))
	}
	return p.AfterSessions(sessions)
}

func tokenOf(p Page) string {
	return fmt.Sprintf("%d.%d.%d", p.AfterTunnel, p.AfterSession, p.Waiting)
}

func parseToken(token string) (Page, error) {
	if token == "" {
		return Page{}, nil
	}
	var numbers [3]uint16
	parts := strings.Split(token, ".")
	if len(parts) != len(numbers) {
		return Page{}, errToken
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return Page{}, errToken
		}
		numbers[i] = uint16(n)
	}
	return Page{AfterTunnel: numbers[0], AfterSession: numbers[1], Waiting: int(numbers[2])}, nil
}
