package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"sync"
	"testing"
	"time"
)

// A Paced is numbered UDP packets that go from one namespace to another at a
// steady pace. What is in between must take them all: it tells of each that
// was lost, or came twice.
type Paced struct {
	t        testing.TB
	from, to *net.UDPConn
	stop     chan struct{}
	sender   sync.WaitGroup
	receiver sync.WaitGroup

	sent     uint64         // once the sender has ended
	failures []error        // likewise: packets that could not be sent
	arrived  map[uint64]int // once the receiver has ended
}

// pacedGrace is how long after the last packet the receiver waits for another one.
const pacedGrace = 3 * time.Second

// StartPaced begins to send a packet from one address to the other every interval.
func StartPaced(t testing.TB, from *NetNS, src netip.Addr, to *NetNS, dst netip.Addr,
	interval time.Duration) *Paced {
	t.Helper()
	p := &Paced{t: t, stop: make(chan struct{}), arrived: make(map[uint64]int)}
	var err error
	err = to.Do(func() (err error) {
		p.to, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(dst, 0)))
		return err
	})
	if err != nil {
		t.Fatalf("receiving paced packets at %v: %v", dst, err)
	}
	// Of a machine that is busy the receiver may be late.
	p.to.SetReadBuffer(1 << 22)
	err = from.Do(func() (err error) {
		local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
		p.from, err = net.DialUDP("udp", local, p.to.LocalAddr().(*net.UDPAddr))
		return err
	})
	if err != nil {
		p.to.Close()
		t.Fatalf("sending paced packets from %v: %v", src, err)
	}
	p.receiver.Go(p.receive)
	p.sender.Go(func() { p.send(interval) })
	return p
}

func (p *Paced) send(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		b := binary.BigEndian.AppendUint64(nil, p.sent)
		if _, err := p.from.Write(append(b, make([]byte, 92)...)); err != nil {
			p.failures = append(p.failures, fmt.Errorf("packet %d: %w", p.sent, err))
		}
		p.sent++
		select {
		case <-ticker.C:
		case <-p.stop:
			return
		}
	}
}

func (p *Paced) receive() {
	b := make([]byte, 1500)
	for {
		n, err := p.to.Read(b)
		if err != nil { // the time is up
			return
		}
		if n >= 8 {
			p.arrived[binary.BigEndian.Uint64(b)]++
		}
	}
}

// Stop ends sending, and returns how many packets were sent once all have arrived
// or will not. It fails the test for each that was lost or came twice.
func (p *Paced) Stop() (sent uint64) {
	p.t.Helper()
	close(p.stop)
	p.sender.Wait()
	p.from.Close()
	p.to.SetReadDeadline(time.Now().Add(pacedGrace))
	p.receiver.Wait()
	p.to.Close()
	for _, err := range p.failures {
		p.t.Errorf("sending: %v", err)
	}
	for i := range p.sent {
		if n := p.arrived[i]; n != 1 {
			p.t.Errorf("packet %d of %d arrived %d times", i, p.sent, n)
		}
	}
	return p.sent
}
