package kernel

import (
	"context"
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An Address is an address of a point-to-point interface, and its peer's.
type Address struct{ Local, Peer netip.Addr }

// Addresses returns the addresses of an interface.
func (l *Links) Addresses(ctx context.Context, index int) ([]Address, error) {
	b := make([]byte, unix.SizeofIfAddrmsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	got, err := l.dump(ctx, unix.RTM_GETADDR, b)
	if err != nil {
		return nil, opError("list addresses", err)
	}
	var all []Address
	for _, m := range got {
		a, of, err := parseAddress(m.Data)
		if err != nil {
			return nil, opError("list addresses", err)
		}
		if of == index { // kernels before 4.20 return all
			all = append(all, a)
		}
	}
	return all, nil
}

// dump sends a request for all of a kind, of which b is the filter.
func (l *Links) dump(ctx context.Context, typ netlink.HeaderType, b []byte) ([]netlink.Message, error) {
	return l.route.execute(ctx, netlink.Message{Header: netlink.Header{Type: typ, Flags: dump}, Data: b})
}

// parseAddress reads struct ifaddrmsg and what follows. IPv6 has one attribute where
// there is no peer.
func parseAddress(b []byte) (a Address, index int, err error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return a, 0, unix.EBADMSG
	}
	index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	err = eachAttribute(b[unix.SizeofIfAddrmsg:], func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.IFA_LOCAL:
			a.Local, _ = netip.AddrFromSlice(ad.Bytes())
		case unix.IFA_ADDRESS:
			a.Peer, _ = netip.AddrFromSlice(ad.Bytes())
		}
	})
	if !a.Local.IsValid() {
		a.Local = a.Peer
	}
	return a, index, err
}

// OurRoutes returns the routes of the main table that AddRoute has added, whoever called it.
func (l *Links) OurRoutes(ctx context.Context) ([]Route, error) {
	var all []Route
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		b := make([]byte, unix.SizeofRtMsg)
		b[0], b[5] = family, protocolOurs
		got, err := l.dump(ctx, unix.RTM_GETROUTE, b)
		if err != nil {
			return nil, opError("list routes", err)
		}
		for _, m := range got {
			r, err := parseRoute(m.Data)
			if err != nil {
				return nil, opError("list routes", err)
			}
			// Kernels before 4.20 return all.
			if m.Data[0] == family && m.Data[4] == unix.RT_TABLE_MAIN && m.Data[5] == protocolOurs {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// A Proxy is an address that an interface answers ARP for.
type Proxy struct {
	Index int // of the interface
	Addr  netip.Addr
}

// OurProxies returns the addresses that AddProxy has added, whoever called it.
func (l *Links) OurProxies(ctx context.Context) ([]Proxy, error) {
	b := make([]byte, unix.SizeofNdMsg)
	b[0], b[10] = unix.AF_INET, unix.NTF_PROXY
	got, err := l.dump(ctx, unix.RTM_GETNEIGH, b)
	if err != nil {
		return nil, opError("list addresses that ARP is answered for", err)
	}
	var all []Proxy
	for _, m := range got {
		p, ours, err := parseProxy(m.Data)
		if err != nil {
			return nil, opError("list addresses that ARP is answered for", err)
		}
		if ours {
			all = append(all, p)
		}
	}
	return all, nil
}

// parseProxy reads struct ndmsg and what follows.
func parseProxy(b []byte) (p Proxy, ours bool, err error) {
	if len(b) < unix.SizeofNdMsg {
		return p, false, unix.EBADMSG
	}
	p.Index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	err = eachAttribute(b[unix.SizeofNdMsg:], func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.NDA_DST:
			p.Addr, _ = netip.AddrFromSlice(ad.Bytes())
		case ndaProtocol:
			ours = uintAttribute(ad) == protocolOurs
		}
	})
	return p, ours && b[10]&unix.NTF_PROXY != 0, err
}

// ndaProtocol is NDA_PROTOCOL, which x/sys does not have.
const ndaProtocol = 12
