package l2tp

import (
	"bufio"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestSequenceComparison is the RFC's own example: "if the last received
// sequence number was 15, then messages with sequence numbers 0 through 15, as
// well as 32784 through 65535, would be considered less than or equal".
func TestSequenceComparison(t *testing.T) {
	d := newDelivery(&Config{ReceiveWindow: 4})
	d.nr = 16
	for ns := range 65536 {
		want := beyond
		switch {
		case ns <= 15 || ns >= 32784:
			want = duplicate
		case ns == 16:
			want = inOrder
		case ns < 20:
			want = early
		}
		if got := d.arrive(uint16(ns)); got != want {
			t.Fatalf("Ns %d is %d, want %d", ns, got, want)
		}
	}
}

// load gives a delivery with a window of 8 and n messages waiting.
func load(n int) *delivery {
	d := newDelivery(&Config{})
	d.setPeerWindow(8)
	for range n {
		d.enqueue(outgoing{mt: TypeHELLO})
	}
	return &d
}

// leave lets what may leave do so, and gives the sequence numbers.
func (d *delivery) leave(now time.Time) (ns []uint16) {
	d.transmit(now, func(_ *outgoing, n uint16, _ bool) { ns = append(ns, n) })
	return ns
}

// TestSlowStart follows Appendix A.
func TestSlowStart(t *testing.T) {
	d := load(100)
	d.ssthresh = 4
	now, next := start, uint16(0)
	// One more for each acknowledgement up to SSTHRESH, then one more for CWND
	// of them, and never more than the peer's window.
	want := []uint16{1, 2, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8}
	for i, w := range want {
		if d.cwnd != w {
			t.Fatalf("after %d acknowledgements CWND is %d, want %d", i, d.cwnd, w)
		}
		d.leave(now)
		if len(d.sent) > int(w) {
			t.Fatalf("%d outstanding with CWND %d", len(d.sent), w)
		}
		next++
		d.acknowledge(now, next)
	}
	d.leave(now)
	now = now.Add(time.Second)
	if !d.expire(now) || d.cwnd != 1 || d.ssthresh != 4 {
		t.Errorf("after a retransmission CWND %d, SSTHRESH %d, want 1, 4", d.cwnd, d.ssthresh)
	}
	if got := d.leave(now); !slices.Equal(got, []uint16{next}) {
		t.Errorf("retransmitted %d, want only %d", got, next)
	}
}

func TestOnlyDueIsRetransmitted(t *testing.T) {
	d := load(3)
	d.cwnd = 2
	d.leave(start)
	d.cwnd = 3
	d.leave(start.Add(900 * time.Millisecond))
	d.expire(start.Add(time.Second))
	lost := []bool{d.sent[0].lost, d.sent[1].lost, d.sent[2].lost}
	if !slices.Equal(lost, []bool{true, true, false}) {
		t.Errorf("to be sent again: %v", lost)
	}
	d.acknowledge(start.Add(time.Second), 2)
	if got := d.leave(start.Add(time.Second)); got != nil {
		t.Errorf("sent %d again, though acknowledged or not due", got)
	}
}

func TestAcknowledgeNonsense(t *testing.T) {
	d := load(3)
	d.cwnd = 3
	d.leave(start)
	for _, nr := range []uint16{4, 100, 65535, 0} {
		if n := d.acknowledge(start, nr); n != 0 || len(d.sent) != 3 {
			t.Errorf("Nr %d acknowledges %d", nr, n)
		}
	}
}

func TestNumbersWrap(t *testing.T) {
	a, b := testConfigs(1)
	p := newPair(t, a, b, badWire(3))
	for i := range 2 {
		p.ends[i].d.ns, p.ends[1-i].d.nr = 65530, 65530
	}
	p.step(0, Open{})
	p.run(10 * time.Second)
	p.placeCalls(20)
	p.run(time.Minute)
	p.sameSessions()
	if n := p.ends[0].SessionCount(); n != 20 || p.ends[0].d.ns > 1000 {
		t.Errorf("%d sessions, Ns %d", n, p.ends[0].d.ns)
	}
}

func TestCollide(t *testing.T) {
	tie := func(b byte) *[8]byte { return &[8]byte{7: b} }
	tests := []struct {
		local, peer *[8]byte
		want        Tie
	}{
		{nil, nil, TieNone}, {nil, tie(1), TieLost}, {tie(1), nil, TieWon},
		{tie(1), tie(2), TieWon}, {tie(2), tie(1), TieLost}, {tie(2), tie(2), TieBoth},
	}
	for _, tt := range tests {
		tunnel := Initiate(&Config{Rand: &counting{}}, 1)
		tunnel.Step(start, Open{})
		tunnel.tieBreaker = tt.local
		if got := tunnel.Collide(tt.peer); got != tt.want {
			t.Errorf("%v against %v: %d, want %d", tt.local, tt.peer, got, tt.want)
		}
		tunnel.state = TunnelEstablished
		if got := tunnel.Collide(tt.peer); got != TieNone {
			t.Errorf("an established tunnel has a tie: %d", got)
		}
	}
}

// TestRequiredAttributes compares with the lists of sections 6.1 to 6.14.
func TestRequiredAttributes(t *testing.T) {
	f, err := os.Open("testdata/rfc2661-required.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lists := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		name, list, _ := strings.Cut(s.Text(), ": ")
		lists++
		m := newMessage(MessageType(slices.Index(messageNames[:], name)))
		var got []string
		for _, f := range m.fields() {
			if f.required {
				got = append(got, f.attr.String())
			}
		}
		want := strings.Split(list, ", ")[1:] // after the Message Type
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s demands %q, want %q", name, got, want)
		}
		first := true
		present := map[string]bool{}
		for a := range AVPs(AppendMessage(nil, m)) {
			if first && a.Type != AttrMessageType {
				t.Errorf("%s begins with %v", name, a.Type)
			}
			first, present[a.Type.String()] = false, true
		}
		for _, w := range want {
			if !present[w] {
				t.Errorf("an empty %s is sent without %s", name, w)
			}
		}
	}
	if lists != 14 {
		t.Errorf("%d lists, want 14", lists)
	}
}

// TestProxyDemands: the AVPs that a Proxy Authen Type demands are sent even
// when they are empty.
func TestProxyDemands(t *testing.T) {
	tests := map[ProxyAuthType][]AttributeType{
		ProxyAuthText: {29, 30, 33}, ProxyAuthCHAP: {29, 30, 31, 32, 33},
		ProxyAuthPAP: {29, 30, 32, 33}, ProxyAuthNone: {29},
		ProxyAuthMSCHAP: {29, 30, 31, 32, 33},
	}
	for at, want := range tests {
		var got []AttributeType
		for a := range AVPs(AppendMessage(nil, &ICCN{Proxy: Proxy{AuthType: at}})) {
			if a.Type >= 29 && a.Type <= 33 {
				got = append(got, a.Type)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("type %d: %d, want %d", at, got, want)
		}
	}
}

// snapshotOf is of an LNS's tunnel with so many sessions.
func snapshotOf(sessions int) Snapshot {
	s := Initiate(&Config{}, 1).Snapshot(start)
	s.State = TunnelEstablished
	for i := range sessions {
		s.Sessions = append(s.Sessions, SessionSnapshot{Session: SessionID(i + 1),
			PeerSession: SessionID(i + 1), Kind: LNSIncoming, State: CallEstablished})
	}
	return s
}

// TestSessionMemory holds 50,000 idle sessions to 200 octets each.
func TestSessionMemory(t *testing.T) {
	if n := unsafe.Sizeof(session{}); n > 32 {
		t.Errorf("a session is %d octets, want 32 at most", n)
	}
	const n = 50_000
	s := snapshotOf(n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tunnel, err := Restore(&Config{}, start, s)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := int64(after.HeapAlloc-before.HeapAlloc) / n; each > 200 {
		t.Errorf("an idle session costs %d octets", each)
	}
	runtime.KeepAlive(tunnel)
	runtime.KeepAlive(s)
}

// TestLingeringMemory: a tunnel that has ended keeps no room for the sessions that it had.
func TestLingeringMemory(t *testing.T) {
	const tunnels, sessions, most = 20, 1000, 8 << 10
	full := snapshotOf(sessions)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all []*Tunnel
	for range tunnels {
		tunnel, err := Restore(&Config{}, start, full)
		if err != nil {
			t.Fatal(err)
		}
		tunnel.Step(start, Stop{})
		if tunnel.state != TunnelClosing {
			t.Fatalf("the tunnel is %v, want %v", tunnel.state, TunnelClosing)
		}
		all = append(all, tunnel)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / tunnels; each > most {
		t.Errorf("a lingering tunnel costs %d octets, want at most %d", each, most)
	}
	runtime.KeepAlive(all)
	runtime.KeepAlive(full)
}

// TestHelloSpread: HELLOs leave about when they are due, and not all at once.
func TestHelloSpread(t *testing.T) {
	cfg := &Config{HelloInterval: time.Minute, HelloSpread: 750 * time.Millisecond}
	now := time.Unix(1e9, 0)
	least, most := time.Hour, time.Duration(0)
	for id := range TunnelID(1000) {
		tun := Initiate(cfg, id+1)
		tun.state, tun.heardAt = TunnelEstablished, now
		wait := tun.Deadline().Sub(now)
		least, most = min(least, wait), max(most, wait)
	}
	if least < 59250*time.Millisecond || most > 60750*time.Millisecond || most-least < time.Second {
		t.Errorf("HELLOs after %v to %v, want 59.25 to 60.75 s", least, most)
	}
}

// TestWhatPeersMakeUsKeep: long messages before their turn, and requests of a peer that
// takes no answers, are dropped beyond a bound, and what follows is understood.
func TestWhatPeersMakeUsKeep(t *testing.T) {
	a, b := testConfigs(1)
	a.ReceiveWindow, b.ReceiveWindow = 1000, 1000
	p := newPair(t, a, b, goodWire())
	p.step(0, Open{})
	lns := Respond(b, 9)
	long := make([]byte, 4000)
	for i := range uint16(20) {
		lns.Step(start, MessageReceived{appendControl(nil, 0, 0, i+1, 0, long)})
	}
	if lns.d.held > maxHeldAtFirst || len(lns.d.early) != 2 {
		t.Errorf("%d bytes in %d messages are kept of a stranger, want 8 KiB", lns.d.held, len(lns.d.early))
	}
	p.run(time.Second)
	lns = p.ends[1]
	for i := range uint16(900) {
		lns.Step(p.now, MessageReceived{appendControl(nil, lns.id, 0, lns.d.nr+i+1, lns.d.ns, long)})
	}
	if lns.d.held > maxHeld || len(lns.d.early) != maxHeld/len(long) {
		t.Errorf("%d bytes in %d messages are kept, want 1 MiB", lns.d.held, len(lns.d.early))
	}
	clear(lns.d.early)
	lns.d.held = 0
	nr := lns.d.ns // nothing that it sends from now on is acknowledged
	for i := range uint16(40000) {
		ask := AppendMessage(nil, &ICRQ{AssignedSessionID: SessionID(i + 1), CallSerialNumber: 1})
		lns.cfg.RefuseIncomingCalls = true
		lns.Step(p.now, MessageReceived{appendControl(nil, lns.id, 0, lns.d.nr, nr, ask)})
	}
	if n := len(lns.d.queue); n > maxUnanswered+1 {
		t.Errorf("%d answers wait, want at most %d", n, maxUnanswered+1)
	}
	was := lns.d.nr
	for len(lns.d.queue) > 0 {
		nr = lns.d.ns
		lns.Step(p.now, MessageReceived{appendControl(nil, lns.id, 0, lns.d.nr, nr, nil)})
	}
	lns.Step(p.now, MessageReceived{appendControl(nil, lns.id, 0, lns.d.nr, lns.d.ns,
		AppendMessage(nil, &HELLO{}))})
	if lns.d.nr != was+1 {
		t.Error("after it has taken the answers a peer is not heard")
	}
}
