package ppp

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// revive takes a link through a snapshot and its text.
func revive(t testing.TB, l *Link, now time.Time) *Link {
	t.Helper()
	b, err := json.Marshal(l.Snapshot(now))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"wonderland", fmt.Sprintf("%x", "wonderland")} {
		if strings.Contains(string(b), secret) {
			t.Fatalf("a snapshot holds the password: %s", b)
		}
	}
	var s Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	// Time went by while there was no process; what is left is left.
	r, err := Restore(l.cfg, now, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRestoreAnywhere restores both ends after every step, and must see the same actions
// as without.
func TestRestoreAnywhere(t *testing.T) {
	for _, m := range allMethods {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%v/%d", m, seed), func(t *testing.T) {
				plain, revived := restoreRun(t, m, seed, false), restoreRun(t, m, seed, true)
				if plain != revived {
					t.Errorf("with restores:\n%s\nwithout:\n%s", revived, plain)
				}
			})
		}
	}
}

func restoreRun(t *testing.T, m AuthMethod, seed uint64, restore bool) string {
	w := wire{loss: 0.1, delay: 7 * time.Millisecond, jitter: 9 * time.Millisecond}
	p := subscriberPair(t, m, w, seed)
	p.ends[0].think = 30 * time.Millisecond
	p.ends[0].link.cfg.EchoInterval = 20 * time.Second
	p.ends[0].link.cfg.Rechallenge = 30 * time.Second
	p.start()
	for range 100 {
		p.run(time.Second)
		if restore {
			for _, e := range p.ends {
				e.link = revive(t, e.link, p.now)
			}
		}
	}
	// Mid-negotiation as well: every few milliseconds from a new start.
	p.step(1, FrameReceived{Frame: []byte{0xc0, 0x21, 1, 200, 0, 4}})
	for range 500 {
		p.run(5 * time.Millisecond)
		if restore {
			for _, e := range p.ends {
				e.link = revive(t, e.link, p.now)
			}
		}
	}
	p.step(0, CloseRequested{})
	p.run(time.Minute)
	return fmt.Sprint(p.ends[0].log, p.ends[1].log)
}

func TestRestoreRefuses(t *testing.T) {
	l := NewLink(&Config{})
	s := l.Snapshot(epoch)
	s.Version++
	if _, err := Restore(l.cfg, epoch, s); err == nil {
		t.Error("a snapshot of another version was restored")
	}
	s = l.Snapshot(epoch)
	s.State.Controls[1].State = numStates
	if _, err := Restore(l.cfg, epoch, s); err == nil {
		t.Error("a snapshot with an unknown state was restored")
	}
}

// Overdue deadlines come after now, and not all at the same time.
func TestRestoreSpreads(t *testing.T) {
	cfg := &Config{EchoInterval: 30 * time.Second, Rand: seeded(1)}
	l := NewLink(cfg)
	l.setNow(epoch)
	l.start(timerEcho, 0)
	s := l.Snapshot(epoch.Add(time.Hour))
	seen := map[time.Time]bool{}
	for range 100 {
		r, err := Restore(cfg, epoch, s)
		if err != nil {
			t.Fatal(err)
		}
		d := r.Deadline()
		if !d.After(epoch) || d.After(epoch.Add(31*time.Second)) {
			t.Fatalf("deadline %v after the restoration", d.Sub(epoch))
		}
		seen[d] = true
	}
	if len(seen) < 90 {
		t.Errorf("%d different deadlines of 100", len(seen))
	}
}

// A snapshot shares nothing with its link.
func TestSnapshotIsACopy(t *testing.T) {
	l := NewLink(&Config{Rand: seeded(1)})
	l.Step(epoch, LowerUp{})
	s := l.Snapshot(epoch)
	before := fmt.Sprintf("%+v", l.Snapshot(epoch))
	s.State.Controls[lcpIndex].Request[0] ^= 0xff
	if after := fmt.Sprintf("%+v", l.Snapshot(epoch)); after != before {
		t.Errorf("the link changed with its snapshot: %s, want %s", after, before)
	}
}
