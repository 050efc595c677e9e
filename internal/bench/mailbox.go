package bench

import (
	"net/netip"
	"sync"
	"time"
)

// maxMail is how many bytes of datagrams wait for the loop at most, like the receive
// buffer of a socket. What is beyond is lost, which the protocols repair.
const maxMail = 32 << 20

// A mailbox takes datagrams to the loop, in one buffer: there are many, and small.
type mailbox struct {
	mu    sync.Mutex
	mail  letters
	lost  uint64
	wake  chan struct{} // room for one
	begun time.Time     // what arrivals are told from
}

// letters are datagrams one behind the other.
type letters struct {
	bytes  []byte
	stamps []stamp
}

// A stamp says where a letter ends, and where it came from and when.
type stamp struct {
	end  int
	from netip.AddrPort
	came time.Duration
}

func newMailbox() *mailbox {
	return &mailbox{wake: make(chan struct{}, 1), begun: time.Now()}
}

// put copies a datagram into the mailbox. It may be called from any goroutine.
func (m *mailbox) put(from netip.AddrPort, b []byte) {
	came := time.Since(m.begun)
	m.mu.Lock()
	if len(m.mail.bytes)+len(b) > maxMail {
		m.lost++
		m.mu.Unlock()
		return
	}
	m.mail.bytes = append(m.mail.bytes, b...)
	m.mail.stamps = append(m.mail.stamps, stamp{len(m.mail.bytes), from, came})
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take returns what has come, and uses what the loop is done with for the next.
func (m *mailbox) take(done letters) letters {
	m.mu.Lock()
	defer m.mu.Unlock()
	mail := m.mail
	m.mail = letters{done.bytes[:0], done.stamps[:0]}
	return mail
}

// deliver calls f with each datagram, and returns the longest that one of them waited
// for that.
func (m *mailbox) deliver(mail letters, f Receiver) (waited time.Duration) {
	begin := 0
	for _, s := range mail.stamps {
		waited = max(waited, time.Since(m.begun)-s.came)
		f(s.from, mail.bytes[begin:s.end:s.end])
		begin = s.end
	}
	return waited
}
