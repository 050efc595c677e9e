package l2tp

import (
	"time"
)

// A delivery is the reliable delivery of one control connection: what was
// sent and is not acknowledged, what waits for the window, and what came
// before its turn. It knows no message's meaning.
// https://www.rfc-editor.org/rfc/rfc2661#section-5.8
//
// Every number is modulo 65536. The messages in sent have Ns from
// ns-len(sent) to ns-1; they are outstanding.
type delivery struct {
	cfg *Config

	ns, nr   uint16 // of the next message to send; of the next to receive
	sent     []outgoing
	queue    []outgoing
	queued   uint64                  // how many messages were ever in queue
	requests []outgoing              // ICRQ, OCRQ: go when queue is empty
	early    map[uint16]earlyMessage // received out of order, by Ns
	held     int                     // bytes in early

	// Slow start and congestion avoidance, Appendix A. All count messages.
	window   uint16 // that the peer offers, and no more than cfg.SendWindow
	cwnd     uint16
	ssthresh uint16
	acks     uint16 // since cwnd last grew, in congestion avoidance

	interval time.Duration // until the next retransmission
	ackedAt  time.Time     // when something was last acknowledged; the interval begins anew
	retries  int           // retransmissions since something was acknowledged
	silence  int           // of those, since anything was heard
	ackDue   time.Time     // zero if no acknowledgement is owed
	owed     uint16        // messages received since the peer last heard our Nr
}

// maxPatience is how many times Config.MaxRetransmits a message is sent again
// to a peer that is heard but does not acknowledge it.
const maxPatience = 3

// What a peer may make us keep. Messages may be 64 KiB long, and their numbers are the
// peer's to choose: what comes before its turn is dropped beyond some bytes, of which a
// peer that has not established the tunnel has few. And a peer that asks faster than it
// takes our answers is not listened to until it has taken some.
const (
	maxHeld        = 1 << 20
	maxHeldAtFirst = 8 << 10
	maxUnanswered  = 1 << 15 // messages that wait: half as many as there are calls
)

// An outgoing is a control message on its way to the peer.
type outgoing struct {
	avps    []byte
	mt      MessageType
	id      SessionID // of ours, for those who watch
	peer    SessionID // for the header
	session *session  // whose end makes the message pointless; may be nil
	sentAt  time.Time
	lost    bool // not acknowledged in time; to be sent again
}

// An earlyMessage is one that came before its turn.
type earlyMessage struct {
	session SessionID
	avps    []byte
}

func newDelivery(cfg *Config) delivery {
	d := delivery{cfg: cfg, cwnd: 1, interval: cfg.retransmitInterval()}
	d.setPeerWindow(0)
	return d
}

// setPeerWindow takes the peer's Receive Window Size; zero if it said nothing.
//
// "If absent, the peer must assume a Window Size of 4 for its transmit
// window." (4.4.3) "SSTHRESH is initialized to the advertised window." (A)
func (d *delivery) setPeerWindow(size uint16) {
	if size == 0 {
		size = defaultPeerWindow
	}
	d.window = min(size, d.cfg.sendWindow())
	d.ssthresh = d.window
	d.cwnd = min(d.cwnd, d.window)
}

// idle says whether nothing is outstanding and nothing waits.
func (d *delivery) idle() bool {
	return len(d.sent) == 0 && len(d.queue) == 0 && len(d.requests) == 0
}

// An arrival is what the sequence number of a message makes of it.
type arrival uint8

const (
	inOrder   arrival = iota
	duplicate         // at or before the last one received: to be acknowledged again
	early             // after a gap, within the window
	beyond            // after the window
)

// arrive classes a message with sequence number ns.
//
// "The sequence number in the header of a received message is considered less
// than or equal to the last received number if its value lies in the range of
// the last received number and the preceding 32767 values, inclusive."
func (d *delivery) arrive(ns uint16) arrival {
	switch ahead := ns - d.nr; {
	case ahead == 0:
		return inOrder
	case ahead >= 0x8000:
		return duplicate
	case ahead < d.cfg.receiveWindow():
		return early
	}
	return beyond
}

// received counts a message that came in order. The acknowledgement waits for a
// message of ours to ride on, unless the peer may be waiting for it.
//
// "A peer MUST NOT withhold acknowledgment of messages as a technique for
// flow controlling control messages."
func (d *delivery) received(now time.Time) {
	d.nr++
	d.owed++
	switch {
	case d.owed >= d.cfg.ackEvery():
		d.ackDue = now
	case d.ackDue.IsZero():
		d.ackDue = now.Add(d.cfg.ackDelay())
	}
}

// keep queues a message that came early. It says false if it was there already.
func (d *delivery) keep(ns uint16, m earlyMessage) bool {
	if _, ok := d.early[ns]; ok {
		return false
	}
	if d.early == nil {
		d.early = make(map[uint16]earlyMessage)
	}
	d.early[ns] = m
	d.held += len(m.avps)
	return true
}

// next gives the early message whose turn it is now, if it has come.
func (d *delivery) next() (earlyMessage, bool) {
	m, ok := d.early[d.nr]
	delete(d.early, d.nr)
	d.held -= len(m.avps)
	return m, ok
}

// acknowledge takes the Nr of any control message and says how many of ours it
// acknowledges. An Nr of the past, or of what was never sent, says nothing.
func (d *delivery) acknowledge(now time.Time, nr uint16) int {
	una := d.ns - uint16(len(d.sent))
	n := int(nr - una)
	if n == 0 || n > len(d.sent) {
		return 0
	}
	clear(d.sent[:n]) // or the messages would stay with the array
	d.sent = d.sent[n:]
	if len(d.sent) == 0 {
		d.sent = nil
	}
	d.retries, d.silence, d.ackedAt = 0, 0, now
	d.interval = d.cfg.retransmitInterval()
	d.grow()
	return n
}

// grow opens the congestion window for one acknowledgement.
//
// "During slow start, CWND is increased by one packet each time an ACK
// (explicit ZLB or piggybacked) is received. ... During congestion avoidance
// ... CWND is increased by one packet after CWND new ACKs have been received."
// https://www.rfc-editor.org/rfc/rfc2661#appendix-A
func (d *delivery) grow() {
	if d.cwnd >= d.window {
		return
	}
	if d.cwnd < d.ssthresh {
		d.cwnd++
		return
	}
	if d.acks++; d.acks >= d.cwnd {
		d.acks = 0
		d.cwnd++
	}
}

// retransmitAt is when the oldest outstanding message is due again, or zero.
func (d *delivery) retransmitAt() time.Time {
	if len(d.sent) == 0 {
		return time.Time{}
	}
	return d.due(&d.sent[0])
}

// due is when o is to be sent again.
func (d *delivery) due(o *outgoing) time.Time {
	if o.sentAt.Before(d.ackedAt) {
		return d.ackedAt.Add(d.interval)
	}
	return o.sentAt.Add(d.interval)
}

// expire marks what is due for retransmission. It says false when the peer was
// silent for too long.
//
// "Each subsequent retransmission of a message MUST employ an exponential
// backoff interval. ... If no peer response is detected after several
// retransmissions, ... the tunnel and all sessions within MUST be cleared."
func (d *delivery) expire(now time.Time) bool {
	at := d.retransmitAt()
	if at.IsZero() || at.After(now) {
		return true
	}
	// A peer of whom something is heard responds, even if the right
	// acknowledgement was lost each time; but not for ever.
	n := d.cfg.maxRetransmits()
	if d.silence >= n || d.retries >= maxPatience*n {
		return false
	}
	d.retries++
	d.silence++
	for i := range d.sent {
		if !d.due(&d.sent[i]).After(now) {
			d.sent[i].lost = true
		}
	}
	d.interval = min(2*d.interval, d.cfg.retransmitCap())
	// "When congestion occurs (indicated by the triggering of a
	// retransmission) one half of the CWND is saved in SSTHRESH, and CWND is
	// set to one. The sender then reenters the slow start phase."
	d.ssthresh = max(d.cwnd/2, 1)
	d.cwnd, d.acks = 1, 0
	return true
}

// transmit calls send for each message that may leave now, retransmissions
// first. The message at the front always may: it is what the window waits for.
func (d *delivery) transmit(now time.Time, send func(o *outgoing, ns uint16, again bool)) {
	una := d.ns - uint16(len(d.sent))
	flying := 0
	for i := range d.sent {
		if !d.sent[i].lost {
			flying++
		}
	}
	for i := range d.sent {
		o := &d.sent[i]
		if o.lost && (i == 0 || flying < int(d.cwnd)) {
			o.lost, o.sentAt = false, now
			flying++
			send(o, una+uint16(i), true)
		}
	}
	for len(d.sent) < int(d.window) && flying < int(d.cwnd) {
		o, ok := d.pop()
		if !ok {
			return
		}
		o.sentAt = now
		d.sent = append(d.sent, o)
		d.ns++
		flying++
		send(&d.sent[len(d.sent)-1], d.ns-1, false)
	}
}

// enqueue has a message wait for the window.
func (d *delivery) enqueue(o outgoing) {
	d.queue = append(d.queue, o)
	d.queued++
}

// pop takes the next message that waits, passing over those of sessions that ended.
func (d *delivery) pop() (outgoing, bool) {
	for _, q := range []*[]outgoing{&d.queue, &d.requests} {
		for len(*q) > 0 {
			o := (*q)[0]
			(*q)[0] = outgoing{}
			*q = (*q)[1:]
			if o.session == nil || !o.session.gone {
				return o, true
			}
		}
		*q = nil
	}
	return outgoing{}, false
}

// drop forgets what waits. What is outstanding stays: the peer counts on its Ns.
func (d *delivery) drop() { d.queue, d.requests = nil, nil }
