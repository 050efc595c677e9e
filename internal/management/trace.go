package management

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/schema"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// Trace returns what is in memory of a tunnel or session.
func (h handler) Trace(ctx context.Context, r *connect.Request[api.TraceRequest]) (
	*connect.Response[api.TraceResponse], error) {
	return answer(ctx, r, h.s.trace)
}

// Capture sends control messages as they come and go.
func (h handler) Capture(ctx context.Context, r *connect.Request[api.CaptureRequest],
	stream *connect.ServerStream[api.CaptureResponse]) error {
	return h.s.capture(ctx, r.Msg, stream.Send)
}

var errNoTrace = Errorf(ErrUnavailable, "this daemon keeps no traces")

func (s *Server) trace(ctx context.Context, r *api.TraceRequest) (*api.TraceResponse, error) {
	switch {
	case s.Trace == nil:
		return nil, errNoTrace
	case r.GetTunnelId() == 0 && r.GetTunnelName() == "":
		return nil, Errorf(ErrInvalid, "trace: expected tunnel_id or tunnel_name")
	}
	found := s.Trace.Find(s.query(ctx, r))
	if len(found) == 0 {
		return nil, Errorf(ErrNotFound, "%s: nothing is in memory of it", subjectOf(r))
	}
	res := &api.TraceResponse{}
	for _, f := range found {
		res.Records = append(res.Records, &api.TraceRecord{
			Time:      timestamppb.New(f.Time),
			TunnelId:  uint32(f.Tunnel),
			SessionId: uint32(f.Session),
			Direction: f.Direction,
			Flag:      f.Flag.String(),
			Text:      strings.ToValidUTF8(f.Text, "\uFFFD"), // what a peer says need not be
		})
	}
	return res, nil
}

// query finds out which identifiers the names stand for now. Those that no longer
// exist have left their names in memory.
func (s *Server) query(ctx context.Context, r *api.TraceRequest) trace.Query {
	q := trace.Query{
		Tunnel:      l2tp.TunnelID(r.GetTunnelId()),
		TunnelName:  r.GetTunnelName(),
		Session:     l2tp.SessionID(r.GetSessionId()),
		SessionName: r.GetSessionName(),
		Limit:       int(r.GetLimit()),
	}
	key := &api.Tunnel{TunnelId: &r.TunnelId}
	if q.TunnelName != "" {
		key = &api.Tunnel{TunnelName: &r.TunnelName}
		if t, ok := s.liveTunnel(ctx, key); ok {
			q.Tunnel = l2tp.TunnelID(t.GetTunnelId())
		}
	}
	if q.SessionName == "" {
		return q
	}
	shown, err := s.Backend.ShowSession(ctx, &api.Session{
		TunnelId: key.TunnelId, TunnelName: key.TunnelName, SessionName: &r.SessionName})
	if live, ok := shown.Object.(*api.Session); err == nil && ok {
		q.Session = l2tp.SessionID(live.GetSessionId())
	}
	return q
}

// liveTunnel finds a tunnel that exists.
func (s *Server) liveTunnel(ctx context.Context, key *api.Tunnel) (*api.Tunnel, bool) {
	shown, err := s.Backend.ShowTunnel(ctx, key)
	t, ok := shown.Object.(*api.Tunnel)
	return t, ok && err == nil
}

// subjectOf names what a request is about.
func subjectOf(r *api.TraceRequest) string {
	text := "tunnel " + r.GetTunnelName()
	if r.GetTunnelName() == "" {
		text = fmt.Sprintf("tunnel %d", r.GetTunnelId())
	}
	switch {
	case r.GetSessionName() != "":
		text += ", session " + r.GetSessionName()
	case r.GetSessionId() != 0:
		text += fmt.Sprintf(", session %d", r.GetSessionId())
	}
	return text
}

// capture sends the parts of a pcapng file until ctx is done, enough packets were
// sent, or send fails.
func (s *Server) capture(ctx context.Context, r *api.CaptureRequest,
	send func(*api.CaptureResponse) error) error {
	filter, err := s.filter(ctx, r)
	if err != nil {
		return connectError(err)
	}
	c, err := s.Trace.NewCapture(filter)
	if err != nil {
		return connectError(Errorf(ErrUnavailable, "capture: %w", err))
	}
	defer c.Close()
	var w trace.Writer
	res := api.CaptureResponse{Data: w.Header("culvertd " + s.Version)}
	for {
		if err := send(&res); err != nil {
			return err
		}
		if n := r.GetPackets(); n > 0 && res.Packets >= n {
			return nil
		}
		p, err := c.Next(ctx)
		if err != nil {
			return err
		}
		res.Packets++
		res.Missed += p.Missed
		res.Data = w.Packet(p)
	}
}

// filter says which packets a request wants.
func (s *Server) filter(ctx context.Context, r *api.CaptureRequest) (f trace.Filter, err error) {
	if s.Trace == nil {
		return f, errNoTrace
	}
	f.Tunnel, f.TunnelName = l2tp.TunnelID(r.GetTunnelId()), r.GetTunnelName()
	for _, key := range []*api.Tunnel{{TunnelId: &r.TunnelId}, {TunnelName: &r.TunnelName}} {
		if key.GetTunnelId() == 0 && key.GetTunnelName() == "" {
			continue
		}
		if _, err := s.Backend.ShowTunnel(ctx, key); err != nil {
			return f, err // it would wait for ever for a name that was misspelt
		}
	}
	if text := r.GetPeerIpaddr(); text != "" {
		f.Peer, err = parsePeer(text)
	}
	return f, err
}

// parsePeer reads an address or a prefix.
func parsePeer(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, Errorf(ErrInvalid, "capture: peer_ipaddr %q: expected an address or a prefix, "+
			"such as 192.0.2.1 or 192.0.2.0/24", text)
	}
	return p.Masked(), nil
}

// traceRequest tells of a request where the trace flag api is on for everything.
func (s *Server) traceRequest(
	sys config.System, id Identity, procedure string, message any, err error,
) {
	flags := sys.Trace | s.Trace.System()
	if flags&schema.TraceAPI == 0 {
		return
	}
	text := fmt.Sprintf("%s by %s", path.Base(procedure), id.Name)
	if what := describe(message); what != "" {
		text += ": " + what
	}
	if err != nil {
		text += ": " + err.Error()
	}
	s.Trace.Tell(trace.Subject{Flags: flags}, schema.TraceAPI, text)
}

// describe is what a request says of an object, or of those that it asks for, in one
// line without secrets.
func describe(message any) string {
	var object *api.Object
	switch m := message.(type) {
	case interface{ GetObject() *api.Object }:
		object = m.GetObject()
	case interface{ GetFilter() *api.Object }:
		object = m.GetFilter()
	}
	o := schema.Unwrap(object)
	if o == nil {
		return ""
	}
	masked := proto.Clone(o)
	schema.Mask(masked)
	words := []string{schema.KindOf(masked).Words}
	for _, f := range schema.KindOf(masked).Fields(masked) {
		if f.Name != "status" {
			words = append(words, fmt.Sprintf("%s=%v", f.Name, f.Value))
		}
	}
	return strings.Join(words, " ")
}
