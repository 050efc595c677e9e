package management

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/api/apiconnect"
)

// maxRequest is how large a request may be: a whole configuration fits in.
const maxRequest = 32 << 20

// handler answers what comes by the socket.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	prefix, rpc := apiconnect.NewManagementHandler(handler{s: s},
		connect.WithInterceptors(gate{s}),
		connect.WithRecover(s.recovered),
		connect.WithReadMaxBytes(maxRequest),
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
	)
	methods := api.File_culvert_v1_management_proto.Services().ByName("Management").Methods()
	for i := range methods.Len() {
		procedure := prefix + string(methods.Get(i).Name())
		mux.Handle(procedure, s.threshold(procedure, rpc))
	}
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	mux.HandleFunc("GET /events", s.serveEvents)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, connect.NewError(connect.CodeUnimplemented, fmt.Errorf("%s %s: no such request: "+
			"expected POST /%s/METHOD, GET /events or GET /metrics", r.Method, r.URL.Path,
			apiconnect.ManagementName)))
	})
	return mux
}

// threshold refuses who may not make a request before it is read: the gate sees it
// only when all of it is in memory, and strangers are not to fill that.
func (s *Server) threshold(procedure string, rpc http.Handler) http.Handler {
	refusals := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := s.admit(r.Context(), procedure, nil)
		if err == nil {
			rpc.ServeHTTP(w, r)
			return
		}
		s.logRequest(r.Context(), procedure, nil, err)
		if !refusals.IsSupported(r) {
			writeError(w, err)
		} else if err := refusals.Write(w, r, err); err != nil {
			s.log().Debug("refusing a request", "err", err)
		}
	})
}

// recovered answers a request that struck a fault of ours.
func (s *Server) recovered(_ context.Context, spec connect.Spec, _ http.Header, cause any) error {
	s.log().Error("INTERNAL FAULT, please report it", "request", spec.Procedure, "panic", cause,
		"stack", string(debug.Stack()))
	return connect.NewError(connect.CodeInternal, errors.New("internal fault, see the log"))
}

// remoteHandler answers what comes over TLS, by the certificate of the client.
func (s *Server) remoteHandler(keys *keyring) http.Handler {
	h := s.handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shown := r.TLS.PeerCertificates; len(shown) > 0 {
			who := &remote{cert: shown[0], chain: shown[1:], keys: keys}
			r = r.WithContext(context.WithValue(r.Context(), callerKey{}, caller(who)))
		}
		h.ServeHTTP(w, r)
	})
}

// metricsAlone answers requests for metrics, whoever asks.
func (s *Server) metricsAlone() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.writeMetrics)
	return mux
}

// serveMetrics answers requests for metrics from those who may look.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if s.mayLook(w, r) {
		s.writeMetrics(w, r)
	}
}

func (s *Server) writeMetrics(w http.ResponseWriter, r *http.Request) {
	if s.Metrics == nil {
		http.NotFound(w, r)
		return
	}
	s.Metrics.ServeHTTP(w, r)
}

// mayLook reports whether whoever asks may look; if not it says why.
func (s *Server) mayLook(w http.ResponseWriter, r *http.Request) bool {
	if _, err := s.admit(r.Context(), apiconnect.ManagementWatchProcedure, nil); err != nil {
		writeError(w, err)
		return false
	}
	return true
}

// writeError answers with an error as the RPCs have them.
func writeError(w http.ResponseWriter, err error) {
	body := struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{connect.CodeOf(err).String(), err.Error()}
	if ce, ok := errors.AsType[*connect.Error](err); ok {
		body.Message = ce.Message()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus(connect.CodeOf(err)))
	json.NewEncoder(w).Encode(body)
}

// httpStatus is the status that Connect gives to the errors of the requests here.
func httpStatus(c connect.Code) int {
	switch c {
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeUnimplemented:
		return http.StatusNotFound
	case connect.CodeInvalidArgument, connect.CodeOutOfRange:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// A jsonCodec is Connect's but for two things: fields have the names of the
// parameters, as everywhere, and one that does not exist is an error: a misspelt
// parameter is not to be passed over in silence.
type jsonCodec struct{ name string }

// Name is the codec's name in the content type.
func (c jsonCodec) Name() string { return c.name }

// IsBinary reports that it is text.
func (c jsonCodec) IsBinary() bool { return false }

// Marshal writes a message.
func (c jsonCodec) Marshal(m any) ([]byte, error) { return c.MarshalAppend(nil, m) }

// MarshalStable writes a message, for requests by GET.
func (c jsonCodec) MarshalStable(m any) ([]byte, error) { return c.MarshalAppend(nil, m) }

// MarshalAppend appends a message.
func (c jsonCodec) MarshalAppend(b []byte, m any) ([]byte, error) {
	message, ok := m.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", m)
	}
	return protojson.MarshalOptions{UseProtoNames: true}.MarshalAppend(b, message)
}

// Unmarshal reads a message.
func (c jsonCodec) Unmarshal(b []byte, m any) error {
	message, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", m)
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return errors.New("the request is empty: expected a JSON object, {} at least")
	}
	if err := protojson.Unmarshal(b, message); err != nil {
		return fmt.Errorf("reading %s: %s", message.ProtoReflect().Descriptor().Name(), plain(err))
	}
	return nil
}

// plain is the text of a protojson error without its first word, which says what
// library it is from, and without the spaces that it puts there at random.
func plain(err error) string {
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	text = strings.TrimPrefix(text, "proto: ")
	return strings.TrimSpace(text)
}
