package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/test/lab"
)

func pidText(pid int) string { return strconv.Itoa(pid) }

// apiAddress is the address of the API; the socket is dialled whatever it says.
const apiAddress = "http://culvert"

func newHTTP(socket string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // a test counts the daemon's descriptors
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	}}
}

// Metrics are the daemon's metrics that have no labels.
func (d *Daemon) Metrics() map[string]float64 {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), "GET", apiAddress+"/metrics", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	answer, err := d.http.Do(r)
	if err != nil {
		d.t.Fatalf("asking for metrics: %v", err)
	}
	defer answer.Body.Close()
	values := make(map[string]float64)
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, number, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(number, 64); err == nil {
			values[name] = value
		}
	}
	if answer.StatusCode != http.StatusOK || len(values) == 0 {
		d.t.Fatalf("asking for metrics: %s, %d values", answer.Status, len(values))
	}
	return values
}

func (d *Daemon) version() (string, error) {
	r, err := d.client.Version(d.t.Context(), connect.NewRequest(&api.VersionRequest{}))
	if err != nil {
		return "", err
	}
	return r.Msg.GetVersion(), nil
}

// TryConfig runs l2tpconfig with the command's words and returns its output.
func (d *Daemon) TryConfig(args ...string) (stdout, stderr string, err error) {
	d.t.Helper()
	args = append([]string{"--socket", d.Socket}, args...)
	cmd := d.NS.Command(d.t.Context(), Program(d.t, "l2tpconfig"), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// Config runs l2tpconfig. The test ends when it fails.
func (d *Daemon) Config(args ...string) string {
	d.t.Helper()
	stdout, stderr, err := d.TryConfig(args...)
	if err != nil {
		d.t.Fatalf("l2tpconfig %s: %v: %s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

// ConfigJSON runs l2tpconfig and decodes the JSON that it prints.
func (d *Daemon) ConfigJSON(into any, args ...string) {
	d.t.Helper()
	text := d.Config(append([]string{"--output", "json"}, args...)...)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		d.t.Fatalf("l2tpconfig %s: decoding what it printed: %v\n%s", strings.Join(args, " "), err, text)
	}
}

// Tunnels returns the daemon's tunnels.
func (d *Daemon) Tunnels() []*api.Tunnel {
	d.t.Helper()
	var all []*api.Tunnel
	for _, o := range d.list(&api.Object{Kind: &api.Object_Tunnel{Tunnel: &api.Tunnel{}}}) {
		all = append(all, o.GetTunnel())
	}
	return all
}

// Sessions returns the daemon's sessions.
func (d *Daemon) Sessions() []*api.Session {
	d.t.Helper()
	var all []*api.Session
	for _, o := range d.list(&api.Object{Kind: &api.Object_Session{Session: &api.Session{}}}) {
		all = append(all, o.GetSession())
	}
	return all
}

// Session returns a session as it is now, with its counters, which Sessions leaves out.
func (d *Daemon) Session(s *api.Session) *api.Session {
	d.t.Helper()
	r, err := d.client.Show(d.t.Context(), connect.NewRequest(&api.ShowRequest{
		Object: &api.Object{Kind: &api.Object_Session{Session: &api.Session{
			TunnelId: s.TunnelId, SessionId: s.SessionId}}}}))
	if err != nil {
		d.t.Fatalf("showing session %d/%d: %v", s.GetTunnelId(), s.GetSessionId(), err)
	}
	return r.Msg.Object.GetSession()
}

func (d *Daemon) list(filter *api.Object) (all []*api.Object) {
	d.t.Helper()
	req := &api.ListRequest{Filter: filter}
	for {
		r, err := d.client.List(d.t.Context(), connect.NewRequest(req))
		if err != nil {
			d.t.Fatalf("listing: %v", err)
		}
		all = append(all, r.Msg.Objects...)
		if req.PageToken = r.Msg.NextPageToken; req.PageToken == "" {
			return all
		}
	}
}

// CreateSession creates a session, whose tunnel it names.
func (d *Daemon) CreateSession(session *api.Session) {
	d.t.Helper()
	_, err := d.client.Create(d.t.Context(), connect.NewRequest(&api.CreateRequest{
		Object: &api.Object{Kind: &api.Object_Session{Session: session}}}))
	if err != nil {
		d.t.Fatalf("creating session %s: %v", session.GetSessionName(), err)
	}
}

// DeleteSession deletes a session. One that has ended already may be gone.
func (d *Daemon) DeleteSession(tunnel, session string) {
	d.t.Helper()
	_, err := d.client.Delete(d.t.Context(), connect.NewRequest(&api.DeleteRequest{
		Object: &api.Object{Kind: &api.Object_Session{Session: &api.Session{
			TunnelName: &tunnel, SessionName: &session}}}}))
	if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
		d.t.Fatalf("deleting session %s: %v", session, err)
	}
}

// System returns the daemon's own state.
func (d *Daemon) System() *api.SystemStatus {
	d.t.Helper()
	r, err := d.client.Show(d.t.Context(), connect.NewRequest(&api.ShowRequest{
		Object: &api.Object{Kind: &api.Object_System{System: &api.System{}}},
	}))
	if err != nil {
		d.t.Fatalf("showing system: %v", err)
	}
	return r.Msg.Object.GetSystem().GetStatus()
}

// Up returns the sessions that are up, with IPv4 where ipv4 is set.
func (d *Daemon) Up(ipv4 bool) []*api.Session {
	d.t.Helper()
	var up []*api.Session
	for _, s := range d.Sessions() {
		st := s.GetStatus()
		if st.GetState() != api.SessionState_SESSION_STATE_UP || ipv4 && st.GetPpp().GetPeerIpv4() == "" {
			continue
		}
		up = append(up, s)
	}
	return up
}

// WaitUp waits until the daemon has exactly so many sessions, all of them up
// with IPv4, and returns them.
func (d *Daemon) WaitUp(count int, limit time.Duration) []*api.Session {
	d.t.Helper()
	var up []*api.Session
	lab.Wait(d.t, limit, fmt.Sprintf("%d sessions to be up", count), func() error {
		if up = d.Up(true); len(up) != count {
			return fmt.Errorf("%d are", len(up))
		}
		return nil
	})
	return up
}

// WaitGone waits until the daemon has neither tunnels nor sessions.
func (d *Daemon) WaitGone(limit time.Duration) {
	d.t.Helper()
	lab.Wait(d.t, limit, "tunnels and sessions to go", func() error {
		if sessions, tunnels := d.Sessions(), d.Tunnels(); len(sessions)+len(tunnels) > 0 {
			return fmt.Errorf("left: %v %v", sessions, tunnels)
		}
		return nil
	})
}

// Trace returns what the daemon has in memory of a tunnel or session.
func (d *Daemon) Trace(r *api.TraceRequest) []*api.TraceRecord {
	d.t.Helper()
	res, err := d.client.Trace(d.t.Context(), connect.NewRequest(r))
	if err != nil {
		d.t.Fatalf("trace %v: %v", r, err)
	}
	return res.Msg.GetRecords()
}

// Capture begins a capture of control messages. It runs when Capture returns; stop
// ends it and returns the file.
func (d *Daemon) Capture(r *api.CaptureRequest) (stop func() []byte) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	stream, err := d.client.Capture(ctx, connect.NewRequest(r))
	if err != nil || !stream.Receive() {
		d.t.Fatalf("capture %v: %v", r, errors.Join(err, stream.Err()))
	}
	file := bytes.Clone(stream.Msg().GetData())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for stream.Receive() {
			file = append(file, stream.Msg().GetData()...)
		}
	}()
	return func() []byte {
		cancel()
		<-done
		return file
	}
}

// Indexed are sessions by their identifiers.
func Indexed(list []*api.Session) map[string]*api.Session {
	index := make(map[string]*api.Session)
	for _, s := range list {
		index[fmt.Sprintf("%d/%d", s.GetTunnelId(), s.GetSessionId())] = s
	}
	return index
}
