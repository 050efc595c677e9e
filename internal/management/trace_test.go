package management_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/schema"
	"culvert/internal/trace"
	"culvert/l2tp"
)

// traced starts a server whose log is in the buffer, with a recorder.
func traced(t *testing.T) (apiconnect.ManagementClient, *trace.Recorder, *bytes.Buffer) {
	t.Helper()
	c, srv, _ := start(t)
	log := new(bytes.Buffer)
	srv.Trace = trace.New(trace.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	return c, srv.Trace, log
}

// texts asks for a trace.
func texts(t *testing.T, c apiconnect.ManagementClient, r *api.TraceRequest) (string, error) {
	t.Helper()
	res, err := c.Trace(t.Context(), connect.NewRequest(r))
	if err != nil {
		return "", err
	}
	var all []string
	for _, r := range res.Msg.GetRecords() {
		if r.GetTime().AsTime().IsZero() || r.GetTunnelId() == 0 || r.GetFlag() == "" {
			t.Errorf("record %v lacks something", r)
		}
		all = append(all, strings.TrimSpace(r.GetDirection()+" "+r.GetText()))
	}
	return strings.Join(all, "; "), nil
}

func TestTrace(t *testing.T) {
	c, r, _ := traced(t)
	made := create(t, c, tunnel(&api.Tunnel{TunnelName: new("office"), DestIpaddr: new("::1")})).GetTunnel()
	made2 := create(t, c, &api.Object{Kind: &api.Object_Session{Session: &api.Session{
		TunnelName: new("office"), SessionName: new("vpn"), UserName: new("alice"), UserPassword: new("p")}}}).GetSession()
	of := trace.Subject{Tunnel: l2tp.TunnelID(made.GetTunnelId())}
	r.Event(of, schema.TraceFSM, "the tunnel")
	of.Session = l2tp.SessionID(made2.GetSessionId())
	r.Frame(of, trace.Received, []byte{0xc0, 0x21, 5, 1, 0, 4}, false)
	r.Begin(trace.Subject{Tunnel: 77}, "old", "one that is gone")
	const session = "rx LCP Terminate-Request id=1"
	for _, tt := range []struct {
		r    *api.TraceRequest
		want string
		err  connect.Code
	}{
		{&api.TraceRequest{TunnelName: "office"}, "the tunnel; " + session, 0},
		{&api.TraceRequest{TunnelId: made.GetTunnelId()}, "the tunnel; " + session, 0},
		{&api.TraceRequest{TunnelName: "office", Limit: 1}, session, 0},
		{&api.TraceRequest{TunnelName: "office", SessionName: "vpn"}, session, 0},
		{&api.TraceRequest{TunnelName: "office", SessionId: made2.GetSessionId()}, session, 0},
		{&api.TraceRequest{TunnelName: "old"}, "one that is gone", 0},
		{&api.TraceRequest{TunnelName: "nobody"}, "", connect.CodeNotFound},
		{&api.TraceRequest{TunnelId: 78}, "", connect.CodeNotFound},
		{&api.TraceRequest{}, "", connect.CodeInvalidArgument},
	} {
		got, err := texts(t, c, tt.r)
		if got != tt.want || err != nil && connect.CodeOf(err) != tt.err || err == nil && tt.err != 0 {
			t.Errorf("%v: %q, %v; want %q, %v", tt.r, got, err, tt.want, tt.err)
		}
	}
}

// TestRequestsAreTraced: by the flag api, with their parameters, but not the secrets.
func TestRequestsAreTraced(t *testing.T) {
	c, _, log := traced(t)
	add := func(name string) {
		create(t, c, &api.Object{Kind: &api.Object_User{User: &api.User{
			UserName: &name, UserPassword: new("open sesame")}}})
	}
	add("before")
	if log.Len() > 0 {
		t.Errorf("traced although the flag is off: %s", log)
	}
	flags := uint32(schema.TraceAPI)
	if _, err := c.Modify(t.Context(), connect.NewRequest(&api.ModifyRequest{Object: &api.Object{
		Kind: &api.Object_System{System: &api.System{TraceFlags: &flags}}}})); err != nil {
		t.Fatal(err)
	}
	add("alice")
	c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{Object: tunnel(&api.Tunnel{TunnelId: new(uint32(9))})}))
	c.List(t.Context(), connect.NewRequest(&api.ListRequest{Filter: &api.Object{Kind: &api.Object_Session{
		Session: &api.Session{TunnelName: new("office"), UserPassword: new("open sesame")}}}}))
	c.Version(t.Context(), connect.NewRequest(&api.VersionRequest{}))
	if strings.Contains(log.String(), ": :") || strings.Contains(log.String(), ":\"") {
		t.Errorf("the log has colons with nothing behind:\n%s", log)
	}
	for _, want := range []string{": session tunnel_name=office", "msg=\"Create by ", "user user_name=alice user_password=********", "trace=api",
		"msg=\"Show by ", "tunnel tunnel_id=9: "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "sesame") {
		t.Errorf("the log has a secret:\n%s", log)
	}
}

// blocks counts the blocks of a pcapng file by their types. It must be whole.
func blocks(t *testing.T, b []byte) map[uint32]int {
	t.Helper()
	found := make(map[uint32]int)
	for len(b) > 0 {
		if len(b) < 12 {
			t.Fatalf("%d bytes are left, too few for a block", len(b))
		}
		n := binary.LittleEndian.Uint32(b[4:])
		if n%4 != 0 || int(n) > len(b) || binary.LittleEndian.Uint32(b[n-4:]) != n {
			t.Fatalf("a block of %d bytes, in front of %d", n, len(b))
		}
		found[binary.LittleEndian.Uint32(b)]++
		b = b[n:]
	}
	return found
}

func hello(peer string) trace.Packet {
	return trace.Packet{Tunnel: 5, Local: netip.MustParseAddrPort("192.0.2.1:1701"),
		Peer: netip.MustParseAddrPort(peer), Data: []byte("\xc8\x02\x00\x0c\x00\x01\x00\x00\x00\x00\x00\x00")}
}

func TestCapture(t *testing.T) {
	c, r, _ := traced(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.Capture(ctx, connect.NewRequest(&api.CaptureRequest{PeerIpaddr: "192.0.2.0/24", Packets: 3}))
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	parts := 0
	for stream.Receive() {
		if parts == 0 { // with the header the capture runs
			for range 5 {
				r.Capture(hello("198.51.100.1:1701"))
				r.Capture(hello("192.0.2.2:1701"))
			}
		}
		blocks(t, stream.Msg().GetData()) // each part ends with a block
		file = append(file, stream.Msg().GetData()...)
		if got := stream.Msg().GetPackets(); got != uint64(parts) {
			t.Errorf("part %d says that there were %d packets", parts, got)
		}
		parts++
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if got := blocks(t, file); got[0x0a0d0d0a] != 1 || got[1] != 1 || got[6] != 3 {
		t.Errorf("blocks by type: %v, want one section, one interface and 3 packets", got)
	}
}

func TestWrongCaptures(t *testing.T) {
	c, _, _ := traced(t)
	for _, tt := range []struct {
		r    *api.CaptureRequest
		code connect.Code
		text string
	}{
		{&api.CaptureRequest{TunnelName: "offcie"}, connect.CodeNotFound, ""},
		{&api.CaptureRequest{TunnelId: 9}, connect.CodeNotFound, ""},
		{&api.CaptureRequest{PeerIpaddr: "192.0.2"}, connect.CodeInvalidArgument, "expected an address or a prefix"},
	} {
		stream, err := c.Capture(t.Context(), connect.NewRequest(tt.r))
		if err == nil {
			for stream.Receive() {
				t.Errorf("%v: %v", tt.r, stream.Msg())
			}
			err = stream.Err()
		}
		if ce, ok := errors.AsType[*connect.Error](err); !ok || ce.Code() != tt.code ||
			!strings.Contains(ce.Message(), tt.text) {
			t.Errorf("%v: %v, want %v, %s", tt.r, err, tt.code, tt.text)
		}
	}
}
