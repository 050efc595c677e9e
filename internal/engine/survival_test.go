package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"culvert/api"
	"culvert/internal/config"
	"culvert/internal/dataplane"
	"culvert/internal/event"
	"culvert/internal/journal"
	"culvert/internal/journal/journaltest"
	"culvert/l2tp"
	"culvert/ppp"
)

// newMortal starts a host that may be killed.
func newMortal(t *testing.T, w *dataplane.Wire, h *host, text string) *host {
	t.Helper()
	h.t, h.wire, h.logs = t, w, new(strings.Builder)
	var err error
	if h.journal, _, err = journal.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	store := config.NewStore("host-" + h.addr.String())
	if err := store.Load("test.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	h.start(store, dataplane.FakeOptions{Split: true}, nil)
	return h
}

// kill ends the host's engine as kill -9 ends a process.
func (h *host) kill() *dataplane.FakeRemains {
	h.t.Helper()
	synctest.Wait()
	remains := h.fake.Kill()
	if err := h.journal.Close(); err != nil {
		h.t.Fatal(err)
	}
	// What the dead engine still does nobody sees.
	for _, s := range h.shards {
		s.mail.post(func() { s.stopped = true })
	}
	h.loops.Wait()
	h.cancelJobs()
	h.workers.wait()
	return remains
}

// restart kills the host's engine and starts another one on what is left, a while later.
// The configuration may be another one; nil: as it ran.
func (h *host) restart(away time.Duration, text *string) {
	h.t.Helper()
	remains := h.kill()
	pass(away)
	h.resume(remains, text)
}

// resume starts an engine on what a killed one has left.
func (h *host) resume(remains *dataplane.FakeRemains, text *string) {
	h.t.Helper()
	store := h.store
	if text != nil {
		store = config.NewStore("host-" + h.addr.String())
		if err := store.Load("test.conf", []byte(*text)); err != nil {
			h.t.Fatal(err)
		}
	}
	dir, records, err := journal.Open(h.journal.Path())
	if err != nil {
		h.t.Fatal(err)
	}
	h.journal = dir
	h.start(store, dataplane.FakeOptions{Split: true, Remains: remains}, records)
}

// inMortalBubble is inBubble with hosts that may be killed.
func inMortalBubble(t *testing.T, lns, lac string, f func(w *dataplane.Wire, lns, lac *host)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := dataplane.NewWire()
		s := newMortal(t, w, &host{addr: lnsAddr, seen: newEvents()}, lns)
		c := newMortal(t, w, &host{addr: lacAddr, seen: newEvents()}, lac)
		defer s.stop()
		defer c.stop()
		synctest.Wait()
		f(w, s, c)
	})
}

// wantUntouched checks that sessions go on as if nothing had happened: none has ended or
// begun, and none negotiates.
func (h *host) wantUntouched(before []*api.Session) {
	h.t.Helper()
	after := h.sessions()
	if len(after) != len(before) {
		h.t.Fatalf("%d sessions, want %d; log:\n%s", len(after), len(before), h.logs)
	}
	for i, a := range after {
		b := before[i]
		if a.GetSessionId() != b.GetSessionId() || a.GetTunnelId() != b.GetTunnelId() ||
			a.Status.State != b.Status.State || a.Status.EstablishedAt.AsTime() != b.Status.EstablishedAt.AsTime() ||
			a.Status.User != b.Status.User || a.Status.Interface != b.Status.Interface ||
			a.GetSessionName() != b.GetSessionName() ||
			a.Status.Ppp.String() != b.Status.Ppp.String() {
			h.t.Errorf("session is\n%v, was\n%v", a, b)
		}
	}
}

func TestSessionsOutliveTheEngine(t *testing.T) {
	for _, who := range []string{"lns", "lac", "both"} {
		for _, away := range []time.Duration{0, 3 * time.Second, 20 * time.Second} {
			t.Run(fmt.Sprint(who, " away for ", away), func(t *testing.T) {
				inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
					pass(5 * time.Second)
					lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
					before := map[*host][]*api.Session{lns: lns.sessions(), lac: lac.sessions()}
					frames := watchNegotiation(w)
					if who != "lac" {
						lns.restart(away, nil)
					}
					if who != "lns" {
						lac.restart(away, nil)
					}
					pass(10 * time.Minute) // longer than HELLO and its retries
					lns.wantUntouched(before[lns])
					lac.wantUntouched(before[lac])
					if n := frames.Load(); n > 0 {
						t.Errorf("%d messages and frames negotiate, want none", n)
					}
					w.Tap(nil)
					wantPoliteEnd(lns, lac)
				})
			})
		}
	}
}

func newEvents() *event.Log { return event.NewLog(1 << 16) }

// watchNegotiation counts what passes on the wire from now on that is neither
// data, echoes nor the upkeep of a control connection.
func watchNegotiation(w *dataplane.Wire) *atomic.Int64 {
	var count atomic.Int64
	w.Tap(func(_, _ netip.AddrPort, b []byte) bool {
		h, payload, err := l2tp.ParseHeader(b)
		if err != nil {
			return true
		}
		if mt, ok := l2tp.PeekType(b); h.Control && ok && mt != l2tp.TypeHELLO {
			count.Add(1)
		}
		payload = bytes.TrimPrefix(payload, []byte{0xff, 0x03}) // address and control field
		if !h.Control && len(payload) > 2 && payload[0] >= 0x80 && !ppp.IsEcho(payload) {
			count.Add(1)
		}
		return true
	})
	return &count
}

// What set-ups, and sessions that have gone, have left in journals is given back, and what the
// next process needs is not.
func TestJournalsArePacked(t *testing.T) {
	const sessions, gone, most = 1000, 300, 3000 * (1000 - 300)
	config := strings.Replace(lnsConfig, "10.9.0.0/24", "10.9.0.0/20", 1)
	inMortalBubble(t, config, sessionsConfig(sessions), func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, sessions)
		for i := range gone {
			s := &api.Session{TunnelName: new("office"), SessionName: new(fmt.Sprint("s", i))}
			if _, err := lac.DeleteSession(context.Background(), s, ""); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, sessions-gone)
		used := lns.journalSize()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go lns.ReturnMemory(ctx)
		pass(30 * time.Second)
		if n := lns.journalSize(); n > most {
			t.Errorf("after a burst the journals have %d bytes, and before %d, want at most %d", n, used, most)
		}
		before := lns.sessions()
		lns.restart(time.Second, nil)
		pass(time.Minute)
		lns.wantUntouched(before)
	})
}

// journalSize is how many bytes the host's journals have.
func (h *host) journalSize() (sum int64) {
	h.t.Helper()
	entries, err := os.ReadDir(h.journal.Path())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// Killed at any stage of set-up, whoever it is: what persists is up in the end, and
// what was up before goes on.
func TestKilledAtEveryStageOfSetUp(t *testing.T) {
	for _, who := range []string{"lns", "lac", "lac with identifiers"} {
		stages(func(d time.Duration) {
			t.Run(fmt.Sprint(who, " after ", d), func(t *testing.T) {
				inMortalBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
					inSlowMotion(w, lns, lac)
					text := strings.Replace(sessionsConfig(2), "dest_ipaddr", "persist=yes dest_ipaddr", 1)
					if who == "lac with identifiers" {
						text = withIdentifiers(text)
					}
					lac.declare(text)
					pass(d)
					victim := lac
					if who == "lns" {
						victim = lns
					}
					upBefore := lns.count.sessionsUp.Load() == 2 && lac.count.sessionsUp.Load() == 2
					before := lac.sessions()
					victim.restart(time.Second, nil)
					pass(5 * time.Minute)
					lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
					lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
					if upBefore {
						lac.wantUntouched(before)
					}
					wantPoliteEnd(lns, lac)
				})
			})
		})
	}
}

// Killed at any stage of teardown: nothing is left in the end.
func TestKilledAtEveryStageOfTeardown(t *testing.T) {
	ends := map[string]func(lns, lac *host){
		"tunnel": func(_, lac *host) {
			lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
		},
		"sessions": func(lns, _ *host) {
			for _, s := range lns.sessions() {
				lns.DeleteSession(context.Background(), s, "")
			}
		},
	}
	for what, end := range ends {
		for _, who := range []string{"lns", "lac"} {
			stages(func(d time.Duration) {
				t.Run(fmt.Sprint(what, ", ", who, " after ", d), func(t *testing.T) {
					inMortalBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
						w.Impair(1, dataplane.Conditions{Delay: 10 * time.Millisecond})
						lac.declare(sessionsConfig(2))
						pass(2 * time.Second)
						lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
						lns.slowly(20 * time.Millisecond)
						lac.slowly(20 * time.Millisecond)
						end(lns, lac)
						pass(d)
						map[string]*host{"lns": lns, "lac": lac}[who].restart(time.Second, new(lnsOnly(who)))
						pass(5 * time.Minute)
						lns.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
						lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
						lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
						pass(5 * time.Minute)
						lns.wantClean()
						lac.wantClean()
					})
				})
			})
		}
	}
}

// lnsOnly is the configuration of a host that begins nothing.
func lnsOnly(who string) string {
	if who == "lns" {
		return lnsConfig
	}
	return "tunnel profile modify profile_name=default secret=tea\n"
}

// The keeper has died too: peers are told at once, and everything begins anew.
func TestKeeperDiesToo(t *testing.T) {
	inMortalBubble(t, lnsConfig, strings.Replace(sessionsConfig(2), "dest_ipaddr", "persist=yes dest_ipaddr", 1),
		func(w *dataplane.Wire, lns, lac *host) {
			pass(5 * time.Second)
			remains := lns.kill()
			remains.Lose()
			pass(time.Second)
			lns.resume(remains, nil)
			pass(500 * time.Millisecond)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
			lac.wantLog("sessions lost in a restart")
			lns.wantLog("tunnel cannot be taken over")
			pass(time.Minute)
			lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
			lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
			wantPoliteEnd(lns, lac)
		})
}

// What the configuration no longer declares when the daemon starts ends politely.
func TestNoLongerConfiguredAfterARestart(t *testing.T) {
	all := sessionsConfig(3)
	less := strings.Join(strings.Split(all, "\n")[:4], "\n") + "\n" // without s2
	none := strings.Split(all, "\n")[0] + "\n"
	for name, text := range map[string]string{"a session": less, "the tunnel": none} {
		t.Run(name, func(t *testing.T) {
			inMortalBubble(t, lnsConfig, all, func(w *dataplane.Wire, lns, lac *host) {
				pass(5 * time.Second)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
				lac.restart(time.Second, &text)
				pass(30 * time.Second)
				want := strings.Count(text, "session create")
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, want)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, want)
				lac.wantLog("no longer configured")
			})
		})
	}
}

// A record that cannot be read costs what it is about, and nothing else. The peer is told
// at once, if only what must be said to it can be read.
func TestUnreadableRecord(t *testing.T) {
	half := func(value []byte) []byte { return value[:len(value)/2] }
	other := func(value []byte) []byte { // of a version that has another idea of a field
		var record map[string]any
		if err := cbor.Unmarshal(value, &record); err != nil {
			t.Fatal(err)
		}
		record["Told"] = "everything"
		return encode(record)
	}
	for name, test := range map[string]struct {
		spoil  func([]byte) []byte
		tunnel bool
		left   int
		told   bool
	}{
		"half a session":  {half, false, 2, false},
		"another session": {other, false, 2, true},
		"another tunnel":  {other, true, 0, true},
		"half a tunnel":   {half, true, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
				pass(5 * time.Second)
				struck, records := lns.sessions()[1], lns.peek()
				key := journal.Key{Kind: kindTunnel, Tunnel: uint16(struck.GetTunnelId())}
				if !test.tunnel {
					key.Kind, key.Session = kindSession, uint16(struck.GetSessionId())
				}
				records[key] = test.spoil(records[key])
				lns.restartWith(records)
				pass(500 * time.Millisecond)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, test.left)
				lns.wantLog("cannot be read")
				if test.told {
					lac.wantSessions(api.SessionState_SESSION_STATE_UP, test.left)
				}
				pass(5 * time.Minute)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, test.left)
				lac.wantSessions(api.SessionState_SESSION_STATE_UP, test.left)
			})
		})
	}
}

// Over a bad wire both ends are killed again and again: control connections and
// sessions stay.
func TestKilledAgainAndAgainOverABadWire(t *testing.T) {
	patience := "tunnel profile modify profile_name=default max_retries=20\n" +
		"ppp profile modify profile_name=default lcp_echo_failure_count=50\n" // of 5, 20% lose some
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inMortalBubble(t, lnsConfig+patience, patience+sessionsConfig(10), func(w *dataplane.Wire, lns, lac *host) {
				pass(10 * time.Second)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 10)
				before := map[*host][]*api.Session{lns: lns.sessions(), lac: lac.sessions()}
				w.Impair(seed, dataplane.Conditions{Loss: 0.2, Duplicate: 0.2, Reorder: 0.2})
				random := rand.New(rand.NewPCG(seed, 1))
				for range 30 {
					pass(time.Duration(random.Int64N(int64(20 * time.Second))))
					victim := []*host{lns, lac}[random.IntN(2)]
					victim.restart(time.Duration(random.Int64N(int64(2*time.Second))), nil)
				}
				pass(5 * time.Minute)
				lns.wantUntouched(before[lns])
				lac.wantUntouched(before[lac])
			})
		})
	}
}

// A session that cannot be taken over is hung up, and costs no other.
func TestASessionThatCannotBeAdopted(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		struck := lns.sessions()[1]
		remains := lns.kill()
		lns.hook = func(_ context.Context, op dataplane.Op, id dataplane.SessionKey) error {
			if op == dataplane.OpAdoptSession && uint32(id.Session) == struck.GetSessionId() {
				return errors.New("no descriptors left")
			}
			return nil
		}
		lns.resume(remains, nil)
		pass(5 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		lns.wantLog("no descriptors left")
		lns.hook = nil
		lns.restart(time.Second, nil) // what is written now can be read again
		pass(time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}

// A session whose interface alone is gone gets another one, and goes on.
func TestInterfaceIsGone(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(2), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		before := lns.sessions()
		remains := lns.kill()
		remains.LoseInterface(dataplane.SessionKey{
			Tunnel:  l2tp.TunnelID(before[0].GetTunnelId()),
			Session: l2tp.SessionID(before[0].GetSessionId()),
		})
		lns.resume(remains, nil)
		pass(time.Second)
		lns.wantUntouched(before)
	})
}

// A change of an interface that failed under one process is made by the next.
func TestChangeThatFailed(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(1), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lns.fake.SetHook(func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			if op == dataplane.OpConfigure {
				return errors.New("no buffer space")
			}
			return nil
		})
		lns.onShard(func(tun *tunnel) {
			for _, s := range tun.sessions {
				s.networkDown(ppp.IPv6)
			}
		})
		pass(time.Second)
		lns.wantLog("closing network protocol")
		if text := lns.fake.String(); !strings.Contains(text, "ipv6") {
			t.Fatalf("the change did not fail:\n%s", text)
		}
		lns.restart(time.Second, nil)
		pass(time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
		if text := lns.fake.String(); strings.Contains(text, "ipv6") {
			t.Errorf("the change is not made:\n%s", text)
		}
	})
}

// A tunnel that was not attached yet is attached once everything is taken over: until then
// whoever reads its socket waits, and whoever attaches it would wait for that one.
func TestAttachedAfterTakingOver(t *testing.T) {
	inMortalBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
		lns.slowly(time.Second)
		lac.declare(strings.Replace(sessionsConfig(1), "dest_ipaddr", "persist=yes dest_ipaddr", 1))
		pass(1500 * time.Millisecond) // the socket is open, and being attached
		if n := lns.count.tunnelsEstablished.Load(); n != 1 {
			t.Fatalf("%d tunnels established, want 1", n)
		}
		remains := lns.kill()
		var takenOver, attached atomic.Bool
		lns.hook = func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
			switch op {
			case dataplane.OpAttach:
				attached.Store(true)
				if !takenOver.Load() {
					t.Error("attached while others are still taken over")
				}
			case dataplane.OpDropRest:
				pass(time.Second)
				takenOver.Store(true)
			}
			return nil
		}
		lns.resume(remains, nil)
		pass(time.Minute)
		if !attached.Load() {
			t.Error("never attached")
		}
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 1)
	})
}

// A call that came before the tunnel had its socket is hung up as others in set-up are: its
// peer need not wait for its timer.
func TestCallAheadOfTheSocket(t *testing.T) {
	inMortalBubble(t, lnsConfig, "", func(w *dataplane.Wire, lns, lac *host) {
		lns.slowly(time.Second)
		lac.declare(strings.Replace(sessionsConfig(1), "dest_ipaddr", "persist=yes dest_ipaddr", 1))
		pass(500 * time.Millisecond)
		if n := lns.count.sessions.Load(); n != 1 {
			t.Fatalf("%d calls have come, want 1", n)
		}
		pass(time.Second) // the socket is open, and being attached
		lns.restart(0, nil)
		pass(5 * time.Second)
		lns.wantLog("sessions_ended=1")
		lac.wantLog("interrupted by a restart")
	})
}

// What commands created without a name goes on; what was deleted does not come back,
// persistent or not.
func TestUnnamedAndDeletedAfterARestart(t *testing.T) {
	text := "tunnel profile modify profile_name=default secret=tea\n" +
		"tunnel create tunnel_name=office persist=yes dest_ipaddr=192.0.2.1\n"
	inMortalBubble(t, lnsConfig, text, func(w *dataplane.Wire, lns, lac *host) {
		pass(time.Second)
		for range 2 {
			_, err := lac.CreateSession(context.Background(), &api.Session{TunnelName: new("office"),
				UserName: new("alice"), UserPassword: new("wonderland")})
			if err != nil {
				t.Fatal(err)
			}
		}
		pass(5 * time.Second)
		before := lac.sessions()
		lac.restart(time.Second, nil)
		pass(time.Minute)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		lac.wantUntouched(before)

		none := strings.Split(text, "\n")[0] + "\n"
		lac.restart(time.Second, &none)
		pass(10 * time.Minute)
		lac.wantClean()
		lns.wantClean()
	})
}

// Killed while a persistent tunnel is being deleted: it does not come back.
func TestDeletedTunnelStaysDeleted(t *testing.T) {
	text := strings.Replace(sessionsConfig(2), "dest_ipaddr", "persist=yes dest_ipaddr", 1)
	inMortalBubble(t, lnsConfig, text, func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		w.Cut(lnsAddr) // the end of PPP is not answered
		_, err := lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
		if err != nil {
			t.Fatal(err)
		}
		pass(100 * time.Millisecond)
		lac.restart(time.Second, new(strings.Split(text, "\n")[0]+"\n"))
		w.Mend(lnsAddr)
		pass(10 * time.Minute)
		lac.wantClean()
		lns.wantClean()
	})
}

// The keeper has died too: what the file declares begins anew, also what does not persist.
func TestDeclaredBeginsAnewWithoutDescriptors(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(2), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		remains := lac.kill()
		remains.Lose()
		pass(time.Second)
		lac.resume(remains, nil)
		pass(3 * time.Minute)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}

// Profiles that were changed meanwhile hold, restart after restart: the interface keeps its
// name, and a session that may be idle now is not ended.
func TestProfilesChangedMeanwhile(t *testing.T) {
	inMortalBubble(t, lnsConfig+"ppp profile modify profile_name=default idle_timeout=3600\n", sessionsConfig(2),
		func(w *dataplane.Wire, lns, lac *host) {
			pass(5 * time.Second)
			before := lns.sessions()
			for _, session := range before {
				session.Status.Ppp.Mtu = 1200 // is to be, and nothing else
			}
			text := lnsConfig + "tunnel profile modify profile_name=default interface_name=other%d mtu=1200\n"
			for range 3 {
				lns.restart(time.Second, &text)
				pass(time.Minute)
				lns.wantUntouched(before)
			}
			if got := lns.fake.String(); !strings.Contains(got, "1200") {
				t.Errorf("the new MTU is not in effect:\n%s", got)
			}
			pass(2 * time.Hour) // idle for longer than the old profile allows
			lns.wantUntouched(before)
		})
}

// While there is no room for what changes, nothing that is out of date is taken for true
// by the next process; once there is, everything is kept again, without anything changing.
func TestNoRoomForState(t *testing.T) {
	persistent := strings.Replace(sessionsConfig(2), "dest_ipaddr", "persist=yes dest_ipaddr", 1)
	for name, roomAgain := range map[string]bool{"killed meanwhile": false, "killed afterwards": true} {
		t.Run(name, func(t *testing.T) {
			inMortalBubble(t, lnsConfig, persistent, func(w *dataplane.Wire, lns, lac *host) {
				pass(5 * time.Second)
				makeRoom := journaltest.Fill(t)
				_, err := lac.CreateSession(context.Background(), &api.Session{TunnelName: new("office"),
					SessionName: new("late"), UserName: new("alice"), UserPassword: new("wonderland")})
				if err != nil {
					t.Fatal(err)
				}
				pass(5 * time.Second)
				lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
				if lns.journal.Fault(JournalKind) == nil {
					t.Error("nothing is wrong with what is kept")
				}
				makeRoom()
				if !roomAgain {
					lns.wantEndedByRestart(lac)
					return
				}
				pass(journal.Retry)
				if err := lns.journal.Fault(JournalKind); err != nil {
					t.Errorf("still not kept: %v", err)
				}
				before := lns.sessions()
				lns.restart(time.Second, nil)
				pass(10 * time.Minute)
				lns.wantUntouched(before)
			})
		})
	}
}

// wantEndedByRestart restarts the host, which is to end everything, and have it begin anew.
func (h *host) wantEndedByRestart(lac *host) {
	h.t.Helper()
	h.restart(time.Second, nil)
	synctest.Wait()
	h.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
	h.wantLog("could not be kept to the end")
	pass(20 * time.Minute) // until the peer has found out
	h.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
	lac.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
	wantPoliteEnd(h, lac)
}

// A peer of whose tunnel nothing has changed is told at once.
func TestStaleStateTellsThePeer(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(2), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		makeRoom := journaltest.Fill(t)
		for _, s := range lns.shards {
			s.mail.post(func() {
				for _, t := range s.tunnels {
					t.touch()
				}
			})
		}
		synctest.Wait()
		makeRoom()
		lns.restart(time.Second, nil)
		pass(500 * time.Millisecond)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 0)
		lac.wantLog("sessions lost in a restart")
		pass(3 * time.Minute)
		lns.wantClean()
	})
}

// What a process has said of name servers its successor takes back: when the session ends, when
// it cannot be taken over, and when the profile has changed.
func TestNameServersAfterARestart(t *testing.T) {
	offer := lnsConfig + "ppp profile modify profile_name=default dns_ipaddr_pri=10.9.0.53\n"
	accept := "ppp profile modify profile_name=default accept_dns=yes\n" + sessionsConfig(1)
	refuse := sessionsConfig(1)
	for name, test := range map[string]struct {
		text   string
		lose   bool // what the keeper has
		refuse bool // to adopt
		stays  bool
	}{
		"goes on":        {accept, false, false, true},
		"not adopted":    {accept, false, true, false},
		"keeper dies":    {accept, true, false, false},
		"does not apply": {refuse, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := dataplane.NewWire()
				lns := newMortal(t, w, &host{addr: lnsAddr, seen: newEvents()}, offer)
				r := &fakeResolver{by: make(map[string][]netip.Addr)}
				lac := newMortal(t, w, &host{addr: lacAddr, seen: newEvents(), dns: r}, accept)
				defer lns.stop()
				defer lac.stop()
				pass(5 * time.Second)
				iface := lac.sessions()[0].Status.Interface
				if !strings.Contains(r.String(), iface+":") {
					t.Fatalf("name servers = %s", r)
				}
				if test.refuse {
					lac.hook = func(_ context.Context, op dataplane.Op, _ dataplane.SessionKey) error {
						if op == dataplane.OpAdoptSession {
							return errors.New("no descriptors left")
						}
						return nil
					}
				}
				remains := lac.kill()
				if test.lose {
					remains.Lose()
				}
				lac.resume(remains, &test.text)
				pass(time.Minute)
				if got := r.String(); strings.Contains(got, iface+":") != test.stays {
					t.Errorf("after the restart name servers = %s", got)
				}
				lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
				pass(time.Minute)
				if got := r.String(); got != "map[]" {
					t.Errorf("after the session name servers = %s", got)
				}
			})
		})
	}
}

// peek is what the next process would find if this one were killed now.
func (h *host) peek() journal.Records {
	h.t.Helper()
	synctest.Wait()
	path := h.t.TempDir()
	if err := os.CopyFS(path, os.DirFS(h.journal.Path())); err != nil {
		h.t.Fatal(err)
	}
	dir, records, err := journal.Open(path)
	if err != nil {
		h.t.Fatal(err)
	}
	dir.Close()
	return records
}

// restartWith is restart with other records, as of an earlier time.
func (h *host) restartWith(records journal.Records) {
	h.t.Helper()
	remains := h.kill()
	dir, _, err := journal.Open(h.journal.Path())
	if err != nil {
		h.t.Fatal(err)
	}
	h.journal = dir
	h.start(h.store, dataplane.FakeOptions{Split: true, Remains: remains}, records)
}

// Killed after something was told and before it was recorded, the daemon tells nothing twice
// and leaves nothing out.
func TestEventsAheadOfRecords(t *testing.T) {
	create := func(lac *host) {
		lac.CreateSession(context.Background(), &api.Session{TunnelName: new("office"),
			SessionName: new("late"), UserName: new("alice"), UserPassword: new("wonderland")})
	}
	remove := func(lac *host) {
		name := &api.Session{TunnelName: new("office"), SessionName: new("s1")}
		lac.DeleteSession(context.Background(), name, "")
	}
	removeAll := func(lac *host) {
		lac.DeleteTunnel(context.Background(), &api.Tunnel{TunnelName: new("office")}, "")
	}
	for name, change := range map[string]func(*host){
		"created": create, "deleted": remove, "tunnel deleted": removeAll} {
		for _, who := range []string{"lns", "lac"} {
			stages(func(d time.Duration) {
				if d%(21*time.Millisecond) != 0 {
					return // every third will do
				}
				t.Run(fmt.Sprint(name, ", ", who, " after ", d), func(t *testing.T) {
					inMortalBubble(t, lnsConfig, sessionsConfig(2), func(w *dataplane.Wire, lns, lac *host) {
						pass(5 * time.Second)
						inSlowMotion(w, lns, lac)
						victim := map[string]*host{"lns": lns, "lac": lac}[who]
						records := victim.peek()
						change(lac)
						pass(d)
						victim.restartWith(records)
						pass(20 * time.Minute)
						removeAll(lac)
						pass(5 * time.Minute)
						lns.wantClean()
						lac.wantClean()
					})
				})
			})
		}
	}
}

// What was told to have ended ends, though it could go on.
func TestToldToHaveEnded(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		s := lns.sessions()[1]
		for _, what := range []api.EventType{api.EventType_EVENT_TYPE_PPP_DOWN, api.EventType_EVENT_TYPE_SESSION_DOWN} {
			lns.seen.Publish(&api.Event{Type: what, TunnelId: s.GetTunnelId(), SessionId: s.GetSessionId()})
		}
		lns.restart(time.Second, nil)
		pass(5 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
		lac.wantSessions(api.SessionState_SESSION_STATE_UP, 2)
	})
}
