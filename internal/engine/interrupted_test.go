package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
)

// withIdentifiers gives the tunnel and the sessions of sessionsConfig identifiers.
func withIdentifiers(text string) string {
	return strings.NewReplacer("dest_ipaddr", "tunnel_id=77 dest_ipaddr",
		"session_name=s0", "session_id=12", "session_name=s1", "session_name=s1 session_id=13").Replace(text)
}

// What a restart interrupts is made again, also with identifiers of its own, which the one
// before still has, and where nothing persists.
func TestInterruptedIsMadeAgain(t *testing.T) {
	stages(func(d time.Duration) {
		t.Run(d.String(), func(t *testing.T) {
			inMortalBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
				inSlowMotion(w, lns, lac)
				lac.declare(withIdentifiers(sessionsConfig(2)) + "system modify session_persist_pend_timeout=never\n" +
					"ppp profile modify profile_name=default max_failure_count=1\n")
				pass(d)
				if lac.count.tunnelsEstablished.Load() == 0 {
					return // the tunnel itself is tried again only if it persists
				}
				lac.createNameless()
				pass(d % (100 * time.Millisecond))
				lac.restart(time.Second, nil)
				pass(time.Minute)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
			})
		})
	})
}

// createNameless has a command create a session without a name in the tunnel office.
func (h *host) createNameless() {
	h.t.Helper()
	_, err := h.CreateSession(context.Background(), &api.Session{TunnelName: new("office"),
		UserName: new("alice"), UserPassword: new("wonderland")})
	if err != nil {
		h.t.Fatal(err)
	}
}

// A session of ours that cannot be adopted is made again, and so is a tunnel of which
// nothing is left, with the identifiers that they had.
func TestNotAdoptedIsMadeAgain(t *testing.T) {
	for name, lost := range map[string]bool{"sessions": false, "the tunnel": true} {
		t.Run(name, func(t *testing.T) {
			inMortalBubble(t, lnsConfig, withIdentifiers(sessionsConfig(2)), func(w *dataplane.Wire, lns, lac *host) {
				pass(5 * time.Second)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
				remains := lac.kill()
				if lost {
					remains.Lose()
				}
				lac.hook = func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
					if op == dataplane.OpAdoptSession {
						return errors.New("no descriptors left")
					}
					return nil
				}
				pass(time.Second)
				lac.resume(remains, nil)
				pass(5 * time.Minute)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
				if id := lac.tunnel().GetTunnelId(); id != 77 {
					t.Errorf("the tunnel has identifier %d, want 77", id)
				}
			})
		})
	}
}

// A session without a name that a command has deleted does not come back, though its end was
// interrupted.
func TestDeletedNamelessStaysDeleted(t *testing.T) {
	text := strings.Replace(sessionsConfig(1), "dest_ipaddr", "persist=yes dest_ipaddr", 1)
	inMortalBubble(t, lnsConfig, text, func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lac.createNameless()
		pass(5 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		w.Cut(lnsAddr) // the end of PPP is not answered
		for _, s := range lac.sessions() {
			if s.GetSessionName() == "" {
				lac.DeleteSession(context.Background(), &api.Session{TunnelName: new("office"), SessionId: s.SessionId}, "")
			}
		}
		pass(100 * time.Millisecond)
		lac.restart(time.Second, nil)
		w.Mend(lnsAddr)
		pass(5 * time.Minute)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

// A tunnel that is not configured any more, and neither is its profile, is closed politely.
func TestTunnelWithoutItsProfileIsClosed(t *testing.T) {
	text := strings.Replace(sessionsConfig(2), "tunnel create", "tunnel profile create profile_name=work\n"+
		"tunnel create profile_name=work persist=yes", 1)
	inMortalBubble(t, lnsConfig, text, func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		lac.restart(time.Second, new(strings.Split(text, "\n")[0]+"\n"))
		pass(500 * time.Millisecond)
		lns.wantLog("tunnel stopped")
		pass(3 * time.Minute)
		lac.wantClean()
		lns.wantClean()
	})
}
