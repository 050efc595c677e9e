package l2tp

// MessageCounts counts messages by [MessageType], which is the index.
type MessageCounts [numMessageTypes]uint32

// Stats are the numbers of a tunnel.
type Stats struct {
	Ns, Nr      uint16 // of the next message to send, to receive
	SendWindow  uint16 // messages that the peer offers, capped by Config.SendWindow
	CWND        uint16
	SSThresh    uint16
	Outstanding int // sent and not acknowledged
	Queued      int // waiting for the window
	HeldEarly   int // received out of order and held

	Retransmits     uint32
	Duplicates      uint32 // received again
	OutOfOrder      uint32 // received after a gap
	BeyondWindow    uint32 // dropped: after the window that we offer
	ZLBSent         uint32
	ZLBReceived     uint32
	Malformed       uint32 // datagrams or messages with something wrong that mattered
	Misdirected     uint32 // for another tunnel ID
	IgnoredMessages uint32 // of unknown type without M bit, or for a session that is gone
	IgnoredAVPs     uint32 // unknown or malformed without M bit, or out of place

	Sent     MessageCounts // each message once
	Received MessageCounts // likewise
}

// Malformed is that number of Stats.
func (t *Tunnel) Malformed() uint32 { return t.stats.Malformed }

// ID is our identifier of the tunnel.
func (t *Tunnel) ID() TunnelID { return t.id }

// PeerID is the peer's identifier of the tunnel; zero if it is not known yet.
func (t *Tunnel) PeerID() TunnelID { return t.peer.TunnelID }

// Peer is what the peer said of itself, if it has spoken.
func (t *Tunnel) Peer() Peer { return t.peer }

// State is the state of the control connection.
func (t *Tunnel) State() TunnelState { return t.state }

// Drained says whether everything that was sent is acknowledged and nothing
// waits. After [Stopped] it means that the peer knows, and a daemon that is in
// a hurry need not wait for [Finished].
func (t *Tunnel) Drained() bool { return t.d.idle() }

// Stats are the tunnel's numbers as they are now.
func (t *Tunnel) Stats() Stats {
	s := t.stats
	s.Ns, s.Nr = t.d.ns, t.d.nr
	s.SendWindow, s.CWND, s.SSThresh = t.d.window, t.d.cwnd, t.d.ssthresh
	s.Outstanding, s.HeldEarly = len(t.d.sent), len(t.d.early)
	s.Queued = len(t.d.queue) + len(t.d.requests)
	return s
}
