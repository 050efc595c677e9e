package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/l2tp"
)

// declare loads more configuration and creates what it declares. The host must
// have begun with none.
func (h *host) declare(text string) {
	h.t.Helper()
	if err := h.store.Load("more.conf", []byte(text)); err != nil {
		h.t.Fatal(err)
	}
	h.createDeclared(nil)
}

// wantLog checks that something was logged.
func (h *host) wantLog(text string) {
	h.t.Helper()
	if !strings.Contains(h.logs.String(), text) {
		h.t.Errorf("the log does not hold %q:\n%s", text, h.logs)
	}
}

// onShard runs f on the shard of the host's only tunnel.
func (h *host) onShard(f func(t *tunnel)) {
	h.t.Helper()
	list, err := h.ListTunnels(context.Background(), management.Page{Limit: 10})
	if err != nil || len(list) != 1 {
		h.t.Fatalf("ListTunnels = %v, %v, want one", list, err)
	}
	id := l2tp.TunnelID(list[0].GetTunnelId())
	s := h.shardOf(id)
	_, err = ask(context.Background(), s, func() (bool, error) {
		f(s.tunnels[id])
		s.drain()
		return true, nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

const persistConfig = `
tunnel profile modify profile_name=default secret=tea
tunnel create tunnel_name=office dest_ipaddr=192.0.2.1 persist=yes
session create tunnel_name=office session_name=s1 user_name=alice user_password=wonderland
`

// TestFaultInATunnelsTimer: the tunnel is ended, and the shard goes on.
func TestFaultInATunnelsTimer(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.onShard(func(tun *tunnel) { // a fault of ours
			defer func() { _ = recover() }()
			tun.core.Reconfigure(nil)
		})
		pass(5 * time.Minute)
		lns.wantLog("INTERNAL FAULT")
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		lns.wantEmpty()
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
	})
}

// A faultyPath strikes a fault whenever it is asked what the path takes.
type faultyPath struct{ dataplane.Tunnel }

func (faultyPath) PathMTU() int { panic("a fault of ours") }

// TestFaultBeforeADeadlineIsForgotten: what was due does not stay due for ever.
func TestFaultBeforeADeadlineIsForgotten(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		lns.onShard(func(tun *tunnel) {
			tun.path, tun.pmtu = faultyPath{tun.path}, &pathMTU{at: time.Now()}
			tun.shard.deadlines.update(tun)
		})
		pass(5 * time.Minute)
		lns.wantLog("INTERNAL FAULT")
		lns.wantEmpty()
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
	})
}

// TestFaultInAJob: what panics on a worker fails, and ends one session.
func TestFaultInAJob(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		var once sync.Once
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpConfigure {
				once.Do(func() { panic("a fault of ours") })
			}
			return nil
		})
		lac.declare(sessionsConfig(3))
		pass(20 * time.Second)
		lns.wantLog("INTERNAL FAULT")
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}

func TestMaxTunnels(t *testing.T) {
	lac := "tunnel profile modify profile_name=default secret=tea\n" +
		"tunnel create tunnel_name=a dest_ipaddr=192.0.2.1\n" +
		"tunnel create tunnel_name=b dest_ipaddr=192.0.2.1\n" +
		"tunnel create tunnel_name=c dest_ipaddr=192.0.2.1\n"
	two := lnsConfig + "system modify max_tunnels=2\n"
	inBubble(t, two, lac, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		if n := lns.count.tunnelsEstablished.Load(); n != 2 {
			t.Fatalf("%d tunnels are established, want 2", n)
		}
		list, err := lac.ListTunnels(context.Background(), management.Page{Limit: 9})
		if err != nil || len(list) != 2 {
			t.Fatalf("ListTunnels = %v, %v", list, err)
		}
		if n := lns.total.tooManyTunnels.Load(); n != 1 {
			t.Errorf("%d tunnels were too many, want 1", n)
		}
		// One that ended makes room, though it and the refused one linger.
		if _, err := lac.DeleteTunnel(context.Background(), list[0], ""); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		_, err = lac.CreateTunnel(context.Background(), &api.Tunnel{DestIpaddr: new("192.0.2.1")})
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if n := lns.count.tunnelsEstablished.Load(); n != 2 {
			t.Errorf("%d tunnels are established, want 2", n)
		}
	})
}

// TestMaxTunnelsOfOurOwn counts what commands create.
func TestMaxTunnelsOfOurOwn(t *testing.T) {
	inBubble(t, lnsConfig, "system modify max_tunnels=1 max_sessions=1\n"+sessionsConfig(3),
		func(_ *dataplane.Wire, _, lac *host) {
			pass(time.Second)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			_, err := lac.CreateTunnel(context.Background(), &api.Tunnel{DestIpaddr: new("192.0.2.1")})
			if !errors.Is(err, management.ErrRefused) {
				t.Errorf("CreateTunnel: %v, want that it is refused", err)
			}
		})
}

// TestWaitingTunnelsAreListed: those between two attempts too, and each of
// their sessions once.
func TestWaitingTunnelsAreListed(t *testing.T) {
	var lac strings.Builder
	lac.WriteString("tunnel profile modify profile_name=default persist=yes persist_delay=30\n")
	for i := range 5 {
		fmt.Fprintf(&lac, "tunnel create tunnel_name=t%d dest_ipaddr=203.0.113.%d\n", i, i+1)
		for j := range 7 {
			fmt.Fprintf(&lac, "session create tunnel_name=t%d session_name=s%d\n", i, j)
		}
	}
	inBubble(t, lnsConfig, lac.String(), func(_ *dataplane.Wire, _, lac *host) {
		pass(45 * time.Second) // the first attempts were given up
		tunnels := make(map[string]bool)
		sessions := make(map[string]int)
		var page management.Page
		for page.Limit = 2; ; {
			list, err := lac.ListTunnels(context.Background(), page)
			if err != nil {
				t.Fatal(err)
			}
			for _, tun := range list {
				tunnels[tun.GetTunnelName()] = true
				if tun.GetTunnelId() == 0 {
					t.Errorf("%s has no tunnel_id", tun.GetTunnelName())
				}
				page.AfterTunnel = uint16(tun.GetTunnelId())
			}
			if len(list) < page.Limit {
				break
			}
		}
		page = management.Page{Limit: 3}
		for range 50 {
			list, err := lac.ListSessions(context.Background(), nil, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				sessions[s.GetTunnelName()+s.GetSessionName()]++
			}
			if len(list) < page.Limit {
				break
			}
			page = page.AfterSessions(list)
		}
		if len(tunnels) != 5 || len(sessions) != 35 {
			t.Errorf("listed %d tunnels and %d sessions, want 5 and 35", len(tunnels), len(sessions))
		}
		for name, n := range sessions {
			if n != 1 {
				t.Errorf("%s was listed %d times", name, n)
			}
		}
	})
}

// A fakeResolver records what name servers the host asks.
type fakeResolver struct {
	mu  sync.Mutex
	by  map[string][]netip.Addr
	err error // of each call
}

func (r *fakeResolver) Set(_ context.Context, iface string, servers []netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by[iface] = servers
	return r.err
}

func (r *fakeResolver) Unset(_ context.Context, iface string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.by, iface)
	return r.err
}

func (r *fakeResolver) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.by)
}

// TestNameServers: they are used while IPv4 is up if that is wanted, whichever
// network protocol is up first.
func TestNameServers(t *testing.T) {
	offer := lnsConfig + "ppp profile modify profile_name=default dns_ipaddr_pri=10.9.0.53\n"
	for _, accept := range []string{"yes", "no"} {
		t.Run("accept_dns="+accept, func(t *testing.T) {
			inBubble(t, offer, "", func(w *dataplane.Wire, _, lac *host) {
				r := &fakeResolver{by: make(map[string][]netip.Addr)}
				lac.resolver = r
				w.Impair(1, dataplane.Conditions{Delay: 50 * time.Millisecond})
				lac.declare("ppp profile modify profile_name=default default_route=yes accept_dns=" +
					accept + lacConfig)
				pass(5 * time.Second)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
				s := lac.sessions()[0]
				want := "map[" + s.Status.Interface + ":[10.9.0.53]]"
				dns := "[10.9.0.53]"
				if accept == "no" {
					want, dns = "map[]", "[]"
				}
				if got := r.String(); got != want {
					t.Errorf("name servers = %s, want %s", got, want)
				}
				if got := fmt.Sprint(s.Status.Ppp.Dns); got != dns {
					t.Errorf("status says dns = %s, want %s", got, dns)
				}
				if !strings.Contains(lac.fake.String(), "route default") {
					t.Errorf("no default route:\n%s", lac.fake)
				}
				if _, err := lac.DeleteSession(context.Background(), s, ""); err != nil {
					t.Fatal(err)
				}
				pass(5 * time.Second)
				if got := r.String(); got != "map[]" {
					t.Errorf("after the session name servers = %s", got)
				}
			})
		})
	}
}

// TestNameServersFail: the session goes on, and that is nothing that the data plane refused.
func TestNameServersFail(t *testing.T) {
	offer := lnsConfig + "ppp profile modify profile_name=default dns_ipaddr_pri=10.9.0.53\n"
	inBubble(t, offer, "", func(_ *dataplane.Wire, _, lac *host) {
		lac.resolver = &fakeResolver{by: make(map[string][]netip.Addr), err: errors.New("no such file")}
		lac.declare("ppp profile modify profile_name=default accept_dns=yes" + lacConfig)
		pass(5 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lac.wantLog("setting name servers")
		if _, err := lac.DeleteSession(context.Background(), lac.sessions()[0], ""); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		lac.wantLog("restoring name servers")
		if n := lac.statistics().KernelErrors; n != 0 {
			t.Errorf("%d kernel errors are counted, want none", n)
		}
	})
}

// TestRenegotiationGivesAnotherAddress: when the LNS begins PPP anew with
// another address, the client takes it, and the old one is free.
func TestRenegotiationGivesAnotherAddress(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		change := "user modify user_name=alice ipaddr=10.7.7.7\n"
		if err := lns.store.Load("x.conf", []byte(change)); err != nil {
			t.Fatal(err)
		}
		lns.onShard(func(tun *tunnel) {
			for _, s := range tun.sessions {
				s.network.chosenFor, s.network.ready = "?", false
				s.beginLink()
			}
		})
		pass(20 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if got := lac.sessions()[0].Status.Ppp.LocalIpv4; got != "10.7.7.7" {
			t.Errorf("the client's address = %q, want 10.7.7.7", got)
		}
		if s, _ := lns.PoolStatus(context.Background(), "home"); s.Allocated != 0 {
			t.Errorf("%d addresses are allocated, want 0", s.Allocated)
		}
	})
}

// TestPeerUsesItsTunnelIDAgain: a peer that ended its tunnel and opens one
// with the same identifier is answered, though the old tunnel lingers.
func TestPeerUsesItsTunnelIDAgain(t *testing.T) {
	same := strings.Replace(lacConfig, "dest_ipaddr", "tunnel_id=77 dest_ipaddr", 1)
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		lns := newHost(t, w, lnsAddr, lnsConfig)
		defer lns.stop()
		for range 2 {
			lac := newHost(t, w, lacAddr, same)
			pass(2 * time.Second)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			lac.stop()
		}
	})
}

// TestSequencingWhileTheKernelIsBusy: an OCCN that requires sequence numbers may
// come before the data session is there.
func TestSequencingWhileTheKernelIsBusy(t *testing.T) {
	caller := `
ppp profile modify profile_name=default local_ipaddr=10.9.0.1 remote_ipaddr=10.9.0.7 auth_none=yes
tunnel create tunnel_name=pop dest_ipaddr=192.0.2.2
session create tunnel_name=pop session_name=out session_type=lnoc called_number=5551234
`
	called := pppDefault("auth_none=yes local_ipaddr=10.9.0.7 remote_ipaddr=10.9.0.1") +
		"session profile modify profile_name=default sequencing_required=yes\n"
	inBubble(t, "", called, func(_ *dataplane.Wire, lns, lac *host) {
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				time.Sleep(time.Second)
			}
			return nil
		})
		lns.declare(caller)
		pass(10 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if text := lns.fake.String(); !strings.Contains(text, "send-sequence") {
			t.Errorf("the LNS does not number:\n%s", text)
		}
	})
}

func TestModifyPersistNoStopsRetrying(t *testing.T) {
	inBubble(t, lnsConfig, persistConfig, func(w *dataplane.Wire, _, lac *host) {
		pass(time.Second)
		w.Cut(lnsAddr)
		pass(5 * time.Minute)
		change := &api.Tunnel{TunnelName: new("office"),
			Parameters: &api.TunnelParameters{Persist: new(false)}}
		if _, err := lac.ModifyTunnel(context.Background(), change, nil); err != nil {
			t.Fatal(err)
		}
		w.Mend(lnsAddr)
		pass(5 * time.Minute)
		if n := lac.count.tunnels.Load(); n != 0 {
			t.Errorf("%d tunnels, want 0", n)
		}
	})
}

// TestModifyByIDKeepsTheIDFree: a tunnel that is modified by its identifier
// does not insist on it in its next attempt.
func TestModifyByIDKeepsTheIDFree(t *testing.T) {
	inBubble(t, lnsConfig, persistConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		id := lac.sessions()[0].TunnelId
		change := &api.Tunnel{TunnelId: id, Parameters: &api.TunnelParameters{Mtu: new(uint32(1200))}}
		if _, err := lac.ModifyTunnel(context.Background(), change, nil); err != nil {
			t.Fatal(err)
		}
		change.Parameters.Mtu = new(uint32(1456))
		if _, err := lac.ModifyTunnel(context.Background(), change, nil); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if text := lac.fake.String(); !strings.Contains(text, "mtu 1456") {
			t.Errorf("a greater MTU did not reach the interface:\n%s", text)
		}
		if _, err := lns.DeleteTunnel(context.Background(), &api.Tunnel{
			TunnelId: lns.sessions()[0].TunnelId}, ""); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

// TestDeleteWhileLookingUp: the name is free at once, and nothing is dialled.
func TestDeleteWhileLookingUp(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, _, lac *host) {
		found := make(chan struct{})
		lac.lookUp = func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			select {
			case <-found:
				return []netip.Addr{lnsAddr}, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		ctx := context.Background()
		asked := &api.Tunnel{TunnelName: new("far"), DestIpaddr: new("lns.example")}
		if _, err := lac.CreateTunnel(ctx, asked); err != nil {
			t.Fatal(err)
		}
		if _, err := lac.DeleteTunnel(ctx, &api.Tunnel{TunnelName: new("far")}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := lac.CreateTunnel(ctx, &api.Tunnel{
			TunnelName: new("far"), DestIpaddr: new("192.0.2.9")}); err != nil {
			t.Errorf("CreateTunnel after DeleteTunnel: %v", err)
		}
		close(found)
		pass(time.Second)
		if n := lac.count.tunnels.Load(); n != 1 {
			t.Errorf("%d tunnels, want 1", n)
		}
	})
}

// TestShutdownWhileLookingUp does not wait for the name server.
func TestShutdownWhileLookingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lac := newHost(t, dataplane.NewWire(), lacAddr, "")
		lac.lookUp = func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		lac.declare("tunnel create tunnel_name=far dest_ipaddr=lns.example persist=yes\n")
		pass(time.Second)
		begin := time.Now()
		lac.stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("Shutdown took %v", took)
		}
	})
}

// TestNobodyElseTakesOverASession: a peer that is challenged again must be who
// it was, or it would have another's address.
func TestNobodyElseTakesOverASession(t *testing.T) {
	for _, user := range []string{"alice", "bob"} {
		t.Run(user, func(t *testing.T) {
			text := lnsConfig + only("chap") + pppDefault("chap_interval=20") +
				"user create user_name=bob user_password=wonderland\n"
			inBubble(t, text, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
				pass(time.Second)
				lac.onShard(func(tun *tunnel) {
					for _, s := range tun.sessions {
						s.settings.link.User = user
					}
				})
				pass(30 * time.Second)
				want := 1
				if user == "bob" {
					want = 0
				}
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, want)
			})
		})
	}
}

// TestBackOffOfATunnelThatDoesNotLast: a peer that takes every tunnel and ends it
// at once is not asked every second.
func TestBackOffOfATunnelThatDoesNotLast(t *testing.T) {
	inBubble(t, lnsConfig, "", func(_ *dataplane.Wire, lns, lac *host) {
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAttach {
				return errors.New("out of order")
			}
			return nil
		})
		lac.declare(persistConfig)
		pass(2 * time.Minute)
		if n := lns.count.tunnelsCreated.Load(); n < 5 || n > 9 {
			t.Errorf("%d tunnels were opened in two minutes, want about 7", n)
		}
	})
}

// TestModifyIdleTimeout: it holds for a tunnel that is idle already.
func TestModifyIdleTimeout(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, _, lac *host) {
		pass(time.Second)
		if _, err := lac.DeleteSession(context.Background(), lac.sessions()[0], ""); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		change := &api.Tunnel{TunnelName: new("office"),
			Parameters: &api.TunnelParameters{IdleTimeout: new(uint32(30))}}
		if _, err := lac.ModifyTunnel(context.Background(), change, nil); err != nil {
			t.Fatal(err)
		}
		pass(19 * time.Second)
		if n := lac.count.tunnels.Load(); n != 1 {
			t.Errorf("%d tunnels after 29 s, want 1", n)
		}
		pass(2 * time.Second)
		if n := lac.count.tunnelsEstablished.Load(); n != 0 {
			t.Errorf("%d tunnels after 31 s, want 0", n)
		}
	})
}
