package engine

import (
	"sync"

	"culvert/l2tp"
)

// A mailbox is what others put into a shard. Posting never blocks, so that no
// shard and no poller ever waits for another: what bounds the queue is admission
// (for jobs) and the caps on datagrams and frames, which both protocols repeat.
//
// First messages wait apart. However many there are, what concerns tunnels that are
// there goes before them. Of that a tunnel has as many packets as there is room left for
// others: one that floods costs others nothing.
type mailbox struct {
	mu      sync.Mutex
	queue   []message
	load    load                  // datagrams and frames in queue
	of      map[l2tp.TunnelID]int // how many of them are a tunnel's
	firsts  []message
	waits   load // what is in firsts
	dropped uint64
	wake    chan struct{} // capacity 1
}

// A load is how many packets wait, and how many bytes they have.
type load struct{ packets, bytes int }

// A message is a function to run on the shard, or a packet that arrived.
// Packets are values, not closures: there are many of them.
type message struct {
	run  func()
	pack packet
}

// What waits for a shard at most, like the receive buffer of a socket: packets of
// tunnels, and first messages, of which a turn takes some.
var (
	maxPackets = load{16384, 16 << 20}
	maxFirsts  = load{2048, 2 << 20}
)

const firstsPerTurn = 64

func newMailbox() *mailbox {
	return &mailbox{wake: make(chan struct{}, 1), of: make(map[l2tp.TunnelID]int)}
}

// post queues run for the shard.
func (m *mailbox) post(run func()) {
	m.mu.Lock()
	m.queue = append(m.queue, message{run: run})
	m.mu.Unlock()
	m.signal()
}

// postPacket queues a packet, or drops it if too many wait.
func (m *mailbox) postPacket(p packet) {
	id := p.tunnel()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of[id] >= maxPackets.packets-m.load.packets {
		m.dropped++
		return
	}
	if m.put(&m.queue, &m.load, maxPackets, p) {
		m.of[id]++
	}
}

// postFirst queues a message to no tunnel, or drops it if too many wait.
func (m *mailbox) postFirst(p packet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(&m.firsts, &m.waits, maxFirsts, p)
}

// put queues a packet, or drops it and returns false. mu is held.
func (m *mailbox) put(queue *[]message, of *load, most load, p packet) bool {
	size := len(p.datagram.Data) + len(p.frame)
	if of.packets >= most.packets || of.bytes+size > most.bytes {
		m.dropped++
		return false
	}
	of.packets++
	of.bytes += size
	*queue = append(*queue, message{pack: p})
	m.signal()
	return true
}

// droppedPackets is how many packets were dropped because too many waited.
func (m *mailbox) droppedPackets() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dropped
}

// take returns what is queued, and some first messages after it. The slice given back
// is reused for the next ones.
func (m *mailbox) take(reuse []message) []message {
	clear(reuse)
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue, m.load = reuse[:0], load{}
	clear(m.of)
	n := min(len(m.firsts), firstsPerTurn)
	queue = append(queue, m.firsts[:n]...)
	for _, first := range m.firsts[:n] {
		m.waits.packets--
		m.waits.bytes -= len(first.pack.datagram.Data)
	}
	clear(m.firsts[:n])
	if m.firsts = m.firsts[n:]; len(m.firsts) == 0 {
		m.firsts = nil
	} else {
		m.signal()
	}
	return queue
}

func (m *mailbox) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
