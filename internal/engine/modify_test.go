package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/management"
	"culvert/internal/schema"
	"culvert/l2tp"
)

// TestWhatCanChange: what the grammar lets an operator modify, the engine changes.
func TestWhatCanChange(t *testing.T) {
	for _, p := range schema.KindNamed("tunnel").Params {
		if tunnelChanges[p.Name] == nil != (p.CreateOnly || p.Key) {
			t.Errorf("tunnel %s: create only: %v, changed: %v", p.Name, p.CreateOnly,
				tunnelChanges[p.Name] != nil)
		}
	}
	for _, p := range schema.KindNamed("session").Params {
		if sessionChanges[p.Name] == nil != (p.CreateOnly || p.Key) {
			t.Errorf("session %s: create only: %v, changed: %v", p.Name, p.CreateOnly,
				sessionChanges[p.Name] != nil)
		}
	}
}

// TestModifyLeavesTheRest: what a command does not name stays as it was when the
// tunnel began, though its profile has changed since.
func TestModifyLeavesTheRest(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		for _, h := range []*host{lns, lac} {
			s := &scene{T: t}
			s.modify(h, "tunnel profile modify profile_name=default mtu=1200 secret=coffee")
			id := h.sessions()[0].GetTunnelId()
			s.modify(h, "tunnel modify tunnel_id="+str(id)+" hello_timeout=7")
			h.onShard(func(tun *tunnel) {
				p := tun.settings.TunnelParameters
				if p.HelloTimeout != 7*time.Second || p.MTU != 1460 || p.Secret != "tea" {
					t.Errorf("hello_timeout %v, mtu %d, secret changed: %v", p.HelloTimeout, p.MTU,
						p.Secret != "tea")
				}
			})
			s.modify(h, "tunnel unset tunnel_id="+str(id)+" mtu hello_timeout")
			h.onShard(func(tun *tunnel) {
				p := tun.settings.TunnelParameters
				if p.HelloTimeout != time.Minute || p.MTU != 1200 {
					t.Errorf("unset: hello_timeout %v, mtu %d", p.HelloTimeout, p.MTU)
				}
			})
		}
	})
}

func str(id uint32) string { return either("", id) }

// TestRename: of tunnels and sessions, whoever began them.
func TestRename(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		for _, h := range []*host{lns, lac} {
			s := &scene{T: t}
			was := h.sessions()[0]
			s.modify(h, "tunnel modify tunnel_id="+str(was.GetTunnelId())+" tunnel_name=new")
			s.modify(h, "session modify tunnel_name=new session_id="+str(was.GetSessionId())+
				" session_name=first")
			is := h.sessions()[0]
			if is.GetTunnelName() != "new" || is.GetSessionName() != "first" {
				t.Errorf("the session is %s of %s, want first of new", is.GetSessionName(),
					is.GetTunnelName())
			}
			_, err := h.ShowSession(context.Background(),
				&api.Session{TunnelName: new("new"), SessionName: new("first")})
			if err != nil {
				t.Error(err)
			}
			if _, err := h.ShowTunnel(context.Background(),
				&api.Tunnel{TunnelName: new("office")}); err == nil {
				t.Error("the old name still names the tunnel")
			}
		}
		// The name is free again when the tunnel is gone.
		lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("new")}, "")
		pass(3 * time.Minute)
		lns.wantClean()
		lac.wantClean()
	})
}

// TestSessionInThePeersTunnel: sessions can be created in a tunnel that the peer
// opened, in either role. They go with it.
func TestSessionInThePeersTunnel(t *testing.T) {
	for kind, at := range map[string]api.SessionType{
		"lnoc": api.SessionType_SESSION_TYPE_LAOC,
		"laic": api.SessionType_SESSION_TYPE_LNIC,
	} {
		t.Run(kind, func(t *testing.T) {
			open := "ppp profile modify profile_name=default auth_none=yes " +
				"local_ipaddr=10.7.0.1 remote_ipaddr=10.7.0.2\n"
			back := strings.ReplaceAll(strings.Replace(open, "0.1", "0.9", 1), "0.2", "0.1")
			lac := "tunnel profile modify profile_name=default secret=tea\n" +
				"tunnel create tunnel_name=office dest_ipaddr=192.0.2.1\n"
			inBubble(t, lnsConfig+open, strings.ReplaceAll(back, "0.9", "0.2")+lac,
				func(_ *dataplane.Wire, lns, lac *host) {
					pass(time.Second)
					s := &scene{T: t}
					var id string
					lns.onShard(func(tun *tunnel) { id = str(uint32(tun.core.ID())) })
					s.modify(lns, "session create tunnel_id="+id+" session_name=back session_type="+kind+
						" called_number=5551234")
					pass(5 * time.Second)
					lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
					lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
					if got := lac.sessions()[0].Status.Type; got != at {
						t.Errorf("the peer has a session of type %v, want %v", got, at)
					}
					wantPoliteEnd(lns, lac)
				})
		})
	}
}

// TestRoles: a peer profile says whether we are LAC or LNS, and calls that do not
// agree are refused: those of the peer with a CDN, ours with an error.
func TestRoles(t *testing.T) {
	role := func(word string) string {
		return "peer profile modify profile_name=default lac_lns=" + word + "\n"
	}
	t.Run("call of the peer", func(t *testing.T) {
		inBubble(t, lnsConfig+role("lac"), "", func(w *dataplane.Wire, lns, lac *host) {
			seen := cdns(w)
			lac.declare(sessionsConfig(1))
			pass(time.Second)
			if len(*seen) != 1 || (*seen)[0].Code != l2tp.CDNNoFacilities {
				t.Errorf("CDNs = %+v, want one with code %d", *seen, l2tp.CDNNoFacilities)
			}
			lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		})
	})
	t.Run("call of ours", func(t *testing.T) {
		inBubble(t, lnsConfig, role("lns")+sessionsConfig(0), func(_ *dataplane.Wire, _, lac *host) {
			pass(time.Second)
			_, err := lac.CreateSession(context.Background(), &api.Session{TunnelName: new("office"),
				SessionType: new(api.SessionType_SESSION_TYPE_LAIC)})
			if err == nil || !strings.Contains(err.Error(), "lac_lns") {
				t.Errorf("CreateSession: %v, want that lac_lns forbids it", err)
			}
		})
	})
}

// TestConfigIDs: each tunnel to a host has its own, the lowest that is free if
// none is given.
func TestConfigIDs(t *testing.T) {
	inBubble(t, lnsConfig, "", func(w *dataplane.Wire, _, lac *host) {
		w.Cut(lnsAddr) // nobody answers meanwhile
		create := func(dest string, id uint32) (uint32, error) {
			asked := &api.Tunnel{DestIpaddr: &dest}
			if id != 0 {
				asked.ConfigId = &id
			}
			made, err := lac.CreateTunnel(context.Background(), asked)
			return made.GetConfigId(), err
		}
		for _, step := range []struct {
			dest    string
			id, got uint32
		}{
			{"192.0.2.1", 0, 1}, {"192.0.2.1", 0, 2}, {"192.0.2.1", 4, 4}, {"192.0.2.1", 0, 3},
			{"192.0.2.1", 0, 5}, {"192.0.2.9", 0, 1}, {"192.0.2.1", 2, 0}, {"192.0.2.1", 0, 6},
		} {
			got, err := create(step.dest, step.id)
			if got != step.got || err != nil != (step.got == 0) {
				t.Errorf("config_id=%d to %s: %d, %v; want %d", step.id, step.dest, got, err, step.got)
			}
		}
		pass(time.Hour) // nobody has answered
		if got, err := create("192.0.2.1", 2); got != 2 || err != nil {
			t.Errorf("config_id=2 when it is free again: %d, %v", got, err)
		}
	})
}

// TestShownHolds: what is shown to hold has the keys, the status and the counters too,
// and says where each value comes from.
func TestShownHolds(t *testing.T) {
	inBubble(t, lnsConfig, lacConfig, func(_ *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		for _, h := range []*host{lns, lac} {
			key := h.sessions()[0]
			session, err := h.ShowSession(context.Background(),
				&api.Session{TunnelId: key.TunnelId, SessionId: key.SessionId})
			if err != nil {
				t.Fatal(err)
			}
			holds := session.Effective.(*api.Session)
			if holds.GetSessionId() != key.GetSessionId() || holds.GetStatus().GetCounters() == nil ||
				holds.GetStatus().GetState() != api.SessionState_SESSION_STATE_UP {
				t.Errorf("what holds of the session: %v", holds)
			}
			tunnel, err := h.ShowTunnel(context.Background(), &api.Tunnel{TunnelId: key.TunnelId})
			if err != nil {
				t.Fatal(err)
			}
			of := tunnel.Effective.(*api.Tunnel)
			if of.GetTunnelId() != key.GetTunnelId() || of.GetStatus().GetPeerTunnelId() == 0 ||
				of.GetParameters().GetHelloTimeout() != 60 {
				t.Errorf("what holds of the tunnel: %v", of)
			}
			if got := tunnel.Origins["hello_timeout"]; got != "default" {
				t.Errorf("hello_timeout comes from %q, want default", got)
			}
		}
	})
}

// TestForgottenMeanwhile: a tunnel that is forgotten between the look for its name and its
// shard's turn is not found.
func TestForgottenMeanwhile(t *testing.T) {
	const nobody = "tunnel create tunnel_name=office dest_ipaddr=192.0.2.99 persist=yes persist_delay=60\n"
	inBubble(t, lnsConfig, nobody, func(_ *dataplane.Wire, _, lac *host) {
		d := lac.names.find("office")
		for d.tunnel != nil || d.attempts == 0 {
			pass(time.Second)
		}
		refused := make(chan error, 1)
		ask(context.Background(), d.shard, func() (bool, error) {
			go func() {
				_, err := lac.CreateSession(context.Background(),
					&api.Session{TunnelName: new("office"), SessionName: new("s1")})
				refused <- err
			}()
			synctest.Wait()
			d.delete(time.Now(), "")
			return true, nil
		})
		if err := <-refused; !errors.Is(err, management.ErrNotFound) {
			t.Errorf("CreateSession = %v, want that there is no such tunnel", err)
		}
	})
}
