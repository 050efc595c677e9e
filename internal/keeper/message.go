package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// version is that of the messages. The keeper says hello with its own, and the
// client decides.
const version = 1

// limits of a message. Linux passes at most 253 descriptors in one.
const (
	maxMessage = 32 << 10
	maxKey     = 255
	maxFDs     = 253
)

// An op is what a message asks for or tells.
type op uint8

// The client says hello, keep, drop and list; the keeper hello, kept, end, dropped
// and full.
const (
	opHello   op = 1 + iota // version
	opKeep                  // one key; with its descriptors
	opDrop                  // sequence, keys
	opList                  // nothing
	opKept                  // keys with how many descriptors each has; with those
	opEnd                   // nothing: the list is complete
	opDropped               // sequence of the opDrop that has been carried out
	opFull                  // nothing: descriptors of an opKeep could not be received
)

// A message is one packet. Which fields it has depends on the op.
type message struct {
	op       op
	version  uint8
	sequence uint32
	keys     []string
	counts   []uint8 // of opKept: how many descriptors each key has
}

// Why a packet is no message.
var (
	errShort  = errors.New("it is too short")
	errLong   = errors.New("bytes are left over")
	errKey    = errors.New("a key is empty")
	errNoKeys = errors.New("it has no keys")
)

// parse reads a message, and keeps no reference to b.
func parse(b []byte) (m message, err error) {
	if len(b) == 0 {
		return m, errShort
	}
	m.op, b = op(b[0]), b[1:]
	switch m.op {
	case opHello:
		if len(b) > 0 {
			m.version, b = b[0], b[1:]
		} else {
			err = errShort
		}
	case opKeep:
		b, err = m.parseKey(b)
	case opDrop:
		if b, err = m.parseSequence(b); err == nil {
			b, err = m.parseKeys(b)
		}
	case opDropped:
		b, err = m.parseSequence(b)
	case opKept:
		b, err = m.parseKeys(b)
	case opList, opEnd, opFull:
	default:
		err = fmt.Errorf("its kind is %d", m.op)
	}
	if err == nil && len(b) > 0 {
		err = errLong
	}
	return m, err
}

func (m *message) parseSequence(b []byte) (rest []byte, err error) {
	if len(b) < 4 {
		return nil, errShort
	}
	m.sequence = binary.BigEndian.Uint32(b)
	return b[4:], nil
}

// parseKeys reads keys to the end, at least one.
func (m *message) parseKeys(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, errNoKeys
	}
	for len(b) > 0 {
		if m.op == opKept {
			m.counts, b = append(m.counts, b[0]), b[1:]
		}
		if b, err = m.parseKey(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (m *message) parseKey(b []byte) (rest []byte, err error) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, errShort
	}
	if b[0] == 0 {
		return nil, errKey
	}
	end := 1 + int(b[0])
	m.keys = append(m.keys, string(b[1:end]))
	return b[end:], nil
}

// append appends the message to b.
func (m message) append(b []byte) []byte {
	b = append(b, byte(m.op))
	switch m.op {
	case opHello:
		b = append(b, m.version)
	case opDrop, opDropped:
		b = binary.BigEndian.AppendUint32(b, m.sequence)
	}
	for i, key := range m.keys {
		if m.op == opKept {
			b = append(b, m.counts[i])
		}
		b = append(b, byte(len(key)))
		b = append(b, key...)
	}
	return b
}
