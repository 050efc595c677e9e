package dataplanetest

import (
	"net/netip"
	"testing"
	"time"

	"culvert/internal/dataplane"
)

// patience is how long a case waits for what must come.
const patience = 10 * time.Second

// A Side is a host with its data plane.
type Side struct {
	dataplane.Dataplane
	// Host and Host6 are the host's addresses for tunnels.
	Host, Host6 netip.Addr
	// Exact has listeners listen at Host only, as the other side is on this host too.
	Exact bool
	// Said is what the data plane told its handler. Contract sets it.
	Said *Recorder
}

// A Pair is two hosts that reach each other.
type Pair struct {
	A, B *Side
	// Flow makes ready to send packets from one end of a session to the other.
	// Nil: the data plane carries no packets.
	Flow func(t testing.TB, from, to End) Flow
	// Own gives the side's host an address besides those of its sessions, until t
	// ends. Nil: hosts have none.
	Own func(t testing.TB, s *Side, a netip.Addr)
	// Lose takes away the session of the side as something else than its data plane
	// would. Nil: nothing can.
	Lose func(t testing.TB, s *Side, id dataplane.SessionKey)
	// Left fails the test if something of the closed data planes is left. Nil:
	// their own inventories are trusted.
	Left func(t testing.TB)
}

// close closes both data planes and looks for what is left.
func (p *Pair) close(t testing.TB) {
	for _, s := range []*Side{p.A, p.B} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wantEmpty(t, s)
	}
	if p.Left != nil {
		p.Left(t)
	}
}

// An End is one end of a session as programs of its host see it.
type End struct {
	*Side
	Key       dataplane.SessionKey
	Addr      netip.Addr
	Interface string
}

// A Flow sends network packets from one end to the other.
type Flow interface {
	// Send sends a packet of size bytes, the IP header included. What the host
	// refuses to send at once is an error.
	Send(size int) error
	// Receive returns the size of the next packet that arrived, false if none
	// comes in that time.
	Receive(patience time.Duration) (size int, ok bool)
}

// An Open makes a pair for one case, which closes its data planes.
type Open func(t *testing.T, a, b dataplane.Handler) *Pair

// Contract runs all cases, each with a pair of its own.
func Contract(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, *Pair)
	}{
		{"Control", testControl},
		{"Control6", testControl6},
		{"RacingConnect", testRacingConnect},
		{"UnknownTunnel", testUnknownTunnel},
		{"AnyPort", testAnyPort},
		{"AnyPortShared", testAnyPortShared},
		{"SamePorts", testSamePorts},
		{"PortInUse", testPortInUse},
		{"Frames", testFrames},
		{"Frames6", testFrames6},
		{"FrameForms", testFrameForms},
		{"EarlyData", testEarlyData},
		{"Sequence", testSequence},
		{"Packets", testPackets},
		{"Counters", testCounters},
		{"MTU", testMTU},
		{"Reconfigure", testReconfigure},
		{"TwoSessions", testTwoSessions},
		{"ConfigureErrors", testConfigureErrors},
		{"CloseOrders", testCloseOrders},
		{"ClosedListener", testClosedListener},
		{"AfterClose", testAfterClose},
		{"Detach", testDetach},
		{"Lost", testLost},
		{"Workers", testWorkers},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := NewRecorder(), NewRecorder()
			p := open(t, a, b)
			p.A.Said, p.B.Said = a, b
			defer p.close(t)
			c.run(t, p)
		})
	}
}
