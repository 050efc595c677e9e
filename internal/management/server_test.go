package management_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/config"
	"culvert/internal/management"
	"culvert/internal/management/managementtest"
)

// start serves on a socket of its own until the test ends.
func start(t *testing.T) (apiconnect.ManagementClient, *management.Server, *managementtest.Fake) {
	t.Helper()
	c, srv, fake, _ := startAt(t)
	return c, srv, fake
}

// startAt is start, and tells the socket's path.
func startAt(t *testing.T) (
	apiconnect.ManagementClient, *management.Server, *managementtest.Fake, string,
) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := management.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	fake := &managementtest.Fake{}
	srv := &management.Server{Store: config.NewStore("machine"), Backend: fake, Version: "v"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- management.Serve(ctx, l, srv) }()
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", socket)
		},
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	client := apiconnect.NewManagementClient(&http.Client{Transport: transport}, "http://x")
	return client, srv, fake, socket
}

func tunnel(t *api.Tunnel) *api.Object { return &api.Object{Kind: &api.Object_Tunnel{Tunnel: t}} }

func create(t *testing.T, c apiconnect.ManagementClient, o *api.Object) *api.Object {
	t.Helper()
	r, err := c.Create(t.Context(), connect.NewRequest(&api.CreateRequest{Object: o}))
	if err != nil {
		t.Fatal(err)
	}
	return r.Msg.GetObject()
}

func TestPages(t *testing.T) {
	c, _, _ := start(t)
	for range 25 {
		create(t, c, tunnel(&api.Tunnel{DestIpaddr: new("::1")}))
	}
	for i := range 25 {
		create(t, c, &api.Object{Kind: &api.Object_User{User: &api.User{
			UserName: new(fmt.Sprint("u", i)), UserPassword: new("p")}}})
	}
	for _, filter := range []*api.Object{
		tunnel(&api.Tunnel{}), {Kind: &api.Object_User{User: &api.User{}}},
	} {
		seen, pages := map[string]bool{}, 0
		req := &api.ListRequest{Filter: filter, PageSize: 10}
		for pages == 0 || req.PageToken != "" {
			r, err := c.List(t.Context(), connect.NewRequest(req))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range r.Msg.GetObjects() {
				seen[fmt.Sprint(o.GetTunnel().GetTunnelId(), o.GetUser().GetUserName())] = true
			}
			req.PageToken = r.Msg.GetNextPageToken()
			pages++
		}
		if len(seen) != 25 || pages != 3 {
			t.Errorf("%v: %d objects in %d pages, want 25 in 3", filter, len(seen), pages)
		}
	}
}

func TestCodes(t *testing.T) {
	c, _, fake := start(t)
	named := tunnel(&api.Tunnel{TunnelName: new("t"), DestIpaddr: new("::1")})
	create(t, c, named)
	tests := []struct {
		err  error
		want connect.Code
	}{
		{nil, connect.CodeAlreadyExists},
		{management.Errorf(management.ErrUnavailable, "no data plane"), connect.CodeUnavailable},
		{management.Errorf(management.ErrRefused, "drained"), connect.CodeFailedPrecondition},
		{errors.New("broken"), connect.CodeInternal},
	}
	for _, tt := range tests {
		fake.Err = tt.err
		_, err := c.Create(t.Context(), connect.NewRequest(&api.CreateRequest{Object: named}))
		if tt.err != nil {
			_, err = c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{
				Object: tunnel(&api.Tunnel{TunnelName: new("t")})}))
		}
		if connect.CodeOf(err) != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, err, tt.want)
		}
	}
}

// What can be asked for has no secret in it.
func TestSecretsAreMasked(t *testing.T) {
	c, srv, _ := start(t)
	made := create(t, c, tunnel(&api.Tunnel{
		TunnelName: new("t"),
		DestIpaddr: new("::1"),
		Parameters: &api.TunnelParameters{Secret: new("swordfish")},
	}))
	key := tunnel(&api.Tunnel{TunnelName: new("t")})
	shown, err := c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{Object: key}))
	if err != nil {
		t.Fatal(err)
	}
	listed, err := c.List(t.Context(), connect.NewRequest(&api.ListRequest{Filter: tunnel(&api.Tunnel{})}))
	if err != nil {
		t.Fatal(err)
	}
	modified, err := c.Modify(t.Context(), connect.NewRequest(&api.ModifyRequest{Object: tunnel(&api.Tunnel{
		TunnelName: new("t"), Parameters: &api.TunnelParameters{Persist: new(true)}})}))
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := c.Delete(t.Context(), connect.NewRequest(&api.DeleteRequest{Object: key}))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []proto.Message{made, shown.Msg, listed.Msg, modified.Msg, deleted.Msg} {
		if text := m.(fmt.Stringer).String(); strings.Contains(text, "swordfish") ||
			!strings.Contains(text, "****") {
			t.Errorf("%T: %s", m, text)
		}
	}
	if n := len(srv.Store.Snapshot().Tunnels()); n != 0 {
		t.Errorf("%d tunnels are recorded after all were deleted", n)
	}
}

// What has ended by itself is still recorded until it is deleted.
func TestDeleteOfWhatHasEnded(t *testing.T) {
	c, srv, fake := start(t)
	key := &api.Tunnel{TunnelName: new("t")}
	create(t, c, tunnel(&api.Tunnel{TunnelName: new("t"), DestIpaddr: new("::1")}))
	if _, err := fake.DeleteTunnel(t.Context(), key, "given up"); err != nil {
		t.Fatal(err)
	}
	req := &api.DeleteRequest{Object: tunnel(key)}
	if _, err := c.Delete(t.Context(), connect.NewRequest(req)); err != nil {
		t.Error(err)
	}
	if n := len(srv.Store.Snapshot().Tunnels()); n != 0 {
		t.Errorf("%d tunnels are still recorded", n)
	}
	_, err := c.Delete(t.Context(), connect.NewRequest(req))
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("deleted again: %v, want %v", err, connect.CodeNotFound)
	}
}

// A user is shown as he is configured, with his first session, or as whichever of the
// two there is.
func TestShowOfUsers(t *testing.T) {
	c, _, _ := start(t)
	for _, name := range []string{"alice", "carol"} {
		create(t, c, &api.Object{Kind: &api.Object_Pool{Pool: &api.Pool{
			PoolName: new("pool-of-" + name), Addresses: []string{"10.0.0.0/24"}}}})
		create(t, c, &api.Object{Kind: &api.Object_User{User: &api.User{
			UserName: new(name), UserPassword: new("p"), IpPoolName: new("pool-of-" + name)}}})
	}
	in := create(t, c, tunnel(&api.Tunnel{DestIpaddr: new("::1")})).GetTunnel().TunnelId
	for _, name := range []string{"alice", "bob", "bob"} {
		create(t, c, &api.Object{Kind: &api.Object_Session{Session: &api.Session{
			TunnelId: in, UserName: new(name)}}})
	}
	for name, want := range map[string]struct {
		pool    string
		session bool
	}{"alice": {"pool-of-alice", true}, "bob": {"", true}, "carol": {"pool-of-carol", false}} {
		r, err := c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{Object: &api.Object{
			Kind: &api.Object_User{User: &api.User{UserName: new(name)}}}}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, u := range []*api.User{r.Msg.GetObject().GetUser(), r.Msg.GetEffective().GetUser()} {
			if u == nil && want.pool == "" {
				continue // there is no configuration to resolve
			}
			if u.GetIpPoolName() != want.pool || (u.GetStatus().GetSessionId() != 0) != want.session {
				t.Errorf("%s: %v, want the pool %q and a session: %v", name, u, want.pool, want.session)
			}
		}
		if p := r.Msg.GetObject().GetUser().GetUserPassword(); p == "p" {
			t.Errorf("%s: the password is shown", name)
		}
	}
	_, err := c.Show(t.Context(), connect.NewRequest(&api.ShowRequest{Object: &api.Object{
		Kind: &api.Object_User{User: &api.User{UserName: new("dave")}}}}))
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("dave: %v, want that there is none", err)
	}
}

func TestListComparesWhatHolds(t *testing.T) {
	c, _, _ := start(t)
	create(t, c, &api.Object{Kind: &api.Object_Pool{Pool: &api.Pool{
		PoolName: new("p"), Addresses: []string{"10.0.0.0/24"}}}})
	for drain, want := range map[bool]int{false: 1, true: 0} {
		filter := &api.Object{Kind: &api.Object_Pool{Pool: &api.Pool{Drain: &drain}}}
		r, err := c.List(t.Context(), connect.NewRequest(&api.ListRequest{Filter: filter}))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(r.Msg.GetObjects()); n != want {
			t.Errorf("%d pools with drain=%v, want %d", n, drain, want)
		}
	}
}

// A tunnel that cannot resolve never reaches the engine.
func TestCreateIsCheckedFirst(t *testing.T) {
	c, srv, fake := start(t)
	for _, bad := range []*api.Tunnel{
		{},
		{DestIpaddr: new("::1"), ProfileName: new("none")},
		{DestIpaddr: new("::1"), Parameters: &api.TunnelParameters{HideAvps: new(true)}},
		{DestIpaddr: new("::1"), Parameters: &api.TunnelParameters{Mtu: proto.Uint32(1)}},
	} {
		_, err := c.Create(t.Context(), connect.NewRequest(&api.CreateRequest{Object: tunnel(bad)}))
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
	all, _ := fake.ListTunnels(t.Context(), management.Page{Limit: 10})
	if len(all) != 0 || len(srv.Store.Snapshot().Tunnels()) != 0 {
		t.Errorf("%d tunnels were created", len(all))
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s")
	l, err := management.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o666 {
		t.Errorf("mode = %v", info.Mode())
	}
	_, err = management.Listen(path)
	if err == nil || err.Error() != "listening on "+path+": another daemon is listening there" {
		t.Errorf("second Listen: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = management.Listen(path)
	if err != nil {
		t.Fatalf("Listen in place of a stale socket: %v", err)
	}
	l.Close()
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = management.Listen(path); err == nil {
		t.Error("a file was replaced by a socket")
	}
	if b, _ := os.ReadFile(path); string(b) != "data" {
		t.Error("the file is gone")
	}
}

// TestRenameIsRecorded: what is saved has the new name, of a tunnel that got its ID
// by chance too, and the tunnel's sessions are those of the new name.
func TestRenameIsRecorded(t *testing.T) {
	c, srv, _ := start(t)
	made := create(t, c, tunnel(&api.Tunnel{TunnelName: new("old"), DestIpaddr: new("::1")})).GetTunnel()
	create(t, c, &api.Object{Kind: &api.Object_Session{Session: &api.Session{
		TunnelName: new("old"), SessionName: new("s")}}})
	_, err := c.Modify(t.Context(), connect.NewRequest(&api.ModifyRequest{
		Object: tunnel(&api.Tunnel{TunnelId: made.TunnelId, TunnelName: new("new")})}))
	if err != nil {
		t.Fatal(err)
	}
	text := string(config.Format(srv.Store.Snapshot()))
	for _, want := range []string{"tunnel create tunnel_name=new",
		"session create tunnel_name=new"} {
		if !strings.Contains(text, want) {
			t.Errorf("the configuration has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "old") {
		t.Errorf("the configuration has the old name:\n%s", text)
	}
}
