package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// loopback is the index of lo, in every network namespace.
const loopback = 1

// hostLabel marks the addresses of AddHostAddress, so that they can be told from an
// operator's, also by those who look at the output of `ip addr`.
const hostLabel = "lo:l2tp"

// AddHostAddress makes an IPv4 address this host's by giving it to the loopback interface:
// for links whose interfaces have none (Route.Source). An address that lo has
// already is an error that is fs.ErrExist.
func AddHostAddress(addr netip.Addr) Change {
	c := hostAddressChange("add address", unix.RTM_NEWADDR, addr)
	c.m.Header.Flags = create | netlink.Excl
	return c
}

// DeleteHostAddress takes away what AddHostAddress gave, and no other address; one
// that is gone is no error.
func DeleteHostAddress(addr netip.Addr) Change {
	c := hostAddressChange("delete address", unix.RTM_DELADDR, addr)
	c.m.Header.Flags = command
	c.mayMiss = true
	return c
}

func hostAddressChange(what string, typ netlink.HeaderType, addr netip.Addr) Change {
	c := Change{op: fmt.Sprintf("%s %v of this host", what, addr)}
	if addr = addr.Unmap(); !addr.Is4() {
		c.err = unix.EAFNOSUPPORT
		return c
	}
	b := append(addressHeader(addr, loopback), attributes(func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.IFA_LOCAL, addr.AsSlice())
		ae.Bytes(unix.IFA_ADDRESS, addr.AsSlice())
		ae.String(unix.IFA_LABEL, hostLabel)
	})...)
	c.m = netlink.Message{Header: netlink.Header{Type: typ}, Data: b}
	return c
}

// HostAddresses returns the addresses that AddHostAddress gave to this host, whichever
// process did.
func (l *Links) HostAddresses(ctx context.Context) ([]netip.Addr, error) {
	const op = "list addresses of this host"
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[0] = unix.AF_INET
	binary.NativeEndian.PutUint32(b[4:], loopback)
	got, err := l.dump(ctx, unix.RTM_GETADDR, b)
	if err != nil {
		return nil, opError(op, err)
	}
	var addrs []netip.Addr
	for _, m := range got {
		addr, ok, err := parseHostAddress(m.Data)
		if err != nil {
			return nil, opError(op, err)
		}
		if ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// parseHostAddress returns an address, and whether AddHostAddress gave it.
func parseHostAddress(b []byte) (addr netip.Addr, ours bool, err error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return addr, false, unix.EBADMSG
	}
	err = eachAttribute(b[unix.SizeofIfAddrmsg:], func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			addr, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.IFA_LABEL:
			ours = ad.String() == hostLabel
		}
	})
	return addr, ours && addr.Is4(), err
}
