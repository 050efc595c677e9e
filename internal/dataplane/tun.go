package dataplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"

	"culvert/kernel"
)

// TUNOptions are the options of NewTUN. The zero value is the usual.
type TUNOptions struct {
	Name   string // of the device; empty: culvert0
	Queues int    // 0: GOMAXPROCS
}

// NewTUN opens a data plane with one TUN device for all sessions. The device lives
// until Close; an Inventory has it while a session has a link.
//
// Sessions with one device cannot have one routing table's entry each lead to its
// own interface, so that this package repeats the decision for each packet; see
// [tunNetwork.find]. In return it checks where a peer's packets come from,
// for IPv4 and IPv6, as strict rp_filter does for IPv4: the source must be the
// peer's address or in the session's routes. On the default route all is allowed.
func NewTUN(h Handler, opts TUNOptions) (Dataplane, error) {
	u, err := newUserspace("tun", h)
	if err != nil {
		return nil, err
	}
	name := cmp.Or(opts.Name, "culvert0")
	n, err := openTUN(name, cmp.Or(opts.Queues, runtime.GOMAXPROCS(0)))
	if err != nil {
		u.closePollers()
		return nil, fmt.Errorf("open data plane tun: %w", err)
	}
	u.network = n
	for queue := range n.device.Queues() {
		n.readers.Go(func() { n.run(u, queue) })
	}
	return u, nil
}

// A tunNetwork is the network of tun.
type tunNetwork struct {
	device *kernel.TUN
	index  int
	links  *kernel.Links

	readers  sync.WaitGroup
	unrouted atomic.Uint64 // packets from the host that no session takes
	ended    atomic.Bool   // the device is gone, by close or otherwise

	lookup  lookup
	setup   tunSetup
	pins    pins
	proxies proxies
}

// A lookup is what packets are steered by. Readers take no lock: writers, one
// at a time, replace what has changed.
type lookup struct {
	peers    atomic.Pointer[sessionTable] // peers' addresses and routes to them
	locals   atomic.Pointer[sessionTable] // our addresses
	defaults atomic.Pointer[sessionTable] // routes to everywhere
}

// A sessionTable has all sessions with a prefix, the first to have it first.
type sessionTable = bart.Table[[]*userSession]

func openTUN(name string, queues int) (*tunNetwork, error) {
	links, err := kernel.OpenLinks()
	if err != nil {
		return nil, err
	}
	device, err := kernel.OpenTUN(name, queues)
	if err != nil {
		links.Close()
		return nil, err
	}
	n := &tunNetwork{
		device: device, links: links, setup: newTUNSetup(), pins: pins{links: links},
		proxies: proxies{links: links},
	}
	n.lookup.peers.Store(new(sessionTable))
	n.lookup.locals.Store(new(sessionTable))
	n.lookup.defaults.Store(new(sessionTable))
	if err := n.start(name); err != nil {
		device.Close()
		links.Close()
		return nil, err
	}
	return n, nil
}

// start takes the new device up.
func (n *tunNetwork) start(name string) (err error) {
	if n.index, err = n.links.Index(name); err != nil {
		return err
	}
	ctx := context.Background()
	// A host without IPv6 refuses this, and does not need it.
	_ = n.links.Apply(ctx, kernel.NoLinkLocal(n.index))
	return n.links.Apply(ctx, kernel.SetMTU(n.index, defaultMTU), kernel.SetUp(n.index, true))
}

// run reads from one queue until the device is closed. If it was deleted by
// somebody else, that took all sessions.
func (n *tunNetwork) run(u *userspace, queue int) {
	err := n.read(queue)
	if n.ended.Swap(true) {
		return
	}
	cause := fmt.Errorf("read from TUN device %s: %w", n.device.Name, err)
	for _, s := range u.all() {
		if s.link.Load() != nil {
			u.handler.SessionLost(s.key, cause)
		}
	}
}

// sweep removes pins and proxies of a process that died: the rest went with its device.
func (n *tunNetwork) sweep(ctx context.Context) error {
	own := func() map[int]bool { return map[int]bool{n.index: true} }
	return errors.Join(n.pins.sweep(ctx, own), n.proxies.sweep(ctx))
}

// interfaces names the device if any session uses it.
func (n *tunNetwork) interfaces(links []string) []string {
	if len(links) == 0 {
		return nil
	}
	return []string{n.device.Name}
}

// name is that of the device, which all links share.
func (n *tunNetwork) name(string) string { return n.device.Name }

// close deletes the device and waits for its readers.
func (n *tunNetwork) close() error {
	n.ended.Store(true)
	err := n.device.Close()
	n.readers.Wait()
	return errors.Join(err, n.links.Close())
}
