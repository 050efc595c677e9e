package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"culvert/internal/engine"
)

// addresses are where peers are heard.
func (f *flags) addresses() ([]netip.AddrPort, error) {
	if len(f.listen) == 0 {
		return everywhere(cmp.Or(f.port, engine.UsualPort)), nil
	}
	var addrs []netip.AddrPort
	for _, text := range f.listen {
		addr, err := parseListen(text)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// everywhere is every address of the host, of the families that it has.
func everywhere(port uint16) []netip.AddrPort {
	addrs := []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		addrs = append(addrs, netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	}
	return addrs
}

// parseListen reads ADDR, ADDR:PORT or [ADDR6]:PORT.
func parseListen(text string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(addr, engine.UsualPort), nil
	}
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return addr, nil
	}
	return netip.AddrPort{}, fmt.Errorf("--listen %s: expected an address such as 192.0.2.1, "+
		"192.0.2.1:1701 or [2001:db8::1]:1701", strconv.Quote(text))
}
