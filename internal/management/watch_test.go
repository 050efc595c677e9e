package management

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"culvert/api"
	"culvert/api/apiconnect"
	"culvert/internal/event"
)

func publish(s *Server, n int, what api.EventType) {
	for range n {
		s.Events.Publish(&api.Event{Type: what, TunnelId: 7, TunnelName: "office"})
	}
}

const tunnelUp = api.EventType_EVENT_TYPE_TUNNEL_UP

// collect has watch send until it ends, and returns the sequences; lost ones in brackets.
func collect(t *testing.T, s *Server, r *api.WatchRequest) (string, error) {
	t.Helper()
	var seen []string
	err := s.watch(t.Context(), r, func() error { return nil }, func(e *api.Event) error {
		if e.Type == api.EventType_EVENT_TYPE_LOST {
			seen = append(seen, fmt.Sprintf("[%d]", e.Lost))
		} else {
			seen = append(seen, fmt.Sprint(e.Sequence))
		}
		return nil
	})
	return strings.Join(seen, " "), err
}

func TestWatchFromMemory(t *testing.T) {
	s := newServer(t, "")
	s.Events = event.NewLog(4)
	publish(s, 5, tunnelUp)
	publish(s, 1, api.EventType_EVENT_TYPE_TUNNEL_DOWN)
	for _, c := range []struct {
		r    *api.WatchRequest
		want string
	}{
		{&api.WatchRequest{}, ""},
		{&api.WatchRequest{Replay: true}, "3 4 5 6"},
		{&api.WatchRequest{After: 4}, "5 6"},
		{&api.WatchRequest{After: 6}, ""},
		{&api.WatchRequest{After: 1}, "[1] 3 4 5 6"},
		{&api.WatchRequest{Replay: true, Types: []api.EventType{tunnelUp}}, "3 4 5"},
		{&api.WatchRequest{Replay: true, TunnelId: 7}, "3 4 5 6"},
		{&api.WatchRequest{Replay: true, TunnelId: 8}, ""},
		{&api.WatchRequest{Replay: true, TunnelName: "home"}, ""},
		{&api.WatchRequest{Replay: true, SessionId: 1}, ""},
	} {
		c.r.NoFollow = true
		if got, err := collect(t, s, c.r); err != nil || got != c.want {
			t.Errorf("%v: %q, %v, want %q", c.r, got, err, c.want)
		}
	}
	_, err := collect(t, s, &api.WatchRequest{After: 7, NoFollow: true})
	if connect.CodeOf(err) != connect.CodeOutOfRange {
		t.Errorf("after an event that was not: %v", err)
	}
}

// inMemory returns a generated client over connections in memory.
func inMemory(t *testing.T, s *Server) (apiconnect.ManagementClient, func()) {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	o := open(l, as(s, somebody(Reader)), nil, s.log())
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		l.conns <- far
		return near, nil
	}}
	return apiconnect.NewManagementClient(&http.Client{Transport: transport}, "http://x"), func() {
		if err := o.stop(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	}
}

// A pipeListener takes connections that were made in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

// TestWatchOutlivesSilence: a stream on which nothing happens for a day still tells
// what happens then; and it ends when the listener does.
func TestWatchOutlivesSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, "")
		client, stop := inMemory(t, s)
		stream, err := client.Watch(t.Context(), connect.NewRequest(&api.WatchRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		stream.ResponseHeader() // from now on nothing is missed
		time.Sleep(24 * time.Hour)
		publish(s, 1, tunnelUp)
		if !stream.Receive() || stream.Msg().Event.TunnelName != "office" {
			t.Fatalf("received %v, %v", stream.Msg(), stream.Err())
		}
		var stopping sync.WaitGroup
		stopping.Go(stop)
		if stream.Receive() || connect.CodeOf(stream.Err()) != connect.CodeUnavailable {
			t.Errorf("after the end: %v, %v", stream.Msg(), stream.Err())
		}
		stream.Close()
		stopping.Wait()
	})
}

// TestSlowReader: while a reader takes nothing, thousands of events are published at
// once, and the reader is told afterwards how many it has missed.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, "")
		const events = 10000
		wake, done := make(chan struct{}), make(chan error)
		var seen, lost uint64
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			first := true
			done <- s.watch(ctx, &api.WatchRequest{}, func() error { return nil }, func(e *api.Event) error {
				if first {
					first = false
					<-wake // the connection is full
				}
				if e.Type == api.EventType_EVENT_TYPE_LOST {
					lost += e.Lost
				} else {
					seen++
				}
				return nil
			})
		}()
		synctest.Wait()
		publish(s, 1, tunnelUp)
		synctest.Wait() // the reader sleeps
		published := make(chan struct{})
		go func() { publish(s, events, tunnelUp); close(published) }()
		synctest.Wait()
		select {
		case <-published:
		default:
			t.Fatal("publishing waits for the reader")
		}
		close(wake)
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("watch ended with %v", err)
		}
		if lost == 0 || seen+lost != events+1 {
			t.Errorf("%d seen and %d lost, want %d together, and some lost", seen, lost, events+1)
		}
		if got := s.Events.Lost(); got != lost {
			t.Errorf("the log has counted %d lost, the reader %d", got, lost)
		}
	})
}

// TestSlowConnection: the same over a real socket, which the reader does not read.
func TestSlowConnection(t *testing.T) {
	s, path := serveSocket(t, "")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	in := bufio.NewReader(c)
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	const events = 100_000 // more than the socket and the log hold
	begin := time.Now()
	publish(s, events, tunnelUp)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("publishing took %v while nobody read", took)
	}
	var seen, lost uint64
	lines := bufio.NewScanner(in)
	for seen+lost < events && lines.Scan() {
		var e struct {
			Type string
			Lost uint64 `json:",string"`
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // the size of a chunk
		}
		if e.Type == "EVENT_TYPE_LOST" {
			lost += e.Lost
		} else if e.Type != "" {
			seen++
		}
	}
	if lost == 0 || seen+lost != events {
		t.Errorf("%d seen and %d lost, want %d together, and some lost: %v", seen, lost, events, lines.Err())
	}
}

// TestRoleLostWhileWatching: a stream ends when its reader may no longer look.
func TestRoleLostWhileWatching(t *testing.T) {
	a := newSite(t)
	a.want(a.named("view"), "Version", "{}", `"version":`)
	client := apiconnect.NewManagementClient(a.named("view"), "https://"+a.addr)
	stream, err := client.Watch(t.Context(), connect.NewRequest(&api.WatchRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	stream.ResponseHeader()
	publish(a.s, 1, tunnelUp)
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	a.load("system unset api_readers")
	publish(a.s, 1, tunnelUp)
	if stream.Receive() || connect.CodeOf(stream.Err()) != connect.CodePermissionDenied {
		t.Errorf("received %v, %v", stream.Msg(), stream.Err())
	}
}

func FuzzEventsQuery(f *testing.F) {
	for _, seed := range [][2]string{{"after", "3"}, {"type", "tunnel-up"}, {"replay", "yes"},
		{"tunnel_id", "65536"}, {"no_follow", "true"}, {"", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		r, err := watchRequest(map[string][]string{name: {value}})
		if err == nil && r.GetTunnelId() > 65535 {
			t.Errorf("tunnel_id %d", r.GetTunnelId())
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("%q has several lines", err)
		}
	})
}

func FuzzPageToken(f *testing.F) {
	for _, seed := range []string{"", "1.2.3", "configured.7", "65536.0.0", "-1", "1.2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if page, err := parseToken(token); err == nil && token != "" {
			if again, err := parseToken(tokenOf(page)); err != nil || again != page {
				t.Errorf("%q is %+v, and written and read again %+v, %v", token, page, again, err)
			}
		}
		if n, err := parseStart(token); err == nil && n < 0 {
			t.Errorf("%q is %d", token, n)
		}
	})
}

// FuzzJSON: whatever is sent, the answer is an answer.
func FuzzJSON(f *testing.F) {
	f.Add("Show", `{"object":{"system":{}}}`)
	f.Add("Modify", `{"object":{"system":{"trace_flags":4294967295}}}`)
	f.Add("List", `{"filter":{"user":{}},"page_token":"9"}`)
	f.Add("SetTrace", `{"object":{"ppp_profile":{"profile_name":"default"}},"mask":1,"flags":1}`)
	f.Fuzz(func(t *testing.T, method, body string) {
		s := newServer(t, "")
		if strings.ContainsAny(method, "/?#%\x00 ") || method == "" {
			return
		}
		for _, r := range method {
			if r < '!' || r > '~' {
				return
			}
		}
		status, answer := post(t, as(s, somebody(Reader)), method, "application/json", body)
		if status == http.StatusInternalServerError && strings.Contains(answer, "internal fault") {
			t.Errorf("%s %q: %s", method, body, answer)
		}
	})
}
