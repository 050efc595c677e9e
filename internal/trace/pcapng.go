package trace

import (
	"encoding/binary"
	"net/netip"
)

// A Writer makes a file in the format pcapng of packets, block by block.
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html
type Writer struct {
	sources map[netip.AddrPort]netip.Addr
}

// The blocks and options that are written.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	magicOrder = 0x1a2b3c4d
	linkRaw    = 101 // packets begin with their IP header

	optEnd          = 0
	optApplication  = 4 // of a section
	optName         = 2 // of an interface
	optResolution   = 9
	optFlags        = 2 // of a packet
	optDropped      = 4
	nanoseconds     = 9 // 10 to the minus 9
	directionIn     = 1
	directionOut    = 2
	blockFrameBytes = 12 // type and length before, length behind
)

// Header returns the blocks at the beginning of a file: a section, and one
// interface that stands for all sockets.
func (w *Writer) Header(application string) []byte {
	var section, iface []byte
	section = binary.LittleEndian.AppendUint32(section, magicOrder)
	section = binary.LittleEndian.AppendUint16(section, 1) // version 1.0
	section = binary.LittleEndian.AppendUint16(section, 0)
	section = binary.LittleEndian.AppendUint64(section, 1<<64-1) // length not known
	section = appendOption(section, optApplication, []byte(application))
	section = appendOption(section, optEnd, nil)

	iface = binary.LittleEndian.AppendUint16(iface, linkRaw)
	iface = binary.LittleEndian.AppendUint16(iface, 0)
	iface = binary.LittleEndian.AppendUint32(iface, 0) // no limit of length
	iface = appendOption(iface, optName, []byte("L2TP control"))
	iface = appendOption(iface, optResolution, []byte{nanoseconds})
	iface = appendOption(iface, optEnd, nil)

	return appendBlock(appendBlock(nil, blockSection, section), blockInterface, iface)
}

// Packet returns the block of a packet.
func (w *Writer) Packet(p Packet) []byte {
	p.settle(w.source)
	ip := p.appendIP(nil)
	ns := uint64(p.Time.UnixNano())
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, 0) // the interface
	b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(ns))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(ip)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(ip)))
	b = pad(append(b, ip...))
	direction := uint32(directionIn)
	if p.Direction == Sent {
		direction = directionOut
	}
	b = appendOption(b, optFlags, binary.LittleEndian.AppendUint32(nil, direction))
	if p.Missed > 0 {
		b = appendOption(b, optDropped, binary.LittleEndian.AppendUint64(nil, p.Missed))
	}
	return appendBlock(nil, blockPacket, appendOption(b, optEnd, nil))
}

// source asks once for each peer.
func (w *Writer) source(peer netip.AddrPort) netip.Addr {
	if found, ok := w.sources[peer]; ok {
		return found
	}
	if w.sources == nil {
		w.sources = make(map[netip.AddrPort]netip.Addr)
	}
	found := sourceFor(peer)
	w.sources[peer] = found
	return found
}

func appendBlock(b []byte, kind uint32, body []byte) []byte {
	n := uint32(blockFrameBytes + len(body))
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = binary.LittleEndian.AppendUint32(b, n)
	b = append(b, body...)
	return binary.LittleEndian.AppendUint32(b, n)
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

// pad fills up to 32 bits.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
