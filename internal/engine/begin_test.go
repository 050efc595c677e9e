package engine

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// TestCallerSpeaksFirst: an LNS lets the caller begin with LCP, since a LAC may
// drop what comes before its pppd runs, but it does not wait for long.
func TestCallerSpeaksFirst(t *testing.T) {
	for _, mute := range []bool{false, true} {
		t.Run(fmt.Sprintf("mute=%v", mute), func(t *testing.T) {
			inBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
				var mu sync.Mutex
				var first netip.Addr // who sent the first data message that was not lost
				w.Tap(func(src, _ netip.AddrPort, b []byte) bool {
					mu.Lock()
					defer mu.Unlock()
					h, _, err := l2tp.ParseHeader(b)
					if err != nil || h.Control || first.IsValid() {
						return true
					}
					if mute && src.Addr() == lacAddr {
						return false
					}
					first = src.Addr()
					return true
				})
				if err := lac.store.Load("more.conf", []byte(lacConfig)); err != nil {
					t.Fatal(err)
				}
				lac.createDeclared(nil)
				pass(10 * time.Second)
				w.Tap(nil)
				mu.Lock()
				defer mu.Unlock()
				if spoke := first == lnsAddr; spoke != mute {
					t.Errorf("the LNS spoke first: %v, want %v", spoke, mute)
				}
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
			})
		})
	}
}
