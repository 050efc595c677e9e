package bench

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"culvert/ppp"
)

// Traffic says which packets are sent into sessions that are up. They come back from
// where they are sent to, or count as lost.
type Traffic struct {
	Sessions int // how many of all have any, spread over them; 0: none
	Kind     TrafficKind
	Rate     float64 // packets a second in each; default 1
	// Window is how many are under way in each, the next when one came back; 0: as Rate has it.
	Window int
	Size   int            // bytes of the IP packet; default 84
	Target netip.AddrPort // default: the LNS's address in the session; port 7 of UDP
}

// A TrafficKind is what packets are.
type TrafficKind string

// The kinds of packets.
const (
	ICMPEcho TrafficKind = "icmp" // echo requests, which every host answers
	UDPEcho  TrafficKind = "udp"  // datagrams to an echo service
)

const (
	defaultSize = 84
	maxSize     = 1500
	echoPort    = 7
	// maxWindow is less than how late a packet is still told from a copy.
	maxWindow = 64
	// stallTime is how long nothing comes back before a window is sent anew.
	stallTime = time.Second
)

func (t *Traffic) complete(sessions int) error {
	if t.Sessions == 0 {
		return nil
	}
	if t.Kind == "" {
		t.Kind = ICMPEcho
	}
	if t.Rate == 0 {
		t.Rate = 1
	}
	if t.Size == 0 {
		t.Size = defaultSize
	}
	switch {
	case t.Sessions < 0 || t.Sessions > sessions:
		return fmt.Errorf("traffic in %d sessions: expected 0 to %d", t.Sessions, sessions)
	case t.Kind != ICMPEcho && t.Kind != UDPEcho:
		return fmt.Errorf("traffic %q: expected %s or %s", t.Kind, ICMPEcho, UDPEcho)
	case t.Rate < 0 || t.Window < 0 || t.Window > maxWindow:
		return fmt.Errorf("rate of traffic: expected more than 0; window: expected 0 to %d",
			maxWindow)
	case t.Size < minPacket || t.Size > maxSize:
		return fmt.Errorf("packets of %d bytes: expected %d to %d", t.Size, minPacket, maxSize)
	case t.Target.Addr().IsValid() && !t.Target.Addr().Is4():
		return fmt.Errorf("target of traffic %v: expected an IPv4 address", t.Target.Addr())
	}
	return nil
}

// flow returns the flow of session n of all, or nil where it has none.
func (t *Traffic) flow(n, all int) *flow {
	if n*t.Sessions/all == (n+1)*t.Sessions/all {
		return nil
	}
	return &flow{next: never}
}

// A flow is the packets of one session.
type flow struct {
	next          time.Duration // when the next one is sent
	local, target netip.AddrPort
	sequence      uint32 // of the next one
	newest        uint32 // that came back, plus one
	recent        uint64 // which of the last 64 up to the newest came back
}

// A flowTally is what is counted of all flows.
type flowTally struct {
	sent, received, duplicates uint64
	first, last                time.Duration           // when any was sent, or came back
	took                       *hdrhistogram.Histogram // microseconds there and back
}

// begin starts sending, at a time of the flow's own.
func (f *flow) begin(s *session, now time.Duration, a ppp.Addresses) {
	t := &s.run().cfg.Traffic
	f.local = netip.AddrPortFrom(a.Local, flowPort)
	f.target = t.Target
	if !f.target.Addr().IsValid() {
		f.target = netip.AddrPortFrom(a.Peer, t.Target.Port())
	}
	if f.target.Port() == 0 {
		f.target = netip.AddrPortFrom(f.target.Addr(), echoPort)
	}
	f.next = never
	if f.target.Addr().Is4() && f.local.Addr().Is4() {
		f.newest, f.recent = f.sequence, 0 // of the session before, nothing comes any more
		f.next = now + time.Duration(s.run().rand.Uint64()%uint64(t.interval()))
	}
}

func (t *Traffic) interval() time.Duration {
	return max(time.Duration(float64(time.Second)/t.Rate), time.Microsecond)
}

// tick sends what is due.
func (f *flow) tick(s *session, now time.Duration) {
	t := &s.run().cfg.Traffic
	switch interval := t.interval(); {
	case f.isOver(s, now):
		f.next = never
	case t.Window > 0:
		// Nothing came back for a while: what is under way is lost.
		f.newest, f.recent = f.sequence, 0
		f.fill(s, now)
	default:
		if f.next += interval; f.next < now {
			f.next = now + interval // a pause of ours is not made up for by a burst
		}
		f.send(s, now)
	}
}

// isOver reports whether there is no time left for a packet to come back.
func (f *flow) isOver(s *session, now time.Duration) bool {
	return s.run().stage.now != running || s.until != never && s.until-now < quietTime
}

// fill sends packets until the window is full. What is older than the newest that came
// back is not under way any more.
func (f *flow) fill(s *session, now time.Duration) {
	f.next = now + stallTime
	for window := s.run().cfg.Traffic.Window; f.sequence-f.newest < uint32(window); {
		f.send(s, now)
	}
}

// send sends a packet.
func (f *flow) send(s *session, now time.Duration) {
	r := s.run()
	p := packet{
		kind: r.cfg.Traffic.Kind, source: f.local, target: f.target,
		probe: probe{tag: r.tag, session: uint32(s.number), sequence: f.sequence, sent: now},
	}
	f.sequence++
	if r.tally.flows.sent++; r.tally.flows.sent == 1 {
		r.tally.flows.first = now
	}
	r.packet = p.append(r.packet[:0], r.cfg.Traffic.Size)
	s.send(r.packet)
}

// receive takes an IP packet that came out of the session.
func (f *flow) receive(s *session, b []byte) {
	r := s.run()
	p, ok := parseProbe(b)
	if !ok || p.tag != r.tag || p.session != uint32(s.number) || p.sequence >= f.sequence {
		return
	}
	count := &r.tally.flows
	if !f.isNew(p.sequence) {
		count.duplicates++
		return
	}
	now := r.since(time.Now())
	count.received++
	count.last = now
	r.tally.timeline.now.Packets++
	_ = count.took.RecordValue(min(max((now-p.sent).Microseconds(), 1), longest))
	if r.cfg.Traffic.Window > 0 && !f.isOver(s, now) {
		f.fill(s, now)
	}
}

// isNew notes that a packet came back and reports whether it had not before. One that
// is 64 packets late counts as a copy.
func (f *flow) isNew(sequence uint32) bool {
	if sequence >= f.newest {
		f.recent = f.recent<<(sequence+1-f.newest) | 1
		f.newest = sequence + 1
		return true
	}
	bit := uint64(1) << (f.newest - 1 - sequence)
	if f.newest-1-sequence >= 64 || f.recent&bit != 0 {
		return false
	}
	f.recent |= bit
	return true
}
