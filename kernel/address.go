package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// AddAddress gives an interface the address local of a link whose other end has
// the address peer, and a route to peer. One that is there is replaced.
func AddAddress(index int, local, peer netip.Addr) Change {
	c := addressChange("add address", unix.RTM_NEWADDR, index, local, peer)
	c.m.Header.Flags = create | netlink.Replace
	return c
}

// DeleteAddress takes away what AddAddress gave; one that is gone is no error.
func DeleteAddress(index int, local, peer netip.Addr) Change {
	c := addressChange("delete address", unix.RTM_DELADDR, index, local, peer)
	c.m.Header.Flags = command
	c.mayMiss = true
	return c
}

func addressChange(what string, typ netlink.HeaderType, index int, local, peer netip.Addr) Change {
	c := Change{op: fmt.Sprintf("%s %v peer %v of interface %d", what, local, peer, index)}
	local, peer = local.Unmap().WithZone(""), peer.Unmap().WithZone("")
	if !local.IsValid() || !peer.IsValid() || local.BitLen() != peer.BitLen() {
		c.err = unix.EINVAL
		return c
	}
	b := append(addressHeader(local, index), attributes(func(ae *netlink.AttributeEncoder) {
		ae.Bytes(unix.IFA_LOCAL, local.AsSlice())
		ae.Bytes(unix.IFA_ADDRESS, peer.AsSlice())
	})...)
	c.m = netlink.Message{Header: netlink.Header{Type: typ}, Data: b}
	return c
}

// addressHeader returns struct ifaddrmsg: family, prefix length, flags, scope, index.
// Nobody else can have the address on a point-to-point link: IPv6 does without
// duplicate detection, which would keep it unusable for a second.
func addressHeader(a netip.Addr, index int) []byte {
	b := []byte{family(a), byte(a.BitLen()), unix.IFA_F_NODAD, scope(a)}
	return binary.NativeEndian.AppendUint32(b, uint32(index))
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func scope(a netip.Addr) byte {
	if a.IsLinkLocalUnicast() {
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}
