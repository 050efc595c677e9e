package engine

import (
	"sync"

	"culvert/l2tp"
)

// A mailbox is what others put into a shard. Posting never blocks, so that no
// shard and no poller ever waits for another: what bounds the queue is admission
// (for jobs) and the caps on datagrams and frames, which both protocols repeat.
//
// First messages wait apart: however many there are, what concerns tunnels that are
// there goes before them. Of that a tunnel has as many packets, and as many bytes, as
// there is room left for others. So one that floods has half of the room, two a third
// each, and somebody else finds room too.
type mailbox struct {
	mu      sync.Mutex
	queue   []message
	load    load                   // datagrams and frames in queue
	of      map[l2tp.TunnelID]load // what of that is a tunnel's
	firsts  []message
	waits   load // what is in firsts
	dropped uint64
	wake    chan struct{} // capacity 1
}

// A load is how many packets wait, and how many bytes they have.
type load struct{ packets, bytes int }

func (l load) plus(o load) load { return load{l.packets + o.packets, l.bytes + o.bytes} }

func (l load) minus(o load) load { return load{l.packets - o.packets, l.bytes - o.bytes} }

// fits reports whether there is no more of it than most, in neither respect.
func (l load) fits(most load) bool { return l.packets <= most.packets && l.bytes <= most.bytes }

// load is what the packet adds to others that wait.
func (p *packet) load() load { return load{1, len(p.datagram.Data) + len(p.frame)} }

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

// manyTunnels is how many tunnels may have packets waiting before the table of them is
// not used again: to clear it costs as much as the most that ever were in it.
const manyTunnels = 1024

func newMailbox() *mailbox {
	return &mailbox{wake: make(chan struct{}, 1), of: make(map[l2tp.TunnelID]load)}
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
	share := m.of[id].plus(p.load())
	if !share.fits(maxPackets.minus(m.load)) {
		m.dropped++
		return
	}
	m.of[id] = share
	m.put(&m.queue, &m.load, p)
}

// postFirst queues a message to no tunnel, or drops it if too many wait.
func (m *mailbox) postFirst(p packet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.waits.plus(p.load()).fits(maxFirsts) {
		m.dropped++
		return
	}
	m.put(&m.firsts, &m.waits, p)
}

// put queues a packet. mu is held.
func (m *mailbox) put(queue *[]message, of *load, p packet) {
	*of = of.plus(p.load())
	*queue = append(*queue, message{pack: p})
	m.signal()
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
	if len(m.of) > manyTunnels {
		m.of = make(map[l2tp.TunnelID]load)
	} else {
		clear(m.of)
	}
	n := min(len(m.firsts), firstsPerTurn)
	queue = append(queue, m.firsts[:n]...)
	for i := range m.firsts[:n] {
		m.waits = m.waits.minus(m.firsts[i].pack.load())
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
