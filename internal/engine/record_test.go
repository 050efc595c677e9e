package engine

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"culvert/api"
	"culvert/internal/dataplane"
	"culvert/internal/journal"
	"culvert/l2tp"
	"culvert/ppp"
)

var update = flag.Bool("update", false, "write golden files anew")

// encode returns a record as bytes.
func encode(record any) []byte {
	var b bytes.Buffer
	encodeInto(&b, record)
	return b.Bytes()
}

// What is written is what is read: cores and links survive it whole, and so do texts of a
// peer in whatever code it writes.
func TestRecordsAreWhole(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		for _, h := range []*host{lns, lac} {
			h.onShard(func(tun *tunnel) {
				now := time.Now()
				var one l2tp.SessionID
				for _, s := range tun.sessions {
					if s.phase == up { // or the other end has hung it up
						checkSessionRecord(t, s.record(now, new(draft)))
						one = s.id
					}
				}
				tun.shard.step(tun, l2tp.HangUp{Session: one,
					Result: l2tp.Result{Code: l2tp.CDNAdministrative, Message: "is not acknowledged yet"}})
				tun.shard.drain()
				checkTunnelRecord(t, tun.record(now.Add(time.Second), new(draft)))
			})
		}
	})
}

const latin1 = "m\xfcnchen"

func checkSessionRecord(t *testing.T, want *sessionRecord) {
	t.Helper()
	want.Call.CallingNumber, want.Network.User = latin1, latin1
	got, err := readSession(want.Core.Session, encode(want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Link, want.Link) || !reflect.DeepEqual(got.Network, want.Network) ||
		!reflect.DeepEqual(got.Core, want.Core) || !reflect.DeepEqual(got.Shape, want.Shape) ||
		got.Call.CallingNumber != want.Call.CallingNumber {
		t.Errorf("read\n%+v\nwrote\n%+v", got, want)
	}
}

func checkTunnelRecord(t *testing.T, want *tunnelRecord) {
	t.Helper()
	want.Core.Peer.HostName = latin1
	got, err := readTunnel(want.Core.ID, encode(want))
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Core.Delivery.Sent) == 0 || want.ByPeer == (want.Dialer != nil) {
		t.Errorf("there is not enough in %+v", want)
	}
	if !reflect.DeepEqual(got.Core, want.Core) || !reflect.DeepEqual(got.Dialer, want.Dialer) ||
		got.ByPeer != want.ByPeer || got.First != want.First || got.Told != want.Told ||
		got.Attached != want.Attached || got.Local != want.Local || got.Peer != want.Peer {
		t.Errorf("read\n%+v\nwrote\n%+v", got, want)
	}
}

// A later version writes fields that this one does not know, an earlier one lacks some
// that it knows: sessions go on all the same.
func TestRecordsOfOtherVersions(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		before := lns.sessions()
		remains := lns.kill()
		dir, records, err := journal.Open(lns.journal.Path())
		if err != nil {
			t.Fatal(err)
		}
		for k, value := range records {
			var record map[string]any
			if err := cbor.Unmarshal(value, &record); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"IdleBy", "Changed", "IdleSince", "Dialer"} {
				delete(record, name)
			}
			records[k] = encode(withFuture(record))
		}
		lns.journal = dir
		lns.start(lns.store, dataplane.FakeOptions{Split: true, Remains: remains}, records)
		pass(5 * time.Minute)
		lns.wantUntouched(before)
	})
}

// withFuture adds a field to each record and to all that is in it.
func withFuture(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = withFuture(inner)
		}
		v["FieldOfTheFuture"] = []int{1, 2, 3}
	case map[any]any:
		for name, inner := range v {
			v[name] = withFuture(inner)
		}
		v["FieldOfTheFuture"] = "?"
	case []any:
		for i, inner := range v {
			v[i] = withFuture(inner)
		}
	}
	return v
}

// golden is what version 1 of the format wrote of an LNS with three sessions.
const golden = "testdata/journal-1"

// State that an earlier version has written can be read for ever.
func TestGoldenJournal(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	path := t.TempDir()
	for _, name := range []string{"current", "1-0", "1-1"} {
		text, err := os.ReadFile(filepath.Join(golden, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir, records, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	in, errs := readInheritance(records)
	if len(errs) > 0 || len(in.tunnels) != 1 {
		t.Fatalf("%d tunnels, %v", len(in.tunnels), errs)
	}
	for _, r := range in.tunnels {
		wantGoldenTunnel(t, r)
	}
}

func wantGoldenTunnel(t *testing.T, in *inheritedTunnel) {
	t.Helper()
	core, err := l2tp.Restore(&l2tp.Config{HostName: "lns"}, in.At, in.complete())
	if err != nil {
		t.Fatal(err)
	}
	if core.State() != l2tp.TunnelEstablished || core.Peer().HostName != "host-192.0.2.2" ||
		core.SessionCount() != 3 || !in.ByPeer || !in.Attached || in.Local.Port() != 1701 {
		t.Errorf("tunnel: state %v, %d sessions, peer %+v, record %+v",
			core.State(), core.SessionCount(), core.Peer(), in.tunnelRecord)
	}
	for _, r := range in.sessions {
		link, err := ppp.Restore(&ppp.Config{}, r.At, *r.Link)
		if err != nil {
			t.Fatal(err)
		}
		lcp, ipcp, ipv6cp := link.States()
		if r.Phase != up || lcp != ppp.Opened || ipcp != ppp.Opened || ipv6cp != ppp.Opened ||
			link.PeerName() != "alice" || r.Network.User != "alice" || !r.Network.Pooled.IsValid() ||
			r.Shape.IPv4.Peer != r.Network.Pooled || r.Shaping || r.Established.IsZero() {
			t.Errorf("session: phase %v, %v, %v, %v, record %+v", r.Phase, lcp, ipcp, ipv6cp, r)
		}
	}
}

// writeGolden keeps what a killed LNS has left.
func writeGolden(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(3), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
		remains := lns.kill()
		if err := os.MkdirAll(golden, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"current", "1-0", "1-1"} {
			text, err := os.ReadFile(filepath.Join(lns.journal.Path(), name))
			if err == nil {
				err = os.WriteFile(filepath.Join(golden, name), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		lns.resume(remains, nil)
	})
}

// An LNS records a session when it is called, and then not before it is up: what comes in
// between changes nothing that the next process needs, and writing costs set-up its speed.
func TestAnsweredCallIsRecordedOnce(t *testing.T) {
	for _, sequencing := range []string{"no", "yes"} { // which the data plane is told of when the call is up
		lac := "session profile modify profile_name=default sequencing_required=" + sequencing + "\n" + sessionsConfig(3)
		inMortalBubble(t, lnsConfig, lac, func(w *dataplane.Wire, lns, lac *host) {
			pass(5 * time.Second)
			lns.wantSessions(api.SessionState_SESSION_STATE_UP, 3)
			n := lns.recordsByPhase()
			if n[calling] != 3 || n[linking] != 0 || n[up] < 3 {
				t.Errorf("sequencing %s: %d records of calls, %d of links and %d of sessions that are up, "+
					"want 3, 0, and at least 3", sequencing, n[calling], n[linking], n[up])
			}
		})
	}
}

// recordsByPhase counts how often sessions have been recorded.
func (h *host) recordsByPhase() map[phase]int {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.journal.Path(), "1-*"))
	if err != nil || len(files) == 0 {
		h.t.Fatalf("%d files, %v", len(files), err)
	}
	n := make(map[phase]int)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			h.t.Fatal(err)
		}
		for p := calling; p <= gone; p++ { // records have it before "Told"
			n[p] += bytes.Count(text, []byte("\x65Phase"+string(rune(p))+"\x64Told"))
		}
	}
	return n
}

// What a command says of a call that is being answered is recorded.
func TestChangeOfAnAnsweredCallIsRecorded(t *testing.T) {
	inMortalBubble(t, lnsConfig, sessionsConfig(1), func(w *dataplane.Wire, lns, lac *host) {
		pass(5 * time.Second)
		lns.onShard(func(tun *tunnel) {
			for id, s := range tun.sessions {
				s.phase = linking
				if s.touchCall(); s.kept.touched {
					t.Error("a step of a call that is being answered is recorded")
				}
				if tun.note(id, &api.Session{SessionName: new("named")}); !s.kept.touched {
					t.Error("what a command says is not recorded")
				}
				s.phase = up
			}
		})
	})
}

// Whatever is in a record, reading it and restoring what it tells of ends in an error at
// worst.
func FuzzRecords(f *testing.F) {
	text, err := os.ReadFile(filepath.Join(golden, "1-1"))
	if err != nil {
		f.Fatal(err)
	}
	path := f.TempDir()
	for name, b := range map[string][]byte{"current": []byte("1\n"), "1-0": text} {
		if err := os.WriteFile(filepath.Join(path, name), b, 0o600); err != nil {
			f.Fatal(err)
		}
	}
	dir, records, err := journal.Open(path)
	if err != nil {
		f.Fatal(err)
	}
	dir.Close()
	for k, value := range records {
		f.Add(k.Kind, k.Tunnel, k.Session, value)
	}
	f.Fuzz(func(t *testing.T, kind uint8, tunnel, session uint16, value []byte) {
		in, _ := readInheritance(journal.Records{
			{Kind: kindTunnel, Tunnel: tunnel}: encode(tunnelRecord{Core: l2tp.Snapshot{ID: l2tp.TunnelID(tunnel)}}),

			{Kind: kind, Tunnel: tunnel, Session: session}: value,
		})
		for _, r := range in.tunnels {
			l2tp.Restore(&l2tp.Config{}, r.At, r.complete())
			for _, s := range r.sessions {
				if s.Link != nil {
					if link, err := ppp.Restore(&ppp.Config{}, s.At, *s.Link); err == nil {
						link.Step(s.At.Add(time.Hour), ppp.Tick{})
					}
				}
			}
		}
	})
}
