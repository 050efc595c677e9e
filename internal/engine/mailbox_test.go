package engine

import (
	"reflect"
	"testing"
	"testing/synctest"

	"culvert/internal/dataplane"
	"culvert/l2tp"
)

// TestFirstMessagesWaitApart: SCCRQs do not take the room of what concerns tunnels.
func TestFirstMessagesWaitApart(t *testing.T) {
	inFlood(t, "", func(s *stranger, lns, lac *host) {
		release := lns.halt()
		for range 10 {
			s.wire.Send(s.anywhere(), atLNS, s.message())
		}
		synctest.Wait()
		firsts, others := lns.queued()
		release()
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
// packets it sends, how long they are, and the shard is behind.
func TestTunnelsShareAMailbox(t *testing.T) {
	m := newMailbox()
	post := func(id l2tp.TunnelID, n, length int) (got int) {
		before := m.load.packets
		for range n {
			m.postPacket(packet{header: l2tp.Header{Control: true, TunnelID: id},
				datagram: dataplane.Datagram{Data: make([]byte, length)}})
		}
		return m.load.packets - before
	}
	for _, turn := range []struct{ length, want int }{
		{0, maxPackets.packets / 2},
		{64 << 10, maxPackets.bytes / 2 / (64 << 10)},
		{64 << 10, maxPackets.bytes / 2 / (64 << 10)},
		{0, maxPackets.packets / 2},
	} {
		if n := post(1, 50000, turn.length); n != turn.want {
			t.Errorf("%d packets of %d bytes of a tunnel that floods wait, want %d",
				n, turn.length, turn.want)
		}
		for id := l2tp.TunnelID(2); id < 1000; id++ {
			if n := post(id, 5, 100); n != 5 {
				t.Errorf("behind packets of %d bytes %d of tunnel %d wait, want 5", turn.length, n, id)
			}
		}
		m.take(nil)
	}
}

// TestManyTunnelsInAMailbox: a table that once had many tunnels is not cleared at every
// turn from then on.
func TestManyTunnelsInAMailbox(t *testing.T) {
	m := newMailbox()
	table := reflect.ValueOf(m.of).Pointer()
	for _, turn := range []struct {
		tunnels int
		kept    bool
	}{{10, true}, {manyTunnels + 1, false}} {
		for id := range turn.tunnels {
			m.postPacket(packet{header: l2tp.Header{Control: true, TunnelID: l2tp.TunnelID(id)}})
		}
		m.take(nil)
		if kept := reflect.ValueOf(m.of).Pointer() == table; kept != turn.kept || len(m.of) > 0 {
			t.Errorf("after %d tunnels the table is used again: %v, want %v; it has %d",
				turn.tunnels, kept, turn.kept, len(m.of))
		}
	}
}
