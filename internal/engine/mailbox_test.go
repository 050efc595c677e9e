package engine

import (
	"testing"
	"testing/synctest"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// TestFirstMessagesWaitApart: SCCRQs do not take the room of what concerns tunnels.
func TestFirstMessagesWaitApart(t *testing.T) {
	inFlood(t, "", func(s *stranger, lns, lac *host) {
		release := make(chan struct{})
		for _, sh := range lns.shards {
			sh.mail.post(func() { <-release })
		}
		synctest.Wait()
		for range 10 {
			s.wire.Send(s.anywhere(), atLNS, s.message())
		}
		synctest.Wait()
		firsts, others := 0, 0
		for _, sh := range lns.shards {
			sh.mail.mu.Lock()
			firsts, others = firsts+sh.mail.waits.packets, others+sh.mail.load.packets
			sh.mail.mu.Unlock()
		}
		close(release)
		if firsts != 10 || others != 0 {
			t.Errorf("%d wait apart and %d among others, want 10 and 0", firsts, others)
		}
	})
}

// TestFirstsWaitBehind: what concerns tunnels that are there goes before first
// messages, of which a turn takes some, and neither is without bound.
func TestFirstsWaitBehind(t *testing.T) {
	m := newMailbox()
	for range maxFirsts.packets + 5 {
		m.postFirst(packet{})
	}
	m.postPacket(packet{frame: []byte{1}})
	m.post(func() {})
	<-m.wake
	got := m.take(nil)
	if len(got) != 2+firstsPerTurn || got[0].pack.frame == nil || got[1].run == nil {
		t.Errorf("a turn takes %d messages, want the others and %d firsts", len(got), firstsPerTurn)
	}
	if len(m.wake) == 0 {
		t.Error("some are left, and nobody is woken")
	}
	left := 0
	for got = m.take(nil); len(got) > 0; got = m.take(nil) {
		left += len(got)
	}
	if left != maxFirsts.packets-firstsPerTurn || m.droppedPackets() != 5 {
		t.Errorf("%d were left and %d dropped, want %d and 5", left, m.droppedPackets(),
			maxFirsts.packets-firstsPerTurn)
	}
	for i := range 1000 {
		m.postPacket(packet{frame: make([]byte, 64<<10), session: dataplane.SessionKey{
			Tunnel: l2tp.TunnelID(i)}})
	}
	if got := len(m.take(nil)); got != maxPackets.bytes/(64<<10) {
		t.Errorf("%d long frames were kept, want 16 MiB", got)
	}
}

// TestTunnelsShareAMailbox: a tunnel that floods leaves room for others, however many
// packets it sends and the shard is behind.
func TestTunnelsShareAMailbox(t *testing.T) {
	m := newMailbox()
	post := func(id l2tp.TunnelID, n int) (got int) {
		before := m.load.packets
		for range n {
			m.postPacket(packet{header: l2tp.Header{Control: true, TunnelID: id}})
		}
		return m.load.packets - before
	}
	half := maxPackets.packets / 2
	for turn := range 2 {
		if n := post(1, 50000); n != half {
			t.Errorf("turn %d: %d packets of a tunnel that floods wait, want %d", turn, n, half)
		}
		for id := l2tp.TunnelID(2); id < 1000; id++ {
			if n := post(id, 5); n != 5 {
				t.Errorf("turn %d: %d packets of tunnel %d wait, want 5", turn, n, id)
			}
		}
		m.take(nil)
	}
}
