package dataplane_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"culvert/internal/dataplane"
	"culvert/internal/dataplane/dataplanetest"
	"culvert/test/lab"
)

func TestFakeContract(t *testing.T) {
	for name, split := range map[string]bool{"shared": false, "split": true} {
		t.Run(name, func(t *testing.T) { dataplanetest.Contract(t, openFakes(split), 0) })
	}
}

func openFakes(split bool) dataplanetest.Open {
	return func(t *testing.T, a, b dataplane.Handler) *dataplanetest.Pair {
		hostA6, hostB6 := netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
		w := dataplane.NewWire()
		var in inbox
		opts := dataplane.FakeOptions{Split: split, Packet: in.put}
		fakeA := dataplane.NewFake(w, a, opts, hostA, hostA6)
		fakeB := dataplane.NewFake(w, b, opts, hostB, hostB6)
		handlers := map[dataplane.Dataplane]dataplane.Handler{fakeA: a, fakeB: b}
		return &dataplanetest.Pair{
			A: &dataplanetest.Side{Dataplane: fakeA, Host: hostA, Host6: hostA6},
			B: &dataplanetest.Side{Dataplane: fakeB, Host: hostB, Host6: hostB6},
			Flow: func(t testing.TB, from, to dataplanetest.End) dataplanetest.Flow {
				f := &fakeFlow{from: from, to: to, packets: make(chan []byte, 100)}
				in.flows.Store(flowKey{to.Key, from.Addr}, f)
				return f
			},
			Restart: func(t testing.TB, s *dataplanetest.Side) (begin func()) {
				old := s.Dataplane.(*dataplane.Fake)
				h, opts := handlers[old], opts
				opts.Remains = old.Kill()
				return func() {
					s.Dataplane = dataplane.NewFake(w, h, opts, s.Host, s.Host6)
					handlers[s.Dataplane] = h
				}
			},
			Lose: func(t testing.TB, s *dataplanetest.Side, id dataplane.SessionKey) {
				s.Dataplane.(*dataplane.Fake).Lose(id, errors.New("deleted"))
			},
		}
	}
}

// An inbox gives packets that come out of sessions to their flows.
type inbox struct{ flows sync.Map }

type flowKey struct {
	to  dataplane.SessionKey
	src netip.Addr
}

func (in *inbox) put(id dataplane.SessionKey, packet []byte) {
	src, _ := netip.AddrFromSlice(packet[12:16])
	if packet[0]>>4 == 6 {
		src, _ = netip.AddrFromSlice(packet[8:24])
	}
	if f, ok := in.flows.Load(flowKey{id, src}); ok {
		f.(*fakeFlow).packets <- packet
	}
}

type fakeFlow struct {
	from, to dataplanetest.End
	packets  chan []byte
}

func (f *fakeFlow) Send(size int) error {
	b := packet(f.from.Addr, f.to.Addr, size)
	return f.from.Dataplane.(*dataplane.Fake).SendPacket(f.from.Key, b)
}

func (f *fakeFlow) Receive(patience time.Duration) (int, bool) {
	select {
	case b := <-f.packets:
		return len(b), true
	case <-time.After(patience):
		return 0, false
	}
}

// packet returns an IP packet with the header's essentials.
func packet(src, dst netip.Addr, size int) []byte {
	b := make([]byte, size)
	if src.Is4() {
		b[0], b[8], b[9] = 0x45, 64, 17
		binary.BigEndian.PutUint16(b[2:], uint16(size))
		copy(b[12:], src.AsSlice())
		copy(b[16:], dst.AsSlice())
		return b
	}
	b[0], b[6], b[7] = 0x60, 17, 64
	binary.BigEndian.PutUint16(b[4:], uint16(size-40))
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return b
}

// TestNullContract runs both hosts on loopback addresses: all of 127.0.0.0/8 is
// this host, and of IPv6 it has one address. Other processes may do so as well.
func TestNullContract(t *testing.T) {
	pid := os.Getpid()
	host := func(n int) string { return fmt.Sprintf("127.%d.%d.%d", 1+pid>>8&0x7f, pid&0xff, n) }
	dataplanetest.Contract(t, func(t *testing.T, a, b dataplane.Handler) *dataplanetest.Pair {
		side := func(h dataplane.Handler, host string) *dataplanetest.Side {
			d, err := dataplane.NewNull(h)
			if err != nil {
				t.Fatal(err)
			}
			return &dataplanetest.Side{
				Dataplane: d, Host: netip.MustParseAddr(host), Host6: netip.IPv6Loopback(),
				Exact: true,
			}
		}
		return &dataplanetest.Pair{A: side(a, host(1)), B: side(b, host(2))}
	},
		dataplanetest.NoPackets|dataplanetest.NoLoss|dataplanetest.NoRestart|dataplanetest.OneHost6|dataplanetest.Shared)
}

func TestNullContractHosts(t *testing.T) {
	lab.RequireTUN(t)
	dataplanetest.Contract(t, dataplanetest.Hosts(dataplane.NewNull, false),
		dataplanetest.NoPackets|dataplanetest.NoLoss|dataplanetest.NoRestart)
}

func TestTUNContract(t *testing.T) {
	lab.RequireTUN(t)
	open := dataplanetest.Hosts(newTUN, true)
	dataplanetest.Contract(t, func(t *testing.T, a, b dataplane.Handler) *dataplanetest.Pair {
		p := open(t, a, b)
		p.Lose = deleteDevice
		return p
	}, dataplanetest.NoRestart)
}

func TestTUNProxyARP(t *testing.T) {
	lab.RequireTUN(t)
	dataplanetest.ProxyARP(t, newTUN)
}

// deleteDevice takes away all sessions with their device.
func deleteDevice(t testing.TB, s *dataplanetest.Side, id dataplane.SessionKey) {
	t.Helper()
	s.NetNS().Run("ip", "link", "del", "culvert0")
}

func newTUN(h dataplane.Handler) (dataplane.Dataplane, error) {
	return dataplane.NewTUN(h, dataplane.TUNOptions{})
}
