package bench

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/engine"
	"culvert/internal/pool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	lnsAddr = netip.MustParseAddrPort("192.0.2.1:1701")
	lacAddr = netip.MustParseAddr("192.0.2.2")
)

const (
	password = "wonderland"
	secret   = "tea-time"
)

// lnsConfig is an LNS that knows alice and challenges LACs.
const lnsConfig = `
pool create pool_name=home addresses=10.9.0.0/16 reserved=10.9.0.1
user create user_name=alice user_password=` + password + `
ppp profile modify profile_name=default local_ipaddr=10.9.0.1 ip_pool_name=home
tunnel profile modify profile_name=default secret=` + secret + ` auth_mode=challenge rx_window_size=64
`

// wireNet is a run's network on a wire in memory.
type wireNet struct {
	wire *dataplane.Wire
	// lose, if set, says which datagrams are lost.
	lose  func(b []byte) bool
	port  uint16
	ports map[netip.AddrPort]Receiver
}

func newWireNet(w *dataplane.Wire) *wireNet {
	return &wireNet{wire: w, port: 50000, ports: make(map[netip.AddrPort]Receiver)}
}

type wireConn struct {
	net   *wireNet
	local netip.AddrPort
}

// Dial is called by the run's loop only, and so is what it changes, but for what the
// wire reads: it is told of a host before anything can come to it.
func (n *wireNet) Dial(local, target netip.AddrPort, receive Receiver) (Conn, error) {
	addr, port := local.Addr(), local.Port()
	if !addr.IsValid() {
		addr = lacAddr
	}
	if port == 0 {
		n.port++
		port = n.port
	}
	c := &wireConn{n, netip.AddrPortFrom(addr, port)}
	if n.ports[c.local] != nil {
		return nil, errors.New("address in use")
	}
	ports := map[netip.AddrPort]Receiver{c.local: receive}
	maps.Copy(ports, n.ports)
	n.ports = ports // readers have the old one
	n.wire.Peer(addr, func(src, dst netip.AddrPort, b []byte) {
		if f := ports[dst]; f != nil && src.Addr() == target.Addr() && (n.lose == nil || !n.lose(b)) {
			f(src, b)
		}
	})
	return c, nil
}

func (n *wireNet) Close() error { return nil }

func (c *wireConn) Send(to netip.AddrPort, b []byte) error {
	if c.net.lose == nil || !c.net.lose(b) {
		c.net.wire.Send(c.local, to, b)
	}
	return nil
}

func (c *wireConn) Close() error { return nil }

// An lns is the engine as LNS, over the fake data plane.
type lns struct {
	*engine.Engine
	t    testing.TB
	fake *dataplane.Fake
	logs strings.Builder
}

// startLNS starts an LNS on the wire. packet gets what comes out of sessions.
func startLNS(t testing.TB, w *dataplane.Wire, text string, packet func(l *lns, id dataplane.SessionKey, b []byte)) *lns {
	t.Helper()
	l := &lns{t: t}
	store := config.NewStore("lns")
	if err := store.Load("test.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	pools := pool.New()
	var configs []pool.Config
	for _, p := range store.Snapshot().Pools() {
		configs = append(configs, pool.Config(p))
	}
	if err := pools.Configure(configs); err != nil {
		t.Fatal(err)
	}
	opts := dataplane.FakeOptions{Split: true}
	if packet != nil {
		opts.Packet = func(id dataplane.SessionKey, b []byte) { packet(l, id, b) }
	}
	var err error
	l.Engine, err = engine.New(engine.Options{
		Store: store, Pools: pools, Listen: []netip.AddrPort{lnsAddr}, Shards: 2,
		Log: slog.New(slog.NewTextHandler(&l.logs, nil)),
		Open: func(h dataplane.Handler) (dataplane.Dataplane, error) {
			l.fake = dataplane.NewFake(w, h, opts, lnsAddr.Addr())
			return l.fake, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lns) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		l.t.Errorf("Shutdown: %v", err)
	}
}

// wantSessions checks how many sessions the LNS has once it has done what came to it.
func (l *lns) wantSessions(want int) {
	l.t.Helper()
	synctest.Wait()
	inventory, err := l.fake.Inventory(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	if got := len(inventory.Sessions); got != want {
		l.t.Errorf("the LNS has %d sessions, want %d", got, want)
	}
}

// load is a configuration that comes up with lnsConfig.
func load(tunnels, sessions int) *Config {
	auth := make([]authMethod, 0, 4)
	for _, name := range []string{"mschapv2", "chap", "mschap", "pap"} {
		m, _ := ParseAuth(name)
		auth = append(auth, m)
	}
	return &Config{
		Target: lnsAddr, Tunnels: tunnels, Sessions: sessions, User: "alice", Password: password,
		Secret: secret, ChallengePeer: true, Auth: auth,
	}
}

// A scene is a run against the LNS, in virtual time.
type scene struct {
	*testing.T
	wire *dataplane.Wire
	net  *wireNet
	lns  *lns
}

// inScene runs f with an LNS.
func inScene(t *testing.T, text string, f func(s *scene)) {
	t.Helper()
	inSceneWith(t, text, nil, f)
}

// inEchoScene runs f with an LNS whose sessions have the nth packet answered by so many
// copies after a while.
func inEchoScene(t *testing.T, after time.Duration, copies func(n int) int, f func(s *scene)) {
	t.Helper()
	n := 0
	inSceneWith(t, lnsConfig, func(l *lns, id dataplane.SessionKey, b []byte) {
		n++
		back := copies(n)
		b[20] = icmpEchoReply
		time.AfterFunc(after, func() {
			for range back {
				if err := l.fake.SendPacket(id, b); err != nil {
					t.Error(err)
				}
			}
		})
	}, f)
}

func inSceneWith(
	t *testing.T, text string, packet func(l *lns, id dataplane.SessionKey, b []byte), f func(s *scene),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		s := &scene{t, w, newWireNet(w), startLNS(t, w, text, packet)}
		defer s.lns.stop()
		f(s)
	})
}

// run carries a configuration out.
func (s *scene) run(cfg *Config) *Report { return s.runUntil(context.Background(), cfg) }

func (s *scene) runUntil(ctx context.Context, cfg *Config) *Report {
	s.Helper()
	if err := cfg.Complete(); err != nil {
		s.Fatal(err)
	}
	return New(cfg, s.net).Do(ctx)
}

// same checks a value.
func same[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
