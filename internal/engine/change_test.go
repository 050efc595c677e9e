package engine

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
)

// recorded is what the next process would find of the host's only session.
func (h *host) recorded() *sessionRecord {
	h.t.Helper()
	in, errs := readInheritance(h.peek())
	if len(errs) > 0 {
		h.t.Fatal(errs)
	}
	for _, t := range in.tunnels {
		if len(t.sessions) == 1 {
			return t.sessions[0]
		}
	}
	h.t.Fatalf("records of %d tunnels, want one with one session", len(in.tunnels))
	return nil
}

// wantRecorded checks what the record says of changes of the host's only session.
func (h *host) wantRecorded(shaping, modifying bool) {
	h.t.Helper()
	if r := h.recorded(); r.Shaping != shaping || r.Modifying != modifying {
		h.t.Errorf("shaping %v, modifying %v, want %v and %v", r.Shaping, r.Modifying, shaping, modifying)
	}
}

// What a session has done after its interface was made, such as to have name servers asked or
// to count, leaves no doubt in its record.
func TestNoDoubtOnceShaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		offer := lnsConfig + "ppp profile modify profile_name=default dns_ipaddr_pri=10.9.0.53\n"
		accept := "ppp profile modify profile_name=default accept_dns=yes idle_timeout=60\n" + sessionsConfig(1)
		lns := newMortal(t, w, &host{addr: lnsAddr, seen: newEvents()}, offer)
		r := &fakeResolver{by: make(map[string][]netip.Addr)}
		lac := newMortal(t, w, &host{addr: lacAddr, seen: newEvents(), dns: r}, accept)
		defer lns.stop()
		defer lac.stop()
		pass(5 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		for range 2 {
			lac.wantRecorded(false, false)
			lns.wantRecorded(false, false)
			lac.restart(time.Second, nil)
			lns.restart(time.Second, nil)
			pass(time.Minute / 2)
		}
	})
}

// A change that is under way when the process is killed, or that failed, is in the record as
// such, and the next process makes it again.
func TestChangesAreMadeAgain(t *testing.T) {
	persistent := strings.Replace(sessionsConfig(1), "dest_ipaddr", "persist=yes dest_ipaddr", 1)
	for name, fails := range map[string]bool{"under way": false, "failed": true} {
		t.Run(name, func(t *testing.T) {
			inMortalBubble(t, lnsConfig, persistent, func(w *dataplane.Wire, lns, lac *host) {
				pass(5 * time.Second)
				before := lac.sessions()
				if lac.slowly(time.Second); fails {
					lac.fake.SetHook(func(context.Context, dataplane.Op, dataplane.SessionKey) error {
						return errors.New("no buffer space")
					})
				}
				lac.modifySession(&api.SessionParameters{UseSequenceNumbers: new(true)})
				lac.wantRecorded(false, true)
				pass(10 * time.Second)
				lac.wantRecorded(false, fails)
				lac.modifyMTU(1300)
				lac.wantRecorded(true, fails)
				lac.modifySession(&api.SessionParameters{UseSequenceNumbers: new(false)})
				lac.wantRecorded(true, true)
				if fails {
					pass(10 * time.Second)
					lac.wantRecorded(true, true)
				}

				remains := lac.kill()
				var modified, configured atomic.Int64
				lac.hook = func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
					switch op {
					case dataplane.OpModify:
						modified.Add(1)
					case dataplane.OpConfigure:
						configured.Add(1)
					}
					return nil
				}
				lac.resume(remains, nil)
				lac.wantRecorded(false, false)
				if modified.Load() != 1 || configured.Load() != 1 {
					t.Errorf("modified %d times and configured %d times, want once each",
						modified.Load(), configured.Load())
				}
				pass(time.Minute)
				lac.wantUntouched(before) // the configuration says nothing of those changes
			})
		})
	}
}

// modifySession changes the host's session s0 in its tunnel.
func (h *host) modifySession(p *api.SessionParameters) {
	h.t.Helper()
	s := &api.Session{TunnelName: new("office"), SessionName: new("s0"), Parameters: p}
	if _, err := h.ModifySession(context.Background(), s, nil); err != nil {
		h.t.Fatal(err)
	}
}

// modifyMTU changes the MTU of the host's tunnel.
func (h *host) modifyMTU(mtu uint32) {
	h.t.Helper()
	tunnel := &api.Tunnel{TunnelName: new("office"), Parameters: &api.TunnelParameters{Mtu: &mtu}}
	if _, err := h.ModifyTunnel(context.Background(), tunnel, nil); err != nil {
		h.t.Fatal(err)
	}
}
