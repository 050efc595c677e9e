package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/commit"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// siteConfig is that of a host that serves callers and places calls itself:
// some tunnels to the other one, each with some sessions.
func siteConfig(other netip.Addr, tunnels, sessions int) string {
	var text strings.Builder
	text.WriteString(strings.Replace(lnsConfig, "10.9.0.0/24", "10.9.0.0/20", 1) +
		"user create user_name=bob user_password=builder\n")
	for i := range tunnels {
		fmt.Fprintf(&text, "tunnel create tunnel_name=t%d dest_ipaddr=%s persist=yes\n", i, other)
		for j := range sessions {
			fmt.Fprintf(&text, "session create tunnel_name=t%d session_name=s%d %s\n", i, j,
				[]string{"user_name=alice user_password=wonderland",
					"user_name=bob user_password=builder"}[j%2])
		}
	}
	return text.String()
}

// reload loads a configuration as an administrator does.
func (h *host) reload(c *commit.Configurator, text string) *api.LoadConfigResponse {
	h.t.Helper()
	res, err := c.Load(context.Background(), "test", &api.LoadConfigRequest{
		Source: &api.Source{From: &api.Source_Text{Text: text}}})
	if err != nil {
		h.t.Fatal(err)
	}
	if len(res.Faults)+len(res.Failures) > 0 {
		h.t.Fatalf("faults %v, failures %v", res.Faults, res.Failures)
	}
	return res
}

// byKey describes all sessions: what must stay as it is while they live.
func (h *host) byKey() map[string]string {
	h.t.Helper()
	all := make(map[string]string)
	list, err := h.ListSessions(context.Background(), nil, management.Page{Limit: 10000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range list {
		all[fmt.Sprintf("%d/%d", s.GetTunnelId(), s.GetSessionId())] = fmt.Sprintf("%s/%s %v %s %s %d",
			s.GetTunnelName(), s.GetSessionName(), s.Status.State, s.Status.User,
			s.Status.EstablishedAt.AsTime(), s.Status.PeerSessionId)
	}
	return all
}

// A controlTap notes the control messages that come to tunnels, but for what keeps
// a tunnel alive.
type controlTap struct {
	mu   sync.Mutex
	seen map[string][]l2tp.MessageType
}

func (c *controlTap) note(_, to netip.AddrPort, b []byte) bool {
	kind, ok := l2tp.PeekType(b)
	if !ok {
		return true // data, or an acknowledgement
	}
	if kind != l2tp.TypeHELLO {
		c.mu.Lock()
		defer c.mu.Unlock()
		key := fmt.Sprintf("%s %d", to.Addr(), binary.BigEndian.Uint16(b[4:]))
		c.seen[key] = append(c.seen[key], kind)
	}
	return true
}

// TestReloadDropsWhatChangedOnly: of a thousand sessions, half of them called by the
// peer, those of one tunnel go that is no more, and those of one that is made anew.
func TestReloadDropsWhatChangedOnly(t *testing.T) {
	old := siteConfig(lacAddr, 10, 50)
	changed := strings.NewReplacer(
		"tunnel create tunnel_name=t3 ", "tunnel create tunnel_name=t3 hello_timeout=20 mtu=1400 ",
		"tunnel create tunnel_name=t4 ", "tunnel create tunnel_name=t4 host_name=other ",
		"10.9.0.0/20", "10.9.0.0/20,10.8.0.0/24",
		"profile_name=default secret=tea", "profile_name=default max_retries=9 hello_timeout=45 secret=tea",
		"user create user_name=bob user_password=builder\n", "",
	).Replace(old)
	var next strings.Builder
	for line := range strings.Lines(changed) {
		if !strings.Contains(line, "tunnel_name=t5 ") {
			next.WriteString(line)
		}
	}
	inBubble(t, old, siteConfig(lnsAddr, 10, 50), func(w *dataplane.Wire, site, peer *host) {
		pass(10 * time.Second)
		site.wantUp(1000)
		c := commit.New(commit.Options{Store: site.store, Backend: site.Engine})
		before := site.byKey()
		tap := &controlTap{seen: make(map[string][]l2tp.MessageType)}
		w.Tap(tap.note)
		res := site.reload(c, next.String())
		dropped := uint32(0)
		for _, m := range res.Changes {
			dropped += m.SessionsDropped
		}
		if dropped != 100 {
			t.Errorf("the answer says that %d sessions are dropped, want 100", dropped)
		}
		pass(2 * time.Minute)
		after := site.byKey()
		gone := 0
		for key, was := range before {
			switch {
			case strings.HasPrefix(was, "t4/") || strings.HasPrefix(was, "t5/"):
				if gone++; after[key] == was {
					t.Fatalf("session %s goes on: %s", key, was)
				}
			case after[key] != was:
				t.Fatalf("session %s was %s and is now %s", key, was, after[key])
			}
		}
		if gone != 100 {
			t.Fatalf("%d sessions were to go, want 100", gone)
		}
		site.wantUp(950)
		tap.wantOnly(t, site, peer)
	})
}

// wantUp checks how many sessions are up, and that there are no others.
func (h *host) wantUp(want int) {
	h.t.Helper()
	up := 0
	for _, s := range h.byKey() {
		if strings.Contains(s, api.SessionState_SESSION_STATE_UP.String()) {
			up++
		}
	}
	if all := len(h.byKey()); up != want || all != want {
		h.t.Fatalf("%d of %d sessions are up, want %d", up, all, want)
	}
}

// wantOnly checks that only tunnels t4 and t5 of site have sent and received
// anything, and that t4 has.
func (c *controlTap) wantOnly(t *testing.T, site, peer *host) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	quiet := make(map[string]string)
	loud := false
	tunnels, err := site.ListTunnels(context.Background(), management.Page{Limit: 100})
	if err != nil || len(tunnels) != 19 {
		t.Fatalf("%d tunnels, want 19: %v", len(tunnels), err)
	}
	for _, m := range tunnels {
		here := fmt.Sprintf("%s %d", lnsAddr, m.GetTunnelId())
		there := fmt.Sprintf("%s %d", lacAddr, m.Status.PeerTunnelId)
		if m.GetTunnelName() == "t4" {
			loud = len(c.seen[here]) > 0
			continue
		}
		quiet[here], quiet[there] = m.GetTunnelName(), m.GetTunnelName()
	}
	for key, messages := range c.seen {
		if name, ok := quiet[key]; ok {
			t.Errorf("tunnel %q at %s got %v", name, key, messages)
		}
	}
	if !loud {
		t.Error("the tap saw nothing of the tunnel that was made anew")
	}
}

// A tunnel that is to have the identifier of the one it replaces gets it, though
// that lingers.
func TestReloadKeepsIdentifiers(t *testing.T) {
	text := strings.NewReplacer("tunnel_name=office dest", "tunnel_name=office tunnel_id=77 dest",
		"session_name=s1", "session_name=s1 session_id=88").Replace(lacConfig)
	inBubble(t, lnsConfig, text, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		c := commit.New(commit.Options{Store: lac.store, Backend: lac.Engine})
		for _, word := range []string{"host_name=other dest", "host_name=third dest"} {
			lac.reload(c, strings.Replace(text, "dest", word, 1))
			pass(time.Minute)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			if s := lac.sessions()[0]; s.GetTunnelId() != 77 || s.GetSessionId() != 88 {
				t.Errorf("the session is %d/%d, want 77/88", s.GetTunnelId(), s.GetSessionId())
			}
			lac.reload(c, strings.Replace(strings.Replace(text, "dest", word, 1), "session_name",
				"calling_number=1 session_name", 1))
			pass(10 * time.Second)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			lac.reload(c, strings.Replace(text, "dest", word, 1))
			pass(10 * time.Second)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		}
		pass(time.Minute)
	})
}
