package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Route is a route of the main table.
type Route struct {
	Prefix  netip.Prefix
	Index   int        // of the interface
	Gateway netip.Addr // invalid: the peer itself
	Source  netip.Addr // preferred; invalid: chosen
	Metric  uint32
	Local   bool // of RouteTo: the address is this host's
}

// protocolOurs marks our routes, so that an operator can tell them apart.
const protocolOurs = 76

// AddRoute adds a route ahead of others to the same prefix, which stay and
// serve again when ours is deleted. One that is there is no error.
func AddRoute(r Route) Change {
	c := routeChange("add", unix.RTM_NEWROUTE, r)
	c.m.Header.Flags = create
	c.mayBe = true
	return c
}

// DeleteRoute deletes a route; one that is gone is no error.
func DeleteRoute(r Route) Change {
	c := routeChange("delete", unix.RTM_DELROUTE, r)
	c.m.Header.Flags = command
	c.mayMiss = true
	return c
}

func routeChange(what string, typ netlink.HeaderType, r Route) Change {
	c := Change{op: fmt.Sprintf("%s route %v of interface %d", what, r.Prefix, r.Index)}
	if !r.Prefix.IsValid() || r.Gateway.IsValid() && r.Gateway.Is4() != r.Prefix.Addr().Is4() {
		c.err = unix.EINVAL
		return c
	}
	dst := r.Prefix.Masked()
	m := routeHeader(dst)
	m[4], m[5], m[6], m[7] = unix.RT_TABLE_MAIN, protocolOurs, r.scope(), unix.RTN_UNICAST
	m = append(m, attributes(func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.RTA_DST, dst.Addr().AsSlice())
		ae.Uint32(unix.RTA_OIF, uint32(r.Index))
		if r.Gateway.IsValid() {
			ae.Bytes(unix.RTA_GATEWAY, r.Gateway.WithZone("").AsSlice())
		}
		if r.Source.IsValid() {
			ae.Bytes(unix.RTA_PREFSRC, r.Source.AsSlice())
		}
		if r.Metric != 0 {
			ae.Uint32(unix.RTA_PRIORITY, r.Metric)
		}
	})...)
	c.m = netlink.Message{Header: netlink.Header{Type: typ}, Data: m}
	return c
}

func (r Route) scope() byte {
	if r.Gateway.IsValid() || r.Prefix.Addr().Is6() {
		return unix.RT_SCOPE_UNIVERSE
	}
	return unix.RT_SCOPE_LINK
}

// routeHeader returns struct rtmsg: family, lengths of prefix and source
// prefix, TOS, table, protocol, scope, type, flags.
func routeHeader(dst netip.Prefix) []byte {
	b := make([]byte, unix.SizeofRtMsg)
	b[0], b[1] = family(dst.Addr()), byte(dst.Bits())
	return b
}

// RouteTo returns how packets to addr go now: a route to that address alone.
func (l *Links) RouteTo(ctx context.Context, addr netip.Addr) (Route, error) {
	addr = addr.Unmap()
	op := fmt.Sprintf("look up the route to %v", addr)
	if !addr.IsValid() {
		return Route{}, opError(op, unix.EINVAL)
	}
	dst := netip.PrefixFrom(addr.WithZone(""), addr.BitLen())
	b := append(routeHeader(dst), attributes(func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.RTA_DST, dst.Addr().AsSlice())
	})...)
	got, err := l.route.execute(ctx, netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: request},
		Data:   b,
	})
	if err == nil && len(got) != 1 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Route{}, opError(op, err)
	}
	r, err := parseRoute(got[0].Data)
	r.Prefix, r.Metric = dst, 0
	return r, opError(op, err)
}

func parseRoute(b []byte) (r Route, err error) {
	if len(b) < unix.SizeofRtMsg {
		return r, unix.EBADMSG
	}
	r.Local = b[7] == unix.RTN_LOCAL
	var dst netip.Addr
	err = eachAttribute(b[unix.SizeofRtMsg:], func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_PRIORITY:
			r.Metric = uint32(uintAttribute(ad))
		case unix.RTA_OIF:
			r.Index = int(uintAttribute(ad))
		case unix.RTA_GATEWAY:
			r.Gateway, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_PREFSRC:
			r.Source, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.RTA_VIA:
			r.Gateway = via(binary.NativeEndian.Uint16(append(ad.Bytes(), 0, 0)), ad.Bytes())
		}
	})
	if !dst.IsValid() { // a default route
		dst = netip.IPv4Unspecified()
		if b[0] == unix.AF_INET6 {
			dst = netip.IPv6Unspecified()
		}
	}
	r.Prefix = netip.PrefixFrom(dst, int(b[1]))
	return r, err
}

// via reads struct rtvia. A gateway of the other family is not supported: the
// caller gets a route without, and the kernel's error when it adds it.
func via(family uint16, b []byte) netip.Addr {
	if family == unix.AF_INET && len(b) == 6 || family == unix.AF_INET6 && len(b) == 18 {
		a, _ := netip.AddrFromSlice(b[2:])
		return a
	}
	return netip.Addr{}
}
