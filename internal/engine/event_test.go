package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
)

// events are all that the host has told.
func (h *host) events() []*api.Event {
	h.t.Helper()
	var all []*api.Event
	_, newest := h.seen.Range()
	for after := uint64(0); after < newest; {
		some, err := h.seen.Read(context.Background(), after)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, some...)
		after = some[len(some)-1].Sequence
	}
	return all
}

// word is the type of an event, as a listing shows it.
func word(e *api.Event) string {
	name := strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_")
	return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
}

// words are the types of events, as a listing shows them.
func words(events []*api.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, word(e))
	}
	return strings.Join(all, " ")
}

// before says which events an event must follow, the last of them being one of these.
var before = map[api.EventType][]api.EventType{
	api.EventType_EVENT_TYPE_TUNNEL_CREATED: {api.EventType_EVENT_TYPE_TUNNEL_DELETED, 0},
	api.EventType_EVENT_TYPE_TUNNEL_UP:      {api.EventType_EVENT_TYPE_TUNNEL_CREATED},
	api.EventType_EVENT_TYPE_TUNNEL_DOWN:    {api.EventType_EVENT_TYPE_TUNNEL_UP},
	api.EventType_EVENT_TYPE_TUNNEL_DELETED: {
		api.EventType_EVENT_TYPE_TUNNEL_CREATED, api.EventType_EVENT_TYPE_TUNNEL_DOWN},
	api.EventType_EVENT_TYPE_SESSION_CREATED: {api.EventType_EVENT_TYPE_SESSION_DELETED, 0},
	api.EventType_EVENT_TYPE_SESSION_UP:      {api.EventType_EVENT_TYPE_SESSION_CREATED},
	api.EventType_EVENT_TYPE_PPP_UP: {
		api.EventType_EVENT_TYPE_SESSION_UP, api.EventType_EVENT_TYPE_PPP_DOWN},
	api.EventType_EVENT_TYPE_PPP_DOWN: {api.EventType_EVENT_TYPE_PPP_UP},
	api.EventType_EVENT_TYPE_SESSION_DOWN: {
		api.EventType_EVENT_TYPE_SESSION_UP, api.EventType_EVENT_TYPE_PPP_DOWN},
	api.EventType_EVENT_TYPE_SESSION_DELETED: {
		api.EventType_EVENT_TYPE_SESSION_CREATED, api.EventType_EVENT_TYPE_SESSION_DOWN},
}

// wantOrder checks that what was told of every tunnel and session is in order: up
// after created, deleted last, down for what was up, a session within its tunnel.
// With clean nothing may be left that was not told to be deleted.
func (h *host) wantOrder(clean bool) {
	h.t.Helper()
	type subject struct{ tunnel, session uint32 }
	last := make(map[subject]api.EventType)
	for _, e := range h.events() {
		of := subject{e.TunnelId, e.SessionId}
		follows := false
		for _, what := range before[e.Type] {
			follows = follows || last[of] == what
		}
		if !follows {
			h.t.Errorf("event %v follows %v", e, last[of])
		}
		if last[of] = e.Type; e.SessionId != 0 && last[subject{tunnel: e.TunnelId}] == 0 {
			h.t.Errorf("event %v comes before its tunnel's", e)
		}
		if e.Type == api.EventType_EVENT_TYPE_TUNNEL_DELETED {
			for other, what := range last {
				if other.tunnel == e.TunnelId && other.session != 0 &&
					what != api.EventType_EVENT_TYPE_SESSION_DELETED {
					h.t.Errorf("event %v comes before that of session %d", e, other.session)
				}
			}
		}
	}
	for of, what := range last {
		if clean && what != api.EventType_EVENT_TYPE_TUNNEL_DELETED &&
			what != api.EventType_EVENT_TYPE_SESSION_DELETED {
			h.t.Errorf("the last event of tunnel %d, session %d is %v", of.tunnel, of.session, what)
		}
	}
}

func TestEventsOfASession(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		_, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "noon")
		if err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		const want = "tunnel-created tunnel-up session-created session-up ppp-up " +
			"ppp-down session-down session-deleted tunnel-down tunnel-deleted"
		if got := words(lac.events()); got != want {
			t.Errorf("events are\n%s, want\n%s", got, want)
		}
		lns.wantOrder(true)
		for i, want := range []string{
			`TUNNEL_CREATED tunnel office peer 192.0.2.1:1701`,
			`TUNNEL_UP tunnel office peer 192.0.2.1:1701 host host-192.0.2.1`,
			`SESSION_CREATED tunnel office session s1 peer 192.0.2.1:1701 host host-192.0.2.1 user alice`,
			`SESSION_UP tunnel office session s1 peer 192.0.2.1:1701 host host-192.0.2.1 user alice`,
			`PPP_UP tunnel office session s1 peer 192.0.2.1:1701 host host-192.0.2.1 user alice ` +
				`interface local 10.9.0.2 remote 10.9.0.1`,
			`PPP_DOWN tunnel office session s1 peer 192.0.2.1:1701 host host-192.0.2.1 user alice ` +
				`interface local 10.9.0.2 remote 10.9.0.1 cause tunnel closed`,
		} {
			if got := text(lac.events()[i]); got != want {
				t.Errorf("event %d is\n%s, want\n%s", i, got, want)
			}
		}
		wantCauses(t, lac.events(), map[string]string{
			"session-down": "tunnel closed", "session-deleted": "tunnel closed",
			"tunnel-down":    `general request to clear control connection: "noon"`,
			"tunnel-deleted": `general request to clear control connection: "noon"`,
		})
		wantCauses(t, lns.events(), map[string]string{
			"tunnel-down": `peer: general request to clear control connection: "noon"`,
		})
	})
}

// What ends a session is what ends its PPP link first.
func TestCauseOfPPPDown(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		name := &api.Session{TunnelName: new("office"), SessionName: new("s1")}
		if _, err := lac.DeleteSession(context.Background(), name, ""); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		wantCauses(t, lac.events(), map[string]string{"ppp-down": "closed here"})
		wantCauses(t, lns.events(), map[string]string{"ppp-down": "the peer terminated the link"})
	})
}

// text is an event in one line, without its numbers.
func text(e *api.Event) string {
	var s strings.Builder
	s.WriteString(strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_") + " tunnel " + e.TunnelName)
	for _, part := range [][2]string{
		{"session", e.SessionName}, {"peer", e.Peer}, {"host", e.PeerHostName}, {"user", e.User}} {
		if part[1] != "" {
			s.WriteString(" " + part[0] + " " + part[1])
		}
	}
	if e.LocalIpv4 != "" && e.Interface != "" {
		s.WriteString(fmt.Sprintf(" interface local %s remote %s", e.LocalIpv4, e.PeerIpv4))
	}
	if e.Cause != "" {
		s.WriteString(" cause " + e.Cause)
	}
	return s.String()
}

func wantCauses(t *testing.T, events []*api.Event, want map[string]string) {
	t.Helper()
	for _, e := range events {
		what := word(e)
		if cause, ok := want[what]; ok && e.Cause != cause {
			t.Errorf("the cause of %s is %q, want %q", what, e.Cause, cause)
		}
		delete(want, what)
	}
	for what := range want {
		t.Errorf("there is no event %s", what)
	}
}

// TestEventsOfAFailure: what never was up does not go down.
func TestEventsOfAFailure(t *testing.T) {
	for _, c := range []struct {
		name, lac string
		want      string
		cause     map[string]string
	}{
		{"no answer", strings.Replace(lacConfig, "192.0.2.1", "192.0.2.9", 1),
			"tunnel-created tunnel-deleted", map[string]string{"tunnel-deleted": "lost: "}},
		{"wrong password", strings.Replace(lacConfig, "=wonderland", "=nowhere", 1),
			"tunnel-created tunnel-up session-created session-up session-down session-deleted",
			map[string]string{"session-down": "refused us"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, lnsConfig, c.lac, func(_ *dataplane.Wire, lns, lac *host) {
				pass(time.Minute)
				if got := words(lac.events()); got != c.want {
					t.Errorf("events are\n%s, want\n%s", got, c.want)
				}
				for _, e := range lac.events() {
					if part, ok := c.cause[word(e)]; ok &&
						!strings.Contains(strings.ToLower(e.Cause), part) {
						t.Errorf("the cause of %v is %q, want %q in it", e.Type, e.Cause, part)
					}
				}
			})
		})
	}
}

// TestRefusedTunnelHasNoEvents: a flood of SCCRQs is not to push everything else
// out of memory.
func TestRefusedTunnelHasNoEvents(t *testing.T) {
	config := lnsConfig + "system modify deny_remote_tunnel_creates=yes\n"
	inBubble(t, config, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Minute)
		if got := words(lns.events()); got != "" {
			t.Errorf("events of the host that refuses are %s", got)
		}
		lac.wantOrder(true)
	})
}
