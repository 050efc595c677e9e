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

// A Subnet is a network that an interface is on.
type Subnet struct {
	Index    int    // of the interface
	Name     string // of it
	Forwards bool   // the host forwards IPv4 packets that come from there
}

// SubnetOf returns where hosts would look for an IPv4 address by ARP: the network that
// the host's route to it leads to. If there is none the error is fs.ErrNotExist.
func (l *Links) SubnetOf(ctx context.Context, addr netip.Addr) (Subnet, error) {
	op := fmt.Sprintf("find the network of %v", addr)
	r, err := l.RouteTo(ctx, addr)
	switch {
	case errors.Is(err, unix.ENETUNREACH):
		return Subnet{}, opError(op, fs.ErrNotExist)
	case err != nil:
		return Subnet{}, err
	case r.Local || r.Gateway.IsValid() || !addr.Unmap().Is4():
		return Subnet{}, opError(op, fs.ErrNotExist)
	}
	got, err := l.route.execute(ctx, linkMessage(unix.RTM_GETLINK, request, r.Index, 0, 0, nil))
	if err == nil && len(got) != 1 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Subnet{}, opError(op, err)
	}
	s, err := parseSubnet(got[0].Data)
	return s, opError(op, err)
}

// parseSubnet reads an interface. One without ARP is fs.ErrNotExist.
func parseSubnet(link []byte) (s Subnet, err error) {
	if len(link) < unix.SizeofIfInfomsg {
		return s, unix.EBADMSG
	}
	const without = unix.IFF_NOARP | unix.IFF_LOOPBACK | unix.IFF_POINTOPOINT
	flags := binary.NativeEndian.Uint32(link[8:])
	if flags&unix.IFF_BROADCAST == 0 || flags&without != 0 {
		return s, fs.ErrNotExist
	}
	s.Index = int(int32(binary.NativeEndian.Uint32(link[4:])))
	err = eachAttribute(link[unix.SizeofIfInfomsg:], func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.IFLA_IFNAME:
			s.Name = ad.String()
		case unix.IFLA_AF_SPEC:
			ad.Nested(func(families *netlink.AttributeDecoder) error {
				for families.Next() {
					if families.Type() == unix.AF_INET {
						families.Nested(s.settings)
					}
				}
				return nil
			})
		}
	})
	return s, err
}

// settings reads the interface's settings of IPv4: an array, of which the first is
// whether it forwards.
func (s *Subnet) settings(ad *netlink.AttributeDecoder) error {
	for ad.Next() {
		if b := ad.Bytes(); ad.Type() == unix.IFLA_INET_CONF && len(b) >= 4 {
			s.Forwards = binary.NativeEndian.Uint32(b) != 0
		}
	}
	return nil
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
		ae.Uint8(ndaProtocol, protocolOurs)
	})...)
	c.m = netlink.Message{Header: netlink.Header{Type: typ}, Data: b}
	return c
}
