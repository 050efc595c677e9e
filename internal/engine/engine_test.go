package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/event"
	"culvert/internal/journal"
	"culvert/internal/journal/journaltest"
	"culvert/internal/management"
	"culvert/internal/pool"
	"culvert/internal/trace"
)

func TestMain(m *testing.M) {
	journaltest.Unlogged()
	goleak.VerifyTestMain(m)
}

// The two hosts of most tests.
var (
	lnsAddr = netip.MustParseAddr("192.0.2.1")
	lacAddr = netip.MustParseAddr("192.0.2.2")
)

// lnsConfig is that of an LNS with a user, a pool and a tunnel secret.
const lnsConfig = `
pool create pool_name=home addresses=10.9.0.0/24 reserved=10.9.0.1
user create user_name=alice user_password=wonderland
ppp profile modify profile_name=default local_ipaddr=10.9.0.1 ip_pool_name=home
tunnel profile modify profile_name=default secret=tea auth_mode=challenge
`

// lacConfig is that of a client of it with one session.
const lacConfig = `
tunnel profile modify profile_name=default secret=tea
tunnel create tunnel_name=office dest_ipaddr=192.0.2.1
session create tunnel_name=office session_name=s1 user_name=alice user_password=wonderland
`

// A host is an engine over a fake data plane.
type host struct {
	*Engine
	t       *testing.T
	wire    *dataplane.Wire
	addr    netip.Addr
	fake    *dataplane.Fake
	seen    *event.Log
	logs    *strings.Builder
	journal *journal.Dir // nil unless it may be killed
	hook    dataplane.Hook

	dns Resolver // nil: the host asks whom it likes
}

// newHost starts an engine on the wire. It is shut down at the end of the bubble.
func newHost(t *testing.T, w *dataplane.Wire, addr netip.Addr, text string) *host {
	t.Helper()
	h := &host{t: t, wire: w, addr: addr, logs: new(strings.Builder), seen: event.NewLog(1 << 16)}
	store := config.NewStore("host-" + addr.String())
	if err := store.Load("test.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	h.start(store, dataplane.FakeOptions{Split: true}, nil)
	return h
}

// start starts the host's engine.
func (h *host) start(store *config.Store, opts dataplane.FakeOptions, kept journal.Records) {
	h.t.Helper()
	log := slog.New(slog.NewTextHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	h.Engine, err = New(Options{
		Store: store,
		Pools: newPools(h.t, store),
		Open: func(handler dataplane.Handler) (dataplane.Dataplane, error) {
			h.fake = dataplane.NewFake(h.wire, handler, opts, h.addr)
			h.fake.SetHook(h.hook)
			return h.fake, nil
		},
		Listen: []netip.AddrPort{netip.AddrPortFrom(h.addr, 1701)},
		Log:    log.With("host", h.addr),
		Trace:  trace.New(trace.Options{Log: log.With("host", h.addr)}),
		Events: h.seen,

		Resolver: h.dns,

		Shards:  2,
		Journal: h.journal,
		Kept:    kept,
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// poolConfigs turns the configured pools into the pool package's.
func poolConfigs(s *config.Snapshot) []pool.Config {
	var configs []pool.Config
	for _, p := range s.Pools() {
		configs = append(configs, pool.Config(p))
	}
	return configs
}

// stop shuts the host down and checks that nothing is left.
func (h *host) stop() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		h.t.Errorf("Shutdown: %v", err)
	}
	if n := h.count.sessions.Load(); n != 0 {
		h.t.Errorf("after Shutdown %d sessions are counted, want 0", n)
	}
	if n := h.count.settingUp.Load(); n != 0 {
		h.t.Errorf("after Shutdown %d sessions are counted as being set up, want 0", n)
	}
	h.wantOrder(false)
	if h.t.Failed() {
		h.t.Logf("log:\n%s", h.logs)
	}
}

// sessions lists the host's sessions.
func (h *host) sessions() []*api.Session {
	h.t.Helper()
	list, err := h.ListSessions(context.Background(), nil, management.Page{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// wantSessions checks how many sessions are in a state.
func (h *host) wantSessions(state api.SessionState, want int) {
	h.t.Helper()
	got := 0
	var others []string
	for _, s := range h.sessions() {
		if s.Status.State == state {
			got++
		} else {
			others = append(others, fmt.Sprintf("%d/%d %v %s", s.GetTunnelId(), s.GetSessionId(),
				s.Status.State, s.Status.Cause))
		}
	}
	if got != want {
		h.t.Fatalf("%d sessions are %v, want %d; the others: %v", got, state, want, others)
	}
}

// wantEmpty checks that the data plane holds neither tunnels nor sessions.
func (h *host) wantEmpty() {
	h.t.Helper()
	inventory, err := h.fake.Inventory(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	if len(inventory.Tunnels)+len(inventory.Sessions)+len(inventory.Interfaces) > 0 {
		h.t.Errorf("data plane holds %+v, want nothing", inventory)
	}
}

// pass lets time pass until every goroutine waits.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// inBubble runs f with two hosts on a wire, in virtual time.
func inBubble(t *testing.T, lns, lac string, f func(w *dataplane.Wire, lns, lac *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		s, c := newHost(t, w, lnsAddr, lns), newHost(t, w, lacAddr, lac)
		defer s.stop()
		defer c.stop()
		synctest.Wait()
		f(w, s, c)
	})
}

func TestSessionComesUp(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		s, c := lns.sessions()[0], lac.sessions()[0]
		if got := s.Status.User; got != "alice" {
			t.Errorf("user = %q, want alice", got)
		}
		if got, want := s.Status.Ppp.PeerIpv4, c.Status.Ppp.LocalIpv4; got != want || got == "" {
			t.Errorf("the LNS gave %q, the LAC has %q", got, want)
		}
		if got := c.Status.Ppp.PeerIpv4; got != "10.9.0.1" {
			t.Errorf("the LAC's peer = %q, want 10.9.0.1", got)
		}
		if got := c.Status.Ppp.AuthToPeer; got != "MS-CHAPv2" {
			t.Errorf("authenticated by %q, want MS-CHAPv2", got)
		}
	})
}

func TestSessionEnds(t *testing.T) {
	tests := map[string]func(lns, lac *host) error{
		"session deleted by LNS": func(lns, _ *host) error {
			s := lns.sessions()[0]
			_, err := lns.DeleteSession(context.Background(), s, "test")
			return err
		},
		"session deleted by LAC": func(_, lac *host) error {
			_, err := lac.DeleteSession(context.Background(), lac.sessions()[0], "test")
			return err
		},
		"tunnel deleted by LNS": func(lns, _ *host) error {
			s := lns.sessions()[0]
			_, err := lns.DeleteTunnel(context.Background(), &api.Tunnel{TunnelId: s.TunnelId}, "test")
			return err
		},
		"tunnel deleted by LAC": func(_, lac *host) error {
			_, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "test")
			return err
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
				pass(time.Second)
				if err := end(lns, lac); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
				if s, _ := lns.PoolStatus(context.Background(), "home"); s.Allocated != 0 {
					t.Errorf("%d addresses are allocated, want 0", s.Allocated)
				}
				if strings.HasPrefix(name, "tunnel") {
					lns.wantEmpty()
					lac.wantEmpty()
				}
			})
		})
	}
}

func TestShutdownLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		lns, lac := newHost(t, w, lnsAddr, lnsConfig), newHost(t, w, lacAddr, lacConfig)
		pass(time.Second)
		begin := time.Now()
		lac.stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("a polite shutdown took %v", took)
		}
		pass(time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		lns.wantEmpty()
		lns.stop()
	})
}

func TestSilentPeerIsCleanedUp(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		w.Cut(lacAddr)
		pass(5 * time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		lns.wantEmpty()
		lac.wantEmpty()
	})
}

func TestFiftySessionsOverABadWire(t *testing.T) {
	// Six or ten transmissions are all lost now and then.
	patience := "tunnel profile modify profile_name=default max_retries=20\n" +
		"ppp profile modify profile_name=default lcp_max_config_requests=50 chap_max_challenge=50\n"
	var text strings.Builder
	text.WriteString(patience + `
tunnel profile modify profile_name=default secret=tea
tunnel create tunnel_name=office dest_ipaddr=192.0.2.1
`)
	for i := range 50 {
		fmt.Fprintf(&text, "session create tunnel_name=office session_name=s%d user_name=alice user_password=wonderland\n", i)
	}
	for seed := range uint64(5) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inBubble(t, lnsConfig+patience, "", func(w *dataplane.Wire, lns, lac *host) {
				w.Impair(seed, dataplane.Conditions{Loss: 0.2, Duplicate: 0.2, Reorder: 0.2})
				if err := lac.store.Load("more.conf", []byte(text.String())); err != nil {
					t.Fatal(err)
				}
				lac.createDeclared(nil)
				pass(2 * time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 50)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 50)
				w.Impair(seed, dataplane.Conditions{})
			})
		})
	}
}

func TestWrongPasswordIsRefused(t *testing.T) {
	bad := strings.ReplaceAll(lacConfig, "wonderland", "mirror")
	inBubble(t, lnsConfig, bad, func(_ *dataplane.Wire, lns, lac *host) {
		pass(10 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		if len(lac.sessions()) != 0 {
			t.Errorf("the LAC has sessions %v, want none", lac.sessions())
		}
		for _, h := range []*host{lns, lac} {
			for _, secret := range []string{"wonderland", "mirror", "tea"} {
				if strings.Contains(h.logs.String(), secret) {
					t.Errorf("the log holds the secret %q:\n%s", secret, h.logs)
				}
			}
		}
	})
}

func TestWrongTunnelSecretIsRefused(t *testing.T) {
	bad := strings.ReplaceAll(lacConfig, "secret=tea", "secret=coffee")
	inBubble(t, lnsConfig, bad, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Minute)
		if n := lns.count.tunnelsEstablished.Load(); n != 0 {
			t.Errorf("%d tunnels are established, want 0", n)
		}
		lns.wantEmpty()
		lac.wantEmpty()
	})
}

func TestPersistentTunnelComesBack(t *testing.T) {
	persist := strings.Replace(lacConfig, "dest_ipaddr=192.0.2.1", "dest_ipaddr=192.0.2.1 persist=yes", 1)
	inBubble(t, lnsConfig, persist, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		w.Cut(lnsAddr)
		pass(5 * time.Minute)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		w.Mend(lnsAddr)
		pass(3 * time.Minute)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if _, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, ""); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Minute)
		lac.wantEmpty()
	})
}

func TestPersistentSessionComesBack(t *testing.T) {
	persist := strings.Replace(lacConfig, "dest_ipaddr=192.0.2.1", "dest_ipaddr=192.0.2.1 persist=yes", 1)
	inBubble(t, lnsConfig, persist, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		if _, err := lns.DeleteSession(context.Background(), lns.sessions()[0], ""); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

func TestSlowKernelRefusesNoFrame(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		slow := func(context.Context, dataplane.Op, dataplane.SessionKey) error {
			time.Sleep(200 * time.Millisecond)
			return nil
		}
		lns.fake.SetHook(slow)
		lac.fake.SetHook(slow)
		if err := lac.store.Load("more.conf", []byte(lacConfig)); err != nil {
			t.Fatal(err)
		}
		lac.createDeclared(nil)
		pass(2900 * time.Millisecond)
		// Had a first frame been lost, its 3 s timer would still run.
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}
