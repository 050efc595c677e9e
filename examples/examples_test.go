package examples

import (
	"net/netip"
	"path/filepath"
	"testing"

	"culvert/api"
	"culvert/internal/config"
)

func load(t *testing.T, path string) *config.Snapshot {
	t.Helper()
	s := config.NewStore("machine")
	if err := s.LoadFile(path); err != nil {
		t.Fatal(err)
	}
	return s.Snapshot()
}

func TestAllLoad(t *testing.T) {
	paths, _ := filepath.Glob("*.conf")
	if len(paths) < 2 {
		t.Fatalf("found %v", paths)
	}
	for _, path := range paths {
		load(t, path)
	}
}

func TestLNS(t *testing.T) {
	s := load(t, "lns.conf")
	addr := netip.MustParseAddr("198.51.100.7")
	home := s.SelectPeer("laptop", netip.AddrPortFrom(addr, 1701)).Tunnel
	if home.Parameters.AuthMode != api.AuthMode_AUTH_MODE_NONE || home.Parameters.MTU != 1400 {
		t.Errorf("home = %+v", home)
	}
	branch := s.SelectPeer("branch.example.net", netip.AddrPortFrom(addr, 1701)).Tunnel
	if branch.Parameters.AuthMode != api.AuthMode_AUTH_MODE_CHALLENGE ||
		branch.Parameters.Secret == "" || branch.Parameters.MTU != 1400 {
		t.Errorf("branch = %+v", branch)
	}
	ppp := s.IncomingSession(home, api.SessionType_SESSION_TYPE_LNIC, nil).PPP
	if !ppp.AuthPeer || ppp.AuthPAP || ppp.PoolName != "homes" {
		t.Errorf("PPP = %+v", ppp)
	}
	if u, ok := s.User("dora"); !ok || !u.Addr.IsValid() {
		t.Errorf("dora = %+v", u)
	}
}

func TestClient(t *testing.T) {
	s := load(t, "client.conf")
	tunnel, err := s.ResolveTunnel(s.Tunnels()[0])
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.ResolveSession(tunnel, s.Sessions()[0])
	if err != nil {
		t.Fatal(err)
	}
	if !tunnel.Parameters.Persist || tunnel.Parameters.OurUDPPort != 0 ||
		!session.PPP.DefaultRoute || !session.PPP.AcceptDNS || session.PPP.AuthPeer {
		t.Errorf("tunnel %+v, session %+v", tunnel, session)
	}
}
