package engine

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/l2tp"
)

// asIfSet are records as they would be if the time of day had been another one when they
// were made.
func asIfSet(t *testing.T, records journal.Records, by time.Duration) journal.Records {
	t.Helper()
	set := func(times ...*time.Time) {
		for _, at := range times {
			if !at.IsZero() {
				*at = at.Add(by)
			}
		}
	}
	changed := make(journal.Records)
	for k, value := range records {
		var tun tunnelRecord
		var s sessionRecord
		var err error
		switch k.Kind {
		case kindTunnel:
			err = cbor.Unmarshal(value, &tun)
			set(&tun.At, &tun.Created, &tun.Established, &tun.IdleSince)
			value = encode(tun)
		case kindSession:
			err = cbor.Unmarshal(value, &s)
			set(&s.At, &s.Created, &s.Established, &s.EndBy, &s.IdleBy)
			value = encode(s)
		}
		if err != nil {
			t.Fatal(err)
		}
		changed[k] = value
	}
	return changed
}

// A clock that is set while the daemon is away, by years, ends nothing and makes nothing last
// longer: what counts is how much time has passed.
func TestClockIsSetMeanwhile(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, by := range []time.Duration{-20 * year, -time.Hour, 0, time.Hour, 20 * year} {
		t.Run(fmt.Sprint("by ", -by), func(t *testing.T) {
			limits := "ppp profile modify profile_name=default max_connect_time=3600\n"
			inMortalBubble(t, lnsConfig+limits, sessionsConfig(2), func(w *dataplane.Wire, lns, lac *host) {
				pass(10 * time.Minute)
				before := lns.sessions()
				lns.restartWith(asIfSet(t, lns.peek(), by))
				pass(time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
				for i, s := range lns.sessions() {
					if up := s.Status.Uptime; up < 655 || up > 660 {
						t.Errorf("session is up for %d s, want 660 or little less", up)
					}
					was, is := before[i].Status.EstablishedAt.AsTime(), s.Status.EstablishedAt.AsTime()
					if d := is.Sub(was).Abs(); d > time.Second {
						t.Errorf("established at %v, by this clock it was at %v", is, was)
					}
				}
				pass(48 * time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
				pass(2 * time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
			})
		})
	}
}

// A HELLO that was due while the daemon was away does not leave at once.
func TestHellosAfterARestart(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(1), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		w.Cut(lnsAddr)
		remains := lns.kill()
		pass(2 * time.Minute)
		w.Mend(lnsAddr)
		var hellos atomic.Int64
		w.Tap(func(src, _ netip.AddrPort, b []byte) bool {
			if what, ok := l2tp.PeekType(b); ok && what == l2tp.TypeHELLO && src.Addr() == lnsAddr {
				hellos.Add(1)
			}
			return true
		})
		lns.resume(remains, nil)
		synctest.Wait()
		if n := hellos.Load(); n > 0 {
			t.Errorf("%d HELLOs leave at once", n)
		}
		pass(2 * time.Minute)
		if hellos.Load() == 0 {
			t.Error("no HELLO leaves later")
		}
	})
}
