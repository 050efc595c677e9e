package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// A Flow is a paced stream of numbered UDP packets from one namespace to another.
type Flow struct {
	t        testing.TB
	from, to *net.UDPConn
	stop     chan struct{}
	done     sync.WaitGroup

	mu       sync.Mutex
	sent     uint64
	received map[uint64]int
	failed   error // the first send that was refused
}

// flowBuffer is what a receiver that is not scheduled for a while can fall behind.
const flowBuffer = 4 << 20

// StartFlow sends a packet at every interval from an address of one namespace to one
// of the other, until Stop.
func StartFlow(
	t testing.TB, from *NetNS, source netip.Addr, to *NetNS, destination netip.Addr, every time.Duration,
) *Flow {
	t.Helper()
	f := &Flow{t: t, stop: make(chan struct{}), received: make(map[uint64]int)}
	err := to.Do(func() (err error) {
		f.to, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(destination, 0)))
		return err
	})
	if err == nil {
		err = f.to.SetReadBuffer(flowBuffer)
	}
	if err == nil {
		err = from.Do(func() (err error) {
			f.from, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0)),
				f.to.LocalAddr().(*net.UDPAddr))
			return err
		})
	}
	if err != nil {
		t.Fatalf("starting a flow from %v to %v: %v", source, destination, err)
	}
	f.done.Go(func() { f.send(every) })
	f.done.Go(f.receive)
	t.Cleanup(f.close)
	return f
}

func (f *Flow) send(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-f.stop:
			return
		}
		f.mu.Lock()
		number := f.sent
		f.mu.Unlock()
		_, err := f.from.Write(binary.BigEndian.AppendUint64(nil, number))
		f.mu.Lock()
		if f.sent++; err != nil && f.failed == nil {
			f.failed = err
		}
		f.mu.Unlock()
	}
}

func (f *Flow) receive() {
	b := make([]byte, 64)
	for {
		n, err := f.to.Read(b)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil || n != 8 {
			continue
		}
		f.mu.Lock()
		f.received[binary.BigEndian.Uint64(b)]++
		f.mu.Unlock()
	}
}

// Stop ends the flow, and fails the test unless each packet arrived once. It
// returns how many there were.
func (f *Flow) Stop() uint64 {
	f.t.Helper()
	close(f.stop)
	Wait(f.t, 20*time.Second, fmt.Sprintf("the packets of the flow to %v", f.to.LocalAddr()), f.missing)
	f.mu.Lock()
	defer f.mu.Unlock()
	for number, n := range f.received {
		if n > 1 {
			f.t.Errorf("packet %d of the flow to %v arrived %d times", number, f.to.LocalAddr(), n)
		}
	}
	return f.sent
}

// missing says what has not arrived, or nil.
func (f *Flow) missing() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if lost := f.sent - uint64(len(f.received)); lost > 0 {
		return fmt.Errorf("%d of %d are missing; first refusal: %v", lost, f.sent, f.failed)
	}
	return nil
}

func (f *Flow) close() {
	select {
	case <-f.stop:
	default:
		close(f.stop)
	}
	f.from.Close()
	f.to.Close()
	f.done.Wait()
}
