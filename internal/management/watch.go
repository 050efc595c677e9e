package management

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/schema"
)

// Watch sends events as they happen.
func (h handler) Watch(ctx context.Context, r *connect.Request[api.WatchRequest],
	stream *connect.ServerStream[api.WatchResponse]) error {
	// The header goes at once: whoever has it sees all that happens from then on.
	begin := func() error { return stream.Send(nil) }
	return h.s.watch(ctx, r.Msg, begin, func(e *api.Event) error {
		return stream.Send(&api.WatchResponse{Event: e})
	})
}

// watch calls begin, and then send with the events that r asks for, until ctx is
// done or one of them fails. A slow send misses events: the log waits for nobody.
func (s *Server) watch(ctx context.Context, r *api.WatchRequest,
	begin func() error, send func(*api.Event) error) error {
	oldest, newest := s.Events.Range()
	after := r.GetAfter()
	switch {
	case r.GetReplay():
		after = oldest - 1
	case after == 0:
		after = newest
	case after > newest:
		return connect.NewError(connect.CodeOutOfRange, Errorf(ErrInvalid,
			"watch: after %d: the newest event is %d: the daemon has started anew since",
			after, newest))
	}
	if err := begin(); err != nil {
		return err
	}
	for !r.GetNoFollow() || after < newest {
		events, err := s.Events.Read(ctx, after)
		if err != nil {
			return err
		}
		for _, e := range events {
			if after = e.GetSequence(); !wanted(r, e) {
				continue
			}
			if err := send(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted reports whether an event is of those that r asks for. What was lost may
// have been.
func wanted(r *api.WatchRequest, e *api.Event) bool {
	switch {
	case e.GetType() == api.EventType_EVENT_TYPE_LOST:
		return true
	case len(r.GetTypes()) > 0 && !slices.Contains(r.GetTypes(), e.GetType()),
		r.GetTunnelId() != 0 && r.GetTunnelId() != e.GetTunnelId(),
		r.GetTunnelName() != "" && r.GetTunnelName() != e.GetTunnelName(),
		r.GetSessionId() != 0 && r.GetSessionId() != e.GetSessionId():
		return false
	}
	return true
}

// serveEvents sends events as lines of JSON, for those who have no client but
// curl. The fields of WatchRequest are parameters of the request.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !s.mayLook(w, r) {
		return
	}
	req, err := watchRequest(r.URL.Query())
	if err != nil {
		writeError(w, connect.NewError(connect.CodeInvalidArgument, err))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(endingOf(ctx), cancel)()
	out, begun := http.NewResponseController(w), false
	begin := func() error {
		begun = true
		w.Header().Set("Content-Type", "application/x-ndjson")
		return out.Flush()
	}
	err = s.watch(ctx, req, begin, func(e *api.Event) error {
		if _, err := s.admit(ctx, apiconnect.ManagementWatchProcedure, nil); err != nil {
			return err
		}
		line, err := jsonCodec{}.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		return out.Flush()
	})
	if err != nil && !begun {
		writeError(w, err)
	}
}

// watchRequest reads the parameters of a request for events.
func watchRequest(query map[string][]string) (*api.WatchRequest, error) {
	r := &api.WatchRequest{}
	for name, values := range query {
		for _, v := range values {
			if err := setWatch(r, name, v); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func setWatch(r *api.WatchRequest, name, v string) error {
	var n uint64
	var on bool
	var err error
	switch name {
	case "after":
		r.After, err = strconv.ParseUint(v, 10, 64)
	case "tunnel_id":
		n, err = strconv.ParseUint(v, 10, 16)
		r.TunnelId = uint32(n)
	case "session_id":
		n, err = strconv.ParseUint(v, 10, 16)
		r.SessionId = uint32(n)
	case "tunnel_name":
		r.TunnelName = v
	case "replay":
		on, err = strconv.ParseBool(v)
		r.Replay = on
	case "no_follow":
		on, err = strconv.ParseBool(v)
		r.NoFollow = on
	case "type":
		return addType(r, v)
	default:
		return Errorf(ErrInvalid, "events: unknown parameter %q: expected after, replay, no_follow, "+
			"type, tunnel_id, tunnel_name or session_id", name)
	}
	if err != nil {
		return Errorf(ErrInvalid, "events: %s=%q: expected a number, of replay and no_follow true or false",
			name, v)
	}
	return nil
}

// addType adds a type of events by its word.
func addType(r *api.WatchRequest, word string) error {
	values := api.EventType(0).Descriptor().Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 && schema.EnumWord(v) == word {
			r.Types = append(r.Types, api.EventType(v.Number()))
			return nil
		}
	}
	return Errorf(ErrInvalid, "events: unknown type %q: expected one such as tunnel-up or ppp-down",
		word)
}
