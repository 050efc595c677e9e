package l2tp

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

// restore replaces an end by what a snapshot of it, stored as JSON, gives back.
func (p *pair) restore(end int) {
	p.tb.Helper()
	s := p.ends[end].Snapshot(p.now)
	b, err := json.Marshal(s)
	if err != nil {
		p.tb.Fatal(err)
	}
	var back Snapshot
	if err := json.Unmarshal(b, &back); err != nil {
		p.tb.Fatal(err)
	}
	t, err := Restore(p.cfgs[end], p.now, back)
	if err != nil {
		p.tb.Fatal(err)
	}
	if again := t.Snapshot(p.now); !reflect.DeepEqual(snapshotJSON(p.tb, again), string(b)) {
		p.tb.Fatalf("the restored tunnel differs:\n%s\nwant\n%s", snapshotJSON(p.tb, again), b)
	}
	p.ends[end] = t
}

func snapshotJSON(tb testing.TB, s Snapshot) string {
	tb.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// TestRestoreAtEveryStep runs the same calls over the same bad wire twice; in
// one run both ends are replaced by their snapshots before each step.
func TestRestoreAtEveryStep(t *testing.T) {
	for seed := range uint64(6) {
		var logs [2][2][]Action
		var sent [2][2][]Send
		for i := range 2 {
			a, b := testConfigs(seed)
			p := newPair(t, a, b, badWire(seed))
			p.snap = i == 1
			p.step(0, Open{})
			p.run(20 * time.Second)
			p.placeCalls(10)
			p.run(30 * time.Second)
			for _, id := range slices.Sorted(maps.Keys(p.ends[0].sessions))[:5] {
				p.step(0, HangUp{Session: id, Result: Result{Code: CDNAdministrative}})
			}
			p.run(10 * time.Second)
			p.step(1, Stop{Result{Code: StopShutdown}})
			p.run(5 * time.Minute)
			p.checkGone(10)
			logs[i], sent[i] = p.log, p.sent
		}
		if !reflect.DeepEqual(logs[0], logs[1]) {
			t.Errorf("seed %d: restoring changes what happens:\n%v\nwant\n%v", seed, logs[1], logs[0])
		}
		if !reflect.DeepEqual(sent[0], sent[1]) {
			t.Errorf("seed %d: restoring changes what is sent:\n%v\nwant\n%v", seed, sent[1], sent[0])
		}
	}
}

func TestRestoreRefusesNonsense(t *testing.T) {
	good := Initiate(&Config{}, 1).Snapshot(start)
	tests := map[string]func(s *Snapshot){
		"no identifier": func(s *Snapshot) { s.ID = 0 },
		"state":         func(s *Snapshot) { s.State = 99 },
		"window":        func(s *Snapshot) { s.Delivery.Window = 0 },
		"interval":      func(s *Snapshot) { s.Delivery.Interval = 0 },
		"session zero":  func(s *Snapshot) { s.Sessions = []SessionSnapshot{{Kind: LACIncoming}} },
		"kind": func(s *Snapshot) {
			s.Sessions = []SessionSnapshot{{Session: 1, Kind: 9, State: CallEstablished}}
		},
		"no call": func(s *Snapshot) {
			s.Sessions = []SessionSnapshot{{Session: 1, Kind: LACIncoming, State: CallWaitReply}}
		},
		"setup": func(s *Snapshot) { s.Setups = []SetupSnapshot{{Session: 1}} },
	}
	for name, spoil := range tests {
		s := good
		spoil(&s)
		if _, err := Restore(&Config{}, start, s); err == nil {
			t.Errorf("%s: restored, want an error", name)
		}
	}
	if _, err := Restore(&Config{}, start, good); err != nil {
		t.Error(err)
	}
}

// TestResumeSpreadsHellos restores many tunnels whose HELLOs are overdue, and some whose
// are not.
func TestResumeSpreadsHellos(t *testing.T) {
	cfg := &Config{HelloInterval: time.Minute, HelloSpread: 750 * time.Millisecond}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const tunnels = 6000
	perSecond := make(map[time.Duration]int)
	for id := range TunnelID(tunnels) {
		tun := newTunnel(cfg, id+1)
		tun.state, tun.heardAt = TunnelEstablished, now.Add(-time.Hour)
		tun.Resume(now)
		in := tun.Deadline().Sub(now)
		if in <= 0 || in > cfg.HelloInterval+cfg.HelloSpread {
			t.Fatalf("tunnel %d says HELLO in %v", id+1, in)
		}
		perSecond[in.Truncate(time.Second)]++
	}
	for second, n := range perSecond {
		if n > tunnels/60*2 {
			t.Errorf("in second %v leave %d HELLOs, want about %d", second, n, tunnels/60)
		}
	}
	early := newTunnel(cfg, 1)
	early.state, early.heardAt = TunnelEstablished, now.Add(-time.Second)
	before := early.Deadline()
	if early.Resume(now); early.Deadline() != before {
		t.Errorf("a HELLO that is not due is put off from %v to %v", before, early.Deadline())
	}
}

// However much waits or came early, what changes with each message stays small. All of it is
// in a whole snapshot.
func TestSnapshotControlIsSmall(t *testing.T) {
	a, b := testConfigs(1)
	p := newPair(t, a, b, badWire(1))
	p.step(0, Open{})
	p.run(20 * time.Second)
	lac := p.ends[0]
	const calls, early = 300, 5
	for range calls {
		id, _ := lac.NewSessionID()
		lac.Step(p.now, PlaceCall{Session: id, Kind: LACIncoming})
		lac.d.enqueue(outgoing{mt: TypeHELLO})
	}
	for i := range uint16(early) {
		lac.d.keep(lac.d.nr+1+i, earlyMessage{avps: make([]byte, 1000)})
	}
	first, next := lac.Queued()
	if next-first < calls-10 {
		t.Fatalf("messages %d to %d wait, want about %d", first, next, calls)
	}
	if n := len(snapshotJSON(t, lac.SnapshotControl(p.now))); n > 8<<10 {
		t.Errorf("what changes with each message has %d bytes", n)
	}
	s := lac.Snapshot(p.now)
	if d := &s.Delivery; len(d.Queue) != int(next-first) || len(d.Early) != early ||
		len(s.Setups) != calls || len(d.Requests)+len(d.Sent) < calls {
		t.Errorf("%d queued, %d early, %d set up, %d requests and %d sent, want all", len(d.Queue),
			len(d.Early), len(s.Setups), len(d.Requests), len(d.Sent))
	}
}

// What waited for a session that has ended is not sent under its successor's name.
func TestRestoreQueueOfOthers(t *testing.T) {
	tun := newTunnel(&Config{}, 1)
	s := tun.Snapshot(start)
	s.Sessions = []SessionSnapshot{{Session: 5, PeerSession: 18, Kind: LNSIncoming, State: CallEstablished}}
	s.Delivery.Queue = []OutgoingSnapshot{
		{Type: TypeICRP, Session: 5, PeerSession: 17}, // that was another one
		{Type: TypeICRP, Session: 6, PeerSession: 19},
		{Type: TypeCDN, PeerSession: 17, About: 5},
		{Type: TypeICRP, Session: 5, PeerSession: 18},
	}
	back, err := Restore(&Config{}, start, s)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := back.Snapshot(start).Delivery.Queue, s.Delivery.Queue[2:]; !reflect.DeepEqual(got, want) {
		t.Errorf("queue = %+v, want %+v", got, want)
	}
	if first, next := back.Queued(); next-first != 2 {
		t.Errorf("messages %d to %d wait, want 2", first, next)
	}
}
