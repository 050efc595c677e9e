package dataplane

// A sequencer numbers the data messages that a session sends and judges the
// numbers of those it receives (RFC 2661, 5.4). It does not queue: see reorder.
type sequencer struct {
	lns, send, require bool
	Ns                 uint16 // of the next message we send
	Nr                 uint16 // expected of the next message we receive
}

func newSequencer(s SessionSpec) sequencer {
	return sequencer{lns: s.LNS, send: s.SendSequence, require: s.RequireSequence}
}

// modify changes what is sent and required, and keeps the numbers.
func (q *sequencer) modify(s SessionSpec) {
	q.lns, q.send, q.require = s.LNS, s.SendSequence, s.RequireSequence
}

// idle tells that the session neither numbers nor looks at numbers, so that a
// message without one needs no bookkeeping.
func (q *sequencer) idle() bool { return !q.send && !q.require }

// number completes the header of a message about to be sent.
func (q *sequencer) number(h *dataHeader) {
	if !q.send {
		return
	}
	h.HasSequence, h.Ns = true, q.Ns
	q.Ns++
}

// A judgement is what is to be done with a received message.
type judgement struct {
	drop    bool
	late    bool   // its number was passed already, or it should have had one
	missing uint16 // how many numbers were skipped before it
}

// judge judges a received message. What comes late is dropped; what comes early
// is taken, and the gap before it is counted.
func (q *sequencer) judge(h dataHeader) judgement {
	q.follow(h.HasSequence)
	if !h.HasSequence {
		return judgement{drop: q.require, late: q.require}
	}
	ahead := h.Ns - q.Nr
	if ahead >= 1<<15 {
		return judgement{drop: true, late: true}
	}
	q.Nr = h.Ns + 1
	return judgement{missing: ahead}
}

// follow does as the LNS does: "The LNS controls enabling and disabling of
// sequence numbers by sending a data message with or without sequence numbers
// present at any time during the life of a session. Thus, if the LAC receives a data
// message without sequence numbers present, it MUST stop sending sequence
// numbers in future data messages. If the LAC receives a data message with
// sequence numbers present, it MUST begin sending sequence numbers in future
// outgoing data messages."
// https://www.rfc-editor.org/rfc/rfc2661#section-5.4
//
// A session that requires numbers had the Sequencing Required AVP and keeps them.
func (q *sequencer) follow(numbered bool) {
	if !q.lns && !q.require {
		q.send = numbered
	}
}
