package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
)

// TestCallsOfOursTakeNoCredit: who is LAC and LNS in one takes the calls of its peers
// while its own wait for an LNS that is slow.
func TestCallsOfOursTakeNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		slow := newHost(t, w, lateAddr, lnsConfig)
		defer slow.stop()
		lns := newHost(t, w, lnsAddr, lnsConfig+
			"tunnel create tunnel_name=onward dest_ipaddr="+lateAddr.String()+"\n")
		defer lns.stop()
		pass(time.Second)
		release := make(chan struct{})
		slow.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpAddSession {
				<-release
			}
			return nil
		})
		lns.credit = 20
		for i := range lns.credit {
			lns.declare(fmt.Sprintf("session create tunnel_name=onward session_name=s%d "+
				"user_name=alice user_password=wonderland\n", i))
		}
		pass(time.Second)
		if n := lns.count.settingUp.Load(); n != lns.credit {
			t.Errorf("%d sessions are in set-up, want %d", n, lns.credit)
		}
		lac := newHost(t, w, lacAddr, lacConfig)
		defer lac.stop()
		pass(time.Second)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		close(release)
		pass(5 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1+int(lns.credit))
	})
}
