package management_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/event"
	"culvert/internal/management"
	"culvert/internal/schema"
)

func load(t *testing.T, srv *management.Server, text string) {
	t.Helper()
	if err := srv.Store.Load("x", []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// listed are the names of all objects that agree with a filter, in pages of two.
func listed(t *testing.T, c apiconnect.ManagementClient, filter proto.Message) []string {
	t.Helper()
	var names []string
	req := &api.ListRequest{Filter: schema.Wrap(filter), PageSize: 2}
	for range 100 {
		r, err := c.List(t.Context(), connect.NewRequest(req))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Msg.Objects {
			m := schema.Unwrap(o)
			names = append(names, schema.KindOf(m).Name(m))
		}
		if req.PageToken = r.Msg.NextPageToken; req.PageToken == "" {
			return names
		}
	}
	t.Fatal("the pages have no end")
	return nil
}

// makeSessions makes a tunnel to an address with a session of each user.
func makeSessions(t *testing.T, c apiconnect.ManagementClient, name, addr string, users ...string) {
	t.Helper()
	create(t, c, tunnel(&api.Tunnel{TunnelName: &name, DestIpaddr: &addr}))
	for _, u := range users {
		create(t, c, schema.Wrap(&api.Session{TunnelName: &name, SessionName: new("s-" + u),
			UserName: &u, UserPassword: new("p")}))
	}
}

// TestUsers: those with a session, and those of the configuration who have none.
func TestUsers(t *testing.T) {
	c, srv, _ := start(t)
	for _, u := range []string{"alice", "bob", "carol", "dave", "erin"} {
		load(t, srv, "user create user_name="+u+" user_password=p\n")
	}
	if got := listed(t, c, &api.User{}); len(got) != 5 {
		t.Errorf("without a session there are %v", got)
	}
	makeSessions(t, c, "a", "192.0.2.1", "bob", "zoe")
	got := listed(t, c, &api.User{})
	if want := []string{"bob", "zoe", "alice", "carol", "dave", "erin"}; !slices.Equal(got, want) {
		t.Errorf("users are %v, want %v", got, want)
	}
	if got := listed(t, c, &api.User{UserName: new("zoe")}); !slices.Equal(got, []string{"zoe"}) {
		t.Errorf("of zoe there are %v", got)
	}
	if got := listed(t, c, &api.User{Status: &api.UserStatus{Interface: "ppp0"}}); len(got) != 2 {
		t.Errorf("with an interface there are %v", got)
	}
}

func TestPeers(t *testing.T) {
	c, _, _ := start(t)
	makeSessions(t, c, "a", "192.0.2.1")
	makeSessions(t, c, "b", "192.0.2.2")
	makeSessions(t, c, "c", "192.0.2.3")
	makeSessions(t, c, "d", "192.0.2.1")
	got := listed(t, c, &api.Peer{})
	if want := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}; !slices.Equal(got, want) {
		t.Errorf("peers are %v, want %v", got, want)
	}
	r, err := c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{
		Object: schema.Wrap(&api.Peer{PeerIpaddr: new("192.0.2.1")})}))
	if err != nil || r.Msg.Object.GetPeer().Status.Tunnels != 2 {
		t.Errorf("the peer is %v, %v", r, err)
	}
	_, err = c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{
		Object: schema.Wrap(&api.Peer{PeerIpaddr: new("192.0.2.9")})}))
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a peer that is not there: %v", err)
	}
}

// TestFilters: by status, and by what is inherited.
func TestFilters(t *testing.T) {
	c, srv, _ := start(t)
	makeSessions(t, c, "a", "192.0.2.1", "alice", "bob")
	load(t, srv, "tunnel profile create profile_name=p\npool create pool_name=x addresses=10.0.0.0/24\n")
	for _, f := range []struct {
		filter proto.Message
		want   int
	}{
		{&api.Session{Status: &api.SessionStatus{State: api.SessionState_SESSION_STATE_UP}}, 2},
		{&api.Session{Status: &api.SessionStatus{State: api.SessionState_SESSION_STATE_RETRY}}, 0},
		{&api.Session{Status: &api.SessionStatus{Ppp: &api.PPPStatus{PeerIpv4: "10.0.0.1"}}}, 2},
		{&api.Session{Status: &api.SessionStatus{Ppp: &api.PPPStatus{PeerIpv4: "10.0.0.2"}}}, 0},
		{&api.Session{UserName: new("alice")}, 1},
		{&api.Session{Status: &api.SessionStatus{User: "alice"}}, 1},
		{&api.Session{UserPassword: new("p")}, 0}, // nobody learns passwords by asking
		{&api.Tunnel{Status: &api.TunnelStatus{PeerTunnelId: 4711}}, 1},
		{&api.TunnelProfile{Parameters: &api.TunnelParameters{Persist: new(false)}}, 2},
		{&api.TunnelProfile{Parameters: &api.TunnelParameters{Persist: new(true)}}, 0},
	} {
		if got := listed(t, c, f.filter); len(got) != f.want {
			t.Errorf("%v: %v, want %d", f.filter, got, f.want)
		}
	}
}

func TestSetTrace(t *testing.T) {
	c, srv, _ := start(t)
	makeSessions(t, c, "a", "192.0.2.1", "alice")
	for _, key := range []proto.Message{
		&api.System{},
		&api.TunnelProfile{ProfileName: new("default")},
		&api.SessionProfile{ProfileName: new("default")},
		&api.PPPProfile{ProfileName: new("default")},
		&api.Tunnel{TunnelName: new("a")},
		&api.Session{TunnelName: new("a"), SessionName: new("s-alice")},
	} {
		for _, step := range []struct{ mask, flags, want schema.TraceFlags }{
			{schema.TraceFSM | schema.TraceAPI, schema.TraceAll, schema.TraceFSM | schema.TraceAPI},
			{schema.TraceData, schema.TraceData, schema.TraceFSM | schema.TraceAPI | schema.TraceData},
			{schema.TraceFSM, 0, schema.TraceAPI | schema.TraceData},
			{schema.TraceAll, 0, 0},
		} {
			r, err := c.SetTrace(t.Context(), connect.NewRequest(&api.SetTraceRequest{
				Object: schema.Wrap(key), Mask: uint32(step.mask), Flags: uint32(step.flags)}))
			if err != nil || schema.TraceFlags(r.Msg.Flags) != step.want {
				t.Errorf("%s: %v, %v, want %v", schema.Label(key), r, err, step.want)
			}
		}
	}
	load(t, srv, "user create user_name=u user_password=p\n")
	for _, r := range []*api.SetTraceRequest{
		{}, {Object: schema.Wrap(&api.User{UserName: new("u")}), Mask: 1},
		{Object: schema.Wrap(&api.System{}), Mask: 1 << 20},
	} {
		if _, err := c.SetTrace(t.Context(), connect.NewRequest(r)); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestResetStatistics(t *testing.T) {
	c, _, fake := start(t)
	if _, err := c.ResetStatistics(t.Context(), connect.NewRequest(&api.ResetStatisticsRequest{})); err != nil {
		t.Fatal(err)
	}
	r, err := c.Modify(t.Context(), connect.NewRequest(&api.ModifyRequest{
		Object: schema.Wrap(&api.System{ResetStatistics: new(true)})}))
	if err != nil || fake.Resets != 2 {
		t.Fatalf("%d resets, %v, want 2", fake.Resets, err)
	}
	if r.Msg.Object.GetSystem().ResetStatistics != nil {
		t.Error("reset_statistics is kept")
	}
}

func TestSaveMasksSecrets(t *testing.T) {
	c, srv, _ := start(t)
	load(t, srv, "user create user_name=alice user_password=wonderland\n")
	for _, mask := range []bool{false, true} {
		r, err := c.Save(t.Context(), connect.NewRequest(&api.SaveRequest{MaskSecrets: mask}))
		if err != nil || strings.Contains(r.Msg.Text, "wonderland") == mask {
			t.Errorf("mask_secrets %v: %v, %v", mask, r, err)
		}
	}
}

// TestObjectEvents: each change of the configuration is told once, by what became of it.
func TestObjectEvents(t *testing.T) {
	_, srv, _ := start(t)
	events := event.NewLog(64)
	management.TellObjects(srv.Store, events)
	load(t, srv, "user create user_name=a user_password=p\nuser create user_name=b user_password=p\n")
	load(t, srv, "user modify user_name=a user_password=q\nuser delete user_name=b\n"+
		"system modify max_tunnels=3\n")
	load(t, srv, "system modify max_tunnels=3\n")                       // nothing changes
	load(t, srv, "tunnel create tunnel_name=t dest_ipaddr=192.0.2.1\n") // the engine tells
	all, err := events.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprintf("%s %s %s",
			strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_OBJECT_"), e.Kind, e.Name))
	}
	slices.Sort(got)
	want := []string{"CREATED user a", "CREATED user b", "DELETED user b", "MODIFIED system ",
		"MODIFIED user a"}
	if !slices.Equal(got, want) {
		t.Errorf("events are %q, want %q", got, want)
	}
}
