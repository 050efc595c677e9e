package engine

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/schema"
	"culvert/l2tp"
)

// Every parameter has an effect, and a row that shows it: on the wire, in the
// data plane, or in what the daemon then does. The rows are in files of their
// own, by object: parameter_tunnel_test.go and so on.
var parameterRows = map[string]map[string][]row{
	"system":       systemRows,
	"peer profile": peerRows,
	"tunnel":       tunnelRows,
	"session":      sessionRows,
	"ppp profile":  pppRows,
	"user":         userRows,
	"pool":         poolRows,
}

// A row gives a parameter a value and shows what comes of it.
type row struct {
	name  string // of the subtest, where a parameter has several rows
	value string // what the parameter is given; empty: show does that
	// at is whose configuration has it: lacAddr if not set, which opens the tunnel.
	at netip.Addr
	// in is the command that has it, if not the usual one.
	in       string
	lns, lac string // more of the configurations, before what tunnel and session have
	tunnel   string // more of the LAC's tunnel
	session  string // more of its session
	after    time.Duration
	show     func(s *scene)
	// seenBy names a test elsewhere, as file:Test, in place of show.
	seenBy string
}

// A scene is two hosts on a wire: a LAC with a tunnel called office and a session
// called s1, and its LNS.
type scene struct {
	*testing.T
	wire     *dataplane.Wire
	lns, lac *host
	seen     *record
}

func TestParameter(t *testing.T) {
	for words, rows := range parameterRows {
		t.Run(words, func(t *testing.T) {
			kind := schema.KindNamed(words)
			for _, p := range kind.Params {
				if rows[p.Name] == nil {
					t.Errorf("%s of %s has no row: nothing shows its effect", p.Name, words)
				}
			}
			for name, list := range rows {
				if kind.Param(name) == nil {
					t.Errorf("%s has no parameter %s", words, name)
				}
				t.Run(name, func(t *testing.T) {
					for _, r := range list {
						t.Run(r.name, func(t *testing.T) { r.run(t, words, name) })
					}
				})
			}
		})
	}
}

// run plays the row: where a profile has the parameter too, once as the object's
// own and once by its profile.
func (r row) run(t *testing.T, words, name string) {
	if r.seenBy != "" {
		wantTest(t, r.seenBy)
		return
	}
	profile := schema.KindNamed(words + " profile")
	if r.value == "" || r.in != "" || r.at.IsValid() || profile == nil || profile.Param(name) == nil {
		r.play(t, words, name+"="+r.value)
		return
	}
	t.Run("given", func(t *testing.T) { r.play(t, words, name+"="+r.value) })
	t.Run("by profile", func(t *testing.T) {
		r.lac += words + " profile create profile_name=row " + name + "=" + r.value + "\n"
		r.in = words
		r.play(t, words, "profile_name=row")
	})
}

// play sets the scene up and shows it.
func (r row) play(t *testing.T, words, param string) {
	synctest.Test(t, func(t *testing.T) {
		if r.value != "" {
			r.give(words, param)
		}
		s := &scene{T: t, wire: dataplane.NewWire(), seen: new(record)}
		s.wire.Tap(s.seen.note)
		s.lns = newHost(t, s.wire, lnsAddr, lnsConfig+r.lns)
		defer s.lns.stop()
		s.lac = newHost(t, s.wire, lacAddr, r.lac+
			"tunnel profile modify profile_name=default secret=tea\n"+
			"tunnel create tunnel_name=office dest_ipaddr=192.0.2.1"+r.tunnel+"\n"+
			"session create tunnel_name=office session_name=s1"+
			" user_name=alice user_password=wonderland"+r.session+"\n")
		defer s.lac.stop()
		pass(cmp.Or(r.after, time.Second))
		r.show(s)
	})
}

// give puts the parameter where it belongs.
func (r *row) give(words, param string) {
	at, in := r.at, r.in
	switch {
	case in == "" && at != lnsAddr && words == "tunnel" || in == "tunnel":
		r.tunnel += " " + param
		return
	case in == "" && at != lnsAddr && words == "session" || in == "session":
		r.session += " " + param
		return
	case in == "" && words == "system":
		in = "system modify"
	case in == "":
		in = strings.TrimSuffix(words, " profile") + " profile modify profile_name=default"
	}
	if at == lnsAddr {
		r.lns += in + " " + param + "\n"
	} else {
		r.lac += in + " " + param + "\n"
	}
}

// wantTest checks that a test is where a row says that it is.
func wantTest(t *testing.T, where string) {
	t.Helper()
	file, name, _ := strings.Cut(where, ":")
	text, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "func "+name+"(") {
		t.Errorf("%s has no test %s", file, name)
	}
}

// modify carries out a command on a host: what an operator would say.
func (s *scene) modify(h *host, text string) {
	s.Helper()
	lines, err := schema.Lex(text)
	if err != nil {
		s.Fatal(err)
	}
	for _, words := range lines {
		c, err := schema.Syntax{}.Parse(words)
		if err != nil {
			s.Fatal(err)
		}
		if err := h.carryOut(c); err != nil {
			s.Fatalf("%s: %v", text, err)
		}
	}
	synctest.Wait()
}

// carryOut does what the management server would.
func (h *host) carryOut(c schema.Command) (err error) {
	ctx := context.Background()
	switch m := c.Object.(type) {
	case *api.Tunnel:
		switch c.Op {
		case schema.Create:
			_, err = h.CreateTunnel(ctx, m)
		case schema.Delete:
			_, err = h.DeleteTunnel(ctx, m, "")
		default:
			_, err = h.ModifyTunnel(ctx, m, c.Unset)
		}
	case *api.Session:
		switch c.Op {
		case schema.Create:
			_, err = h.CreateSession(ctx, m)
		case schema.Delete:
			_, err = h.DeleteSession(ctx, m, "")
		default:
			_, err = h.ModifySession(ctx, m, c.Unset)
		}
	default:
		err = h.store.Apply(c)
	}
	return err
}

// wantUp checks that both ends have so many sessions up.
func (s *scene) wantUp(n int) {
	s.Helper()
	s.lns.wantSessions(api.SessionState_SESSION_STATE_UP, n)
	s.lac.wantSessions(api.SessionState_SESSION_STATE_UP, n)
}

// wantPlane checks that a host's data plane holds something, in words.
func (s *scene) wantPlane(h *host, text string) {
	s.Helper()
	if got := h.fake.String(); !strings.Contains(got, text) {
		s.Errorf("the data plane does not hold %q:\n%s", text, got)
	}
}

// A record is what passed on a wire.
type record struct {
	mu    sync.Mutex
	all   []noted
	block func(noted) bool // those for which it says true are lost
}

// A noted is a datagram that was sent.
type noted struct {
	at       time.Time
	src, dst netip.AddrPort
	header   l2tp.Header
	message  l2tp.Message // nil for data and acknowledgements
	payload  []byte
}

func (r *record) note(src, dst netip.AddrPort, b []byte) bool {
	h, payload, err := l2tp.ParseHeader(b)
	if err != nil {
		return true
	}
	n := noted{at: time.Now(), src: src, dst: dst, header: h, payload: slices.Clone(payload)}
	if h.Control && len(payload) > 0 {
		n.message, _ = l2tp.ParseMessage(n.payload, "tea")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, n)
	return r.block == nil || !r.block(n)
}

// drop has the wire lose what f says true for; nil ends it.
func (r *record) drop(f func(noted) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.block = f
}

// from returns what a host sent, or all did for none, the first one first.
func (r *record) from(addr netip.Addr) []noted {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sent []noted
	for _, n := range r.all {
		if n.src.Addr() == addr || !addr.IsValid() {
			sent = append(sent, n)
		}
	}
	return sent
}

// since returns what a host sent from a time on.
func (r *record) since(addr netip.Addr, begin time.Time) []noted {
	return slices.DeleteFunc(r.from(addr), func(n noted) bool { return n.at.Before(begin) })
}

// sent returns the messages of type M that a host sent, retransmissions included.
func sent[M l2tp.Message](s *scene, addr netip.Addr) []M {
	var all []M
	for _, n := range s.seen.from(addr) {
		if m, ok := n.message.(M); ok {
			all = append(all, m)
		}
	}
	return all
}

// first returns the first message of type M that a host sent.
func firstSent[M l2tp.Message](s *scene, addr netip.Addr) M {
	s.Helper()
	all := sent[M](s, addr)
	if len(all) == 0 {
		var none M
		s.Fatalf("%v sent no %v", addr, none.Type())
	}
	return all[0]
}

// show returns what a host says of its tunnel office.
func (h *host) office() *api.Tunnel {
	h.t.Helper()
	shown, err := h.ShowTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")})
	if err != nil {
		h.t.Fatal(err)
	}
	return shown.Object.(*api.Tunnel)
}

// same checks a value.
func same[T any](s *scene, what string, got, want T) {
	s.Helper()
	a, isMessage := any(got).(proto.Message)
	if isMessage && proto.Equal(a, any(want).(proto.Message)) || any(got) == any(want) {
		return
	}
	s.Errorf("%s = %v, want %v", what, got, want)
}
