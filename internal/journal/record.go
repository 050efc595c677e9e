package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A Key names a record. A later record with a key replaces those before.
type Key struct {
	Kind            uint8
	Tunnel, Session uint16
}

// Records are the values of the records that there are.
type Records map[Key][]byte

// header begins each file. The number is that of the format, of the records' values too.
const header = "culvert journal %d\n"

// A record is its length (of what follows the checksum), a checksum of that, what to
// do, the key, and the value. Numbers are in network byte order.
const (
	prefixSize = 4 + 4
	bodySize   = 1 + 1 + 2 + 2

	// MaxValue is the most bytes that a value may have. It bounds what a
	// damaged length can make a reader believe.
	MaxValue = 16 << 20
)

const (
	opPut    = 'P'
	opDelete = 'D'
	opEnd    = 'E' // of a flush: what was written with it counts from here on
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends a record to b.
func appendRecord(b []byte, op byte, k Key, value []byte) []byte {
	begin := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(bodySize+len(value)))
	b = append(b, 0, 0, 0, 0)
	b = append(b, op, k.Kind)
	b = binary.BigEndian.AppendUint16(b, k.Tunnel)
	b = binary.BigEndian.AppendUint16(b, k.Session)
	b = append(b, value...)
	sum := crc32.Checksum(b[begin+prefixSize:], castagnoli)
	binary.BigEndian.PutUint32(b[begin+4:], sum)
	return b
}

// errDamaged is the cause of what is read of a file only in part.
var errDamaged = errors.New("damaged")

// parse reads a file into records, and returns the format that it has. An error
// that is errDamaged says that the records behind a place are lost: of a process
// that was killed while it wrote the last one is, which had no effect yet.
func parse(b []byte, into Records) (format int, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if _, err := fmt.Sscanf(string(line)+"\n", header, &format); err != nil || !ok {
		return 0, fmt.Errorf("no header of a journal: %w", errDamaged)
	}
	for len(rest) > 0 {
		flush, after, ok := parseFlush(rest)
		if !ok {
			return format, fmt.Errorf("what was written at byte %d of %d: %w",
				len(b)-len(rest), len(b), errDamaged)
		}
		for _, r := range flush {
			if r.op == opDelete {
				delete(into, r.key)
			} else {
				into[r.key] = r.value
			}
		}
		rest = after
	}
	return format, nil
}

type record struct {
	op    byte
	key   Key
	value []byte
}

// parseFlush reads what was written at once. It counts whole or not at all: a tunnel
// goes with what has become of its sessions.
func parseFlush(b []byte) (flush []record, rest []byte, ok bool) {
	for {
		op, k, value, after, ok := parseRecord(b)
		switch {
		case !ok:
			return nil, b, false
		case op == opEnd:
			return flush, after, true
		}
		flush = append(flush, record{op, k, value})
		b = after
	}
}

func parseRecord(b []byte) (op byte, k Key, value, rest []byte, ok bool) {
	if len(b) < prefixSize {
		return 0, k, nil, nil, false
	}
	size, sum := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	b = b[prefixSize:]
	if size < bodySize || size > bodySize+MaxValue || int(size) > len(b) {
		return 0, k, nil, nil, false
	}
	body, rest := b[:size], b[size:]
	op = body[0]
	if crc32.Checksum(body, castagnoli) != sum || op != opPut && op != opDelete && op != opEnd {
		return 0, k, nil, nil, false
	}
	k = Key{
		Kind:    body[1],
		Tunnel:  binary.BigEndian.Uint16(body[2:]),
		Session: binary.BigEndian.Uint16(body[4:]),
	}
	return op, k, body[bodySize:], rest, true
}
