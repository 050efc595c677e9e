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
	// Has tells whether the side's host has an address. It goes with Own.
	Has func(t testing.TB, s *Side, a netip.Addr) bool
	// Restart ends the side's data plane, with what it holds kept. What it returns
	// begins another one, as the side's, which may adopt that. Nil: nothing is kept.
	Restart func(t testing.TB, s *Side) (begin func())
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

// A Lack is something that a data plane, or the hosts it is tried on, cannot do.
// Cases that need it are not run.
type Lack uint

// What may be lacking.
const (
	NoPackets Lack = 1 << iota // network packets are dropped: there is no Pair.Flow
	NoLoss                     // nothing else can take a session away: there is no Pair.Lose
	OneHost6                   // both sides have one IPv6 address
	Shared                     // cases share something, and run one after the other
	NoRestart                  // nothing outlives the data plane: there is no Pair.Restart
)

// A contractCase is a case of the contract, and what it cannot do without.
type contractCase struct {
	name  string
	run   func(*testing.T, *Pair)
	needs Lack
}

var contract = []contractCase{
	{"Control", testControl, 0},
	{"Control6", testControl6, 0},
	{"RacingConnect", testRacingConnect, 0},
	{"UnknownTunnel", testUnknownTunnel, 0},
	{"AnyPort", testAnyPort, 0},
	{"AnyPortShared", testAnyPortShared, 0},
	{"SamePorts", testSamePorts, 0},
	{"PortInUse", testPortInUse, 0},
	{"Frames", testFrames, 0},
	{"Frames6", testFrames6, OneHost6},
	{"FrameForms", testFrameForms, 0},
	{"EarlyData", testEarlyData, 0},
	{"Raw", testRaw, 0},
	{"Sequence", testSequence, 0},
	{"Packets", testPackets, 0},
	{"Counters", testCounters, NoPackets},
	{"Idle", testIdle, 0},
	{"MTU", testMTU, NoPackets},
	{"SmallMTU", testSmallMTU, NoPackets},
	{"Reconfigure", testReconfigure, NoPackets},
	{"TwoSessions", testTwoSessions, NoPackets},
	{"Unnumbered", testUnnumbered, NoPackets},
	{"ConfigureErrors", testConfigureErrors, 0},
	{"CloseOrders", testCloseOrders, Shared}, // it counts the process's descriptors
	{"ClosedListener", testClosedListener, Shared},
	{"AfterClose", testAfterClose, 0},
	{"Detach", testDetach, 0},
	{"Lost", testLost, NoLoss},
	{"Workers", testWorkers, 0},
	{"Adopt", testAdopt, NoRestart},
	{"AdoptListener", testAdoptListener, NoRestart},
	{"AdoptConfigure", testAdoptConfigure, NoRestart},
	{"AdoptUnsure", testAdoptUnsure, NoRestart},
	{"AdoptUnnumbered", testAdoptUnnumbered, NoPackets | NoRestart},
	{"AdoptRest", testAdoptRest, NoRestart},
	{"AdoptNothing", testAdoptNothing, NoRestart},
	{"AdoptDetached", testAdoptDetached, NoRestart},
	{"AdoptClose", testAdoptClose, NoRestart},
}

// Contract runs the cases, each with a pair of its own; lacks says which do not
// apply. Cases run in parallel unless something is Shared.
func Contract(t *testing.T, open Open, lacks Lack) {
	for _, c := range contract {
		if c.needs&lacks&^Shared != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if (c.needs|lacks)&Shared == 0 {
				t.Parallel()
			}
			c.try(t, open)
		})
	}
}

func (c contractCase) try(t *testing.T, open Open) {
	a, b := NewRecorder(), NewRecorder()
	p := open(t, a, b)
	p.A.Said, p.B.Said = a, b
	defer p.close(t)
	c.run(t, p)
}
