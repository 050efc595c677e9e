package kernel

import "time"

// A TunnelSpec is what the kernel must know of a tunnel.
type TunnelSpec struct {
	ID, PeerID uint16
}

// A SessionSpec is what the kernel must know of a session.
type SessionSpec struct {
	Tunnel          uint16
	Session         uint16
	PeerSession     uint16
	LNS             bool // we decide on sequence numbers
	SendSequence    bool
	RequireSequence bool // drop what comes without numbers
	// ReorderTimeout is how long to wait for what is missing. The kernel has no
	// timer for it: it looks at what it holds when the next message comes, and
	// drops what has waited longer.
	ReorderTimeout time.Duration
}

// A TunnelInfo is a tunnel as the kernel has it.
type TunnelInfo struct {
	ID, PeerID uint32
	Version    uint8
	Stats      Stats
}

// A SessionInfo is a session as the kernel has it.
type SessionInfo struct {
	Tunnel, Session, PeerSession uint32
	Pseudowire                   uint16 // PseudowirePPP for ours
	LNS                          bool
	SendSequence                 bool
	RequireSequence              bool
	ReorderTimeout               time.Duration
	Interface                    string
	Stats                        Stats
}

// PseudowirePPP is the type of sessions that carry PPP.
const PseudowirePPP = 7

// Stats are the counters of a tunnel or session: data messages of all
// protocols, PPP's control frames among them.
type Stats struct {
	TxPackets, TxBytes, TxErrors uint64
	RxPackets, RxBytes, RxErrors uint64
	RxSequenceDiscards           uint64 // late, or without the number they need
	RxOutOfSequence              uint64
}
