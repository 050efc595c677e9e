package ppp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
)

// An option is one Configuration Option (RFC 1661, 6): a type and a value.
type option struct {
	kind  uint8
	value []byte // a part of the list
}

const optionHeader = 2 // type, length

var errBadOption = errors.New("parsing options: an option's length is not in the list")

// options goes through a list of options. It ends at the first error.
func options(b []byte) iter.Seq2[option, error] {
	return func(yield func(option, error) bool) {
		for len(b) > 0 {
			o, rest, err := cutOption(b)
			if !yield(o, err) || err != nil {
				return
			}
			b = rest
		}
	}
}

func cutOption(b []byte) (o option, rest []byte, err error) {
	if len(b) < optionHeader {
		return option{}, nil, errBadOption
	}
	n := int(b[1])
	if n < optionHeader || n > len(b) {
		return option{}, nil, errBadOption
	}
	return option{kind: b[0], value: b[optionHeader:n]}, b[n:], nil
}

// wellFormed tells whether a list can be gone through to its end.
func wellFormed(b []byte) bool {
	for _, err := range options(b) {
		if err != nil {
			return false
		}
	}
	return true
}

// isPart tells whether all options of part are in whole, unchanged and in order.
func isPart(part, whole []byte) bool {
	for o, err := range options(part) {
		if err != nil {
			return false
		}
		for found := false; !found; {
			w, rest, err := cutOption(whole)
			if err != nil {
				return false
			}
			found, whole = w.kind == o.kind && bytes.Equal(w.value, o.value), rest
		}
	}
	return true
}

func appendOption(b []byte, kind uint8, value []byte) []byte {
	return append(append(b, kind, byte(optionHeader+len(value))), value...)
}

func appendOption16(b []byte, kind uint8, v uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, kind, optionHeader+2), v)
}

func appendOption32(b []byte, kind uint8, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, kind, optionHeader+4), v)
}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
