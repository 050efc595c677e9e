package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// parseStats reads what it understands: counters were added over the years.
func parseStats(b []byte) (s Stats) {
	into := map[uint16]*uint64{
		attrTxPackets:  &s.TxPackets,
		attrTxBytes:    &s.TxBytes,
		attrTxErrors:   &s.TxErrors,
		attrRxPackets:  &s.RxPackets,
		attrRxBytes:    &s.RxBytes,
		attrRxDiscards: &s.RxSequenceDiscards,
		attrRxOutOfSeq: &s.RxOutOfSequence,
		attrRxErrors:   &s.RxErrors,
	}
	eachAttribute(b, func(ad *netlink.AttributeDecoder) {
		if p := into[ad.Type()]; p != nil && len(ad.Bytes()) == 8 {
			*p = ad.Uint64()
		}
	})
	return s
}

// LinkStats are an interface's counters, as `ip -s link` shows them.
type LinkStats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxErrors, TxErrors   uint64
	RxDropped, TxDropped uint64
}

// Stats returns the counters of an interface.
func (l *Links) Stats(ctx context.Context, index int) (LinkStats, error) {
	op := fmt.Sprintf("get counters of interface %d", index)
	got, err := l.route.execute(ctx, statsRequest(index))
	if err == nil && len(got) != 1 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return LinkStats{}, opError(op, err)
	}
	s, err := parseLinkStats(got[0].Data)
	return s, opError(op, err)
}

// sizeIfStats is the size of struct if_stats_msg.
const sizeIfStats = 12

func statsRequest(index int) netlink.Message {
	b := make([]byte, sizeIfStats)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], 1<<(unix.IFLA_STATS_LINK_64-1))
	return netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETSTATS, Flags: request},
		Data:   b,
	}
}

func parseLinkStats(b []byte) (s LinkStats, err error) {
	if len(b) < sizeIfStats {
		return s, unix.EBADMSG
	}
	err = eachAttribute(b[sizeIfStats:], func(ad *netlink.AttributeDecoder) {
		if v := ad.Bytes(); ad.Type() == unix.IFLA_STATS_LINK_64 && len(v) >= 8*8 {
			for i, p := range []*uint64{&s.RxPackets, &s.TxPackets, &s.RxBytes, &s.TxBytes,
				&s.RxErrors, &s.TxErrors, &s.RxDropped, &s.TxDropped} {
				*p = binary.NativeEndian.Uint64(v[8*i:])
			}
		}
	})
	return s, err
}
