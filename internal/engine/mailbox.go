package engine

import "sync"

// A mailbox is what others put into a shard. Posting never blocks, so that no
// shard and no poller ever waits for another: what bounds the queue is admission
// (for jobs) and the cap on datagrams and frames, which both protocols repeat.
type mailbox struct {
	mu      sync.Mutex
	queue   []message
	packets int // datagrams and frames in queue
	dropped uint64
	wake    chan struct{} // capacity 1
}

// A message is a function to run on the shard, or a packet that arrived.
// Packets are values, not closures: there are many of them.
type message struct {
	run  func()
	pack packet
}

// maxPackets is how many packets wait for a shard at most, like the receive
// buffer of a socket.
const maxPackets = 16384

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post queues run for the shard.
func (m *mailbox) post(run func()) {
	m.mu.Lock()
	m.queue = append(m.queue, message{run: run})
	m.mu.Unlock()
	m.signal()
}

// postPacket queues a packet, or drops it if too many wait.
func (m *mailbox) postPacket(p packet) {
	m.mu.Lock()
	if m.packets >= maxPackets {
		m.dropped++
		m.mu.Unlock()
		return
	}
	m.packets++
	m.queue = append(m.queue, message{pack: p})
	m.mu.Unlock()
	m.signal()
}

// droppedPackets is how many packets were dropped because too many waited.
func (m *mailbox) droppedPackets() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dropped
}

// take returns what is queued. The slice given back is reused for the next ones.
func (m *mailbox) take(reuse []message) []message {
	clear(reuse)
	m.mu.Lock()
	defer m.mu.Unlock()
	queue := m.queue
	m.queue, m.packets = reuse[:0], 0
	return queue
}

func (m *mailbox) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
