package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"culvert/internal/dataplane"
)

// TestConfigureOnce: an LNS brings the interface to its state before it tells the peer of its
// success. When IPCP has opened there is nothing left to do, and nothing is asked of
// the data plane, until something changes or was not done.
func TestConfigureOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		lns := newHost(t, w, lnsAddr, lnsConfig+"ppp profile modify profile_name=default ipv6=no\n")
		var calls atomic.Int32
		var refuse atomic.Bool
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op != dataplane.OpConfigure {
				return nil
			}
			calls.Add(1)
			if refuse.Load() {
				return errors.New("refused")
			}
			return nil
		})
		lac := newHost(t, w, lacAddr, lacConfig)
		defer lac.stop()
		defer lns.stop()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		lns.wantUp(1)
		wantCalls := func(what string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := calls.Load(); got != want {
				t.Errorf("%s the interface was configured %d times, want %d", what, got, want)
			}
		}
		resize := func(mtu int) {
			lns.onShard(func(tun *tunnel) {
				settings := *tun.settings
				settings.MTU = mtu
				tun.reconfigure(&settings)
			})
		}
		wantCalls("until it is up", 1)
		resize(1300)
		wantCalls("with another MTU", 2)
		refuse.Store(true)
		resize(1200)
		wantCalls("with one that is refused", 3)
		refuse.Store(false)
		resize(1300)
		wantCalls("with the one before", 4)
	})
}
