package trace

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"time"

	"culvert/internal/schema"
	"culvert/l2tp"
)

// A kind says what a record's data is.
type kind uint8

const (
	kindBegin   kind = iota // name, counted by its first byte, and words
	kindMessage             // a control message; aux: direction, auxAgain
	kindFrame               // a PPP frame; aux: direction
	kindState               // from, to, words; aux: Machine
	kindEvent               // words; aux: index of the flag
)

// Of aux in messages and frames.
const (
	auxDirection = 1
	auxAgain     = 2
)

// A record is one thing that happened.
type record struct {
	time    time.Time
	tunnel  l2tp.TunnelID
	session l2tp.SessionID
	kind    kind
	aux     uint8
	data    []byte
}

func flagIndex(f schema.TraceFlags) uint8 { return uint8(bits.TrailingZeros32(uint32(f))) }

// flag is the flag that the record belongs to.
func (r *record) flag() schema.TraceFlags {
	switch r.kind {
	case kindMessage:
		return schema.TraceProtocol
	case kindFrame:
		return schema.TracePPPControl
	case kindEvent:
		return 1 << r.aux
	}
	return schema.TraceFSM
}

// A ring keeps the last records. They lie in chunks, one behind the other; when
// there is no more room the oldest chunk is emptied.
type ring struct {
	mu     sync.Mutex
	chunks [][]byte // the oldest first
	gone   int      // chunks that were emptied for new ones
	size   int      // of a chunk
}

const (
	chunksPerRing = 16
	headerSize    = 16
)

func newRing(size int) *ring { return &ring{size: max(size/chunksPerRing, 4<<10)} }

// maxData is the longest data of a record: what is longer is cut off.
func (r *ring) maxData() int { return min(r.size/4, 4096) - headerSize }

// add appends a record, whose data it copies.
func (r *ring) add(rec record) {
	data := rec.data[:min(len(rec.data), r.maxData())]
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.room(headerSize + len(data))
	b := *last
	b = binary.LittleEndian.AppendUint64(b, uint64(rec.time.UnixNano()))
	b = binary.LittleEndian.AppendUint16(b, uint16(rec.tunnel))
	b = binary.LittleEndian.AppendUint16(b, uint16(rec.session))
	b = append(b, byte(rec.kind), rec.aux)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(data)))
	*last = append(b, data...)
}

// room returns a chunk that has room for n bytes.
func (r *ring) room(n int) *[]byte {
	if i := len(r.chunks) - 1; i >= 0 && len(r.chunks[i])+n <= r.size {
		return &r.chunks[i]
	}
	if len(r.chunks) < chunksPerRing {
		r.chunks = append(r.chunks, make([]byte, 0, r.size))
	} else {
		oldest := r.chunks[0][:0]
		copy(r.chunks, r.chunks[1:])
		r.chunks[len(r.chunks)-1] = oldest
		r.gone++
	}
	return &r.chunks[len(r.chunks)-1]
}

// each calls f for every record, the oldest first. The data is overwritten
// afterwards: f copies what it keeps. Who adds records meanwhile waits for no more
// than a chunk to be copied.
func (r *ring) each(f func(rec record)) {
	var b []byte
	for n := 0; ; n++ {
		var ok bool
		if b, n, ok = r.chunk(b, n); !ok {
			return
		}
		for rest := b; len(rest) > 0; {
			var rec record
			rec, rest = parseRecord(rest)
			f(rec)
		}
	}
}

// chunk copies the n-th chunk since the beginning into b, or the first after it
// that is still there, and says which that is.
func (r *ring) chunk(b []byte, n int) ([]byte, int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = max(n, r.gone)
	if n-r.gone >= len(r.chunks) {
		return b, n, false
	}
	return append(b[:0], r.chunks[n-r.gone]...), n, true
}

// parseRecord reads the first record of a chunk.
func parseRecord(b []byte) (rec record, rest []byte) {
	n := headerSize + int(binary.LittleEndian.Uint16(b[14:]))
	return record{
		time:    time.Unix(0, int64(binary.LittleEndian.Uint64(b))),
		tunnel:  l2tp.TunnelID(binary.LittleEndian.Uint16(b[8:])),
		session: l2tp.SessionID(binary.LittleEndian.Uint16(b[10:])),
		kind:    kind(b[12]),
		aux:     b[13],
		data:    b[headerSize:n:n],
	}, b[n:]
}
