package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// SubnetOf returns the index of the interface whose subnet has an IPv4 address:
// where hosts would look for it by ARP. If there is none the error is fs.ErrNotExist.
func (l *Links) SubnetOf(ctx context.Context, addr netip.Addr) (index int, err error) {
	op := fmt.Sprintf("find the subnet of %v", addr)
	r, err := l.RouteTo(ctx, addr)
	switch {
	case errors.Is(err, unix.ENETUNREACH):
		return 0, opError(op, fs.ErrNotExist)
	case err != nil:
		return 0, err
	case r.Local || r.Gateway.IsValid() || !addr.Unmap().Is4():
		return 0, opError(op, fs.ErrNotExist)
	}
	got, err := l.route.execute(ctx, linkMessage(unix.RTM_GETLINK, request, r.Index, 0, 0, nil))
	if err != nil {
		return 0, opError(op, err)
	}
	if len(got) != 1 || !doesARP(got[0].Data) {
		return 0, opError(op, fs.ErrNotExist)
	}
	return r.Index, nil
}

// doesARP tells whether hosts behind an interface find each other by ARP.
func doesARP(link []byte) bool {
	if len(link) < unix.SizeofIfInfomsg {
		return false
	}
	const without = unix.IFF_NOARP | unix.IFF_LOOPBACK | unix.IFF_POINTOPOINT
	flags := binary.NativeEndian.Uint32(link[8:])
	return flags&unix.IFF_BROADCAST != 0 && flags&without == 0
}

// AddProxy has an interface answer ARP for an address that is reached by another
// interface. The host must forward packets from the one to the other.
func AddProxy(index int, addr netip.Addr) Change {
	c := proxyChange("answer", unix.RTM_NEWNEIGH, index, addr)
	c.m.Header.Flags = create | netlink.Replace
	return c
}

// DeleteProxy undoes AddProxy; what is gone is no error.
func DeleteProxy(index int, addr netip.Addr) Change {
	c := proxyChange("no longer answer", unix.RTM_DELNEIGH, index, addr)
	c.m.Header.Flags = command
	c.mayMiss = true
	return c
}

func proxyChange(what string, typ netlink.HeaderType, index int, addr netip.Addr) Change {
	c := Change{op: fmt.Sprintf("%s ARP for %v on interface %d", what, addr, index)}
	if addr = addr.Unmap(); !addr.Is4() {
		c.err = unix.EINVAL
		return c
	}
	// struct ndmsg: family, padding, index, state, flags, type.
	b := binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 0, 0, 0}, uint32(index))
	b = binary.NativeEndian.AppendUint16(b, unix.NUD_PERMANENT)
	b = append(b, unix.NTF_PROXY, unix.RTN_UNICAST)
	b = append(b, attributes(func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.NDA_DST, addr.AsSlice())
	})...)
	c.m = netlink.Message{Header: netlink.Header{Type: typ}, Data: b}
	return c
}
