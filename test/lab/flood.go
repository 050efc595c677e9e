package lab

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Flood sends UDP datagrams over IPv4 under source addresses that are not the
// sender's.
type Flood struct {
	sent atomic.Int64
	stop chan struct{}
	done chan struct{}
}

// Flood sends datagrams to an address from random ones, at most rate a second, until
// Stop or so many are sent. Those who receive one answer to a stranger.
func (n *NetNS) Flood(t testing.TB, to netip.AddrPort, rate, most int, payload []byte) *Flood {
	t.Helper()
	fd := -1
	err := n.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		return err
	})
	if err != nil {
		t.Fatalf("opening a raw socket in %s: %v", n.Name, err)
	}
	f := &Flood{stop: make(chan struct{}), done: make(chan struct{})}
	go f.run(fd, to, rate, most, payload)
	t.Cleanup(f.Stop)
	return f
}

// Sent is how many datagrams have left.
func (f *Flood) Sent() int { return int(f.sent.Load()) }

// Stop ends the flood.
func (f *Flood) Stop() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	<-f.done
}

// Done is closed when all have been sent.
func (f *Flood) Done() <-chan struct{} { return f.done }

func (f *Flood) run(fd int, to netip.AddrPort, rate, most int, payload []byte) {
	defer close(f.done)
	defer unix.Close(fd)
	b := datagram(to, payload)
	dst := &unix.SockaddrInet4{Addr: to.Addr().As4()}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for f.Sent() < most {
		select {
		case <-f.stop:
			return
		case now := <-tick.C:
			// What a machine that is busy cannot send is not made up for.
			n := int(min(now.Sub(last), 20*time.Millisecond) * time.Duration(rate) / time.Second)
			last = now
			for range n {
				disguise(b)
				if unix.Sendto(fd, b, 0, dst) == nil {
					f.sent.Add(1)
				}
			}
		}
	}
}

const ipHeader, udpHeader = 20, 8

// datagram is an IPv4 packet without checksums: the kernel makes that of its header.
func datagram(to netip.AddrPort, payload []byte) []byte {
	b := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(payload))
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	a := to.Addr().As4()
	copy(b[16:], a[:])
	binary.BigEndian.PutUint16(b[22:], to.Port())
	binary.BigEndian.PutUint16(b[24:], uint16(udpHeader+len(payload)))
	return append(b, payload...)
}

// disguise gives a packet a random source, from 16.0.0.0 to 95.255.255.255.
func disguise(b []byte) {
	r := rand.Uint64()
	binary.BigEndian.PutUint32(b[12:], uint32(r))
	b[12] = 16 + byte(r>>32)%80
	binary.BigEndian.PutUint16(b[20:], 1024+uint16(r>>40)%60000)
}
