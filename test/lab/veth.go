package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var linkIndexes atomic.Int64

func init() { linkIndexes.Store(1000) }

// Veth joins two namespaces by a pair of interfaces with the given names and
// addresses, both up. IPv6 addresses are usable at once (no duplicate
// address detection), and all routes are there that the kernel makes of them. The pair
// goes when either namespace goes.
func Veth(t testing.TB, a *NetNS, aName string, aAddrs []string, b *NetNS, bName string, bAddrs []string) {
	t.Helper()
	// An index that the other end has not: the kernel announces the carrier of a
	// virtual link at once, that of a real one within a second, and takes a link
	// for real whose index is its peer's.
	index := fmt.Sprint(linkIndexes.Add(1))
	a.Run("ip", "link", "add", "index", index, "name", aName, "type", "veth",
		"peer", "name", bName, "netns", b.Name)
	a.addAddresses(aName, aAddrs)
	b.addAddresses(bName, bAddrs)
	a.Run("ip", "link", "set", aName, "up")
	b.Run("ip", "link", "set", bName, "up")
	a.waitRoutes(aName, aAddrs)
	b.waitRoutes(bName, bAddrs)
}

// waitRoutes waits until the routes by an interface are no longer marked as dead, and
// those to its IPv6 addresses are there, which come a while after these.
func (n *NetNS) waitRoutes(dev string, prefixes []string) {
	n.t.Helper()
	Wait(n.t, 10*time.Second, dev+" to have its routes", func() error {
		routes := n.Run("ip", "-4", "route", "show", "dev", dev) +
			n.Run("ip", "-6", "route", "show", "table", "all", "dev", dev)
		if strings.Contains(routes, "linkdown") {
			return errors.New(strings.TrimSpace(routes))
		}
		for _, prefix := range prefixes {
			addr, _, _ := strings.Cut(prefix, "/")
			if strings.Contains(addr, ":") && !strings.Contains(routes, "local "+addr+" ") {
				return fmt.Errorf("%s is not among them:\n%s", addr, routes)
			}
		}
		return nil
	})
}

func (n *NetNS) addAddresses(dev string, prefixes []string) {
	n.t.Helper()
	for _, prefix := range prefixes {
		p, err := netip.ParsePrefix(prefix)
		if err != nil {
			n.t.Fatalf("adding an address to %s: %v", dev, err)
		}
		args := []string{"addr", "add", prefix, "dev", dev}
		if p.Addr().Is6() {
			args = append(args, "nodad")
		}
		n.Run("ip", args...)
	}
}

// Netem has the interface lose, delay, reorder or duplicate what it sends, in
// the words of tc-netem(8). It needs the module sch_netem.
func (n *NetNS) Netem(dev string, args ...string) {
	n.t.Helper()
	n.Run("tc", append([]string{"qdisc", "replace", "dev", dev, "root", "netem"}, args...)...)
}

// Lose has packets lost that come in by an interface, so many of a thousand, chosen at
// random; none for 0. It works where Netem does not.
func (n *NetNS) Lose(dev string, perMille int) {
	n.t.Helper()
	n.Run("nft", "add table inet lossy; delete table inet lossy")
	if perMille == 0 {
		return
	}
	n.Run("nft", "table inet lossy {\nchain in {\ntype filter hook prerouting priority -400\n"+
		fmt.Sprintf("iifname %s numgen random mod 1000 <= %d drop\n}\n}", dev, perMille-1))
}
