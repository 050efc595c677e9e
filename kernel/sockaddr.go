package kernel

import (
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// sockaddr returns addr in the socket's family; an invalid address is the
// unspecified one.
func (s *Socket) sockaddr(addr netip.AddrPort) (unix.Sockaddr, error) {
	a := addr.Addr().Unmap()
	switch {
	case s.family == unix.AF_INET && !a.IsValid():
		return &unix.SockaddrInet4{Port: int(addr.Port())}, nil
	case s.family == unix.AF_INET && a.Is4():
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: a.As4()}, nil
	case s.family == unix.AF_INET6 && !a.IsValid():
		return &unix.SockaddrInet6{Port: int(addr.Port())}, nil
	case s.family == unix.AF_INET6 && a.Is6():
		zone, err := zoneIndex(a.Zone())
		return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: a.As16(), ZoneId: zone}, err
	}
	return nil, unix.EAFNOSUPPORT
}

// zoneIndex returns the index of the interface that a zone names.
func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 31); err == nil {
		return uint32(n), nil
	}
	ifc, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, unix.ENODEV
	}
	return uint32(ifc.Index), nil
}

// addrPort returns the address of sa, the zero value for what is none. A zone
// is a number: it needs no look-up, and goes into a socket as well as a name.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			a = a.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// packetInfo returns the control message that sends from local.
func (s *Socket) packetInfo(local netip.Addr) []byte {
	local = local.Unmap()
	switch {
	case !local.IsValid() || local.IsUnspecified():
		return nil
	case s.family == unix.AF_INET && local.Is4():
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: local.As4()})
	case s.family == unix.AF_INET6 && local.Is6():
		zone, err := zoneIndex(local.Zone())
		if err != nil {
			return nil
		}
		return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: local.As16(), Ifindex: zone})
	}
	return nil
}

// destination returns the local address that a received control message names.
func destination(oob []byte) netip.Addr {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return netip.Addr{}
		}
		oob = rest
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO &&
			len(data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Spec_dst)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO &&
			len(data) >= unix.SizeofInet6Pktinfo:
			return destination6((*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0])))
		}
	}
	return netip.Addr{}
}

func destination6(info *unix.Inet6Pktinfo) netip.Addr {
	a := netip.AddrFrom16(info.Addr)
	if a.IsLinkLocalUnicast() {
		a = a.WithZone(strconv.FormatUint(uint64(info.Ifindex), 10))
	}
	return a
}
