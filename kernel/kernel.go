package kernel

import (
	"context"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Kernel is the handle to l2tp and ppp of the kernel, in the network
// namespace of the thread that opened it.
//
// Its methods may be called from any number of goroutines. They block while the
// kernel works or waits; a context ends the wait for a free netlink socket, not
// what the kernel has begun.
type Kernel struct {
	*Links
	l2tp   *pool
	family genetlink.Family
}

// Open loads the modules that are needed and missing, if that is permitted,
// and opens the handle. The error for a missing module names it (see Probe).
func Open() (*Kernel, error) {
	for _, f := range Probe() {
		if !f.OK {
			return nil, &OpError{Op: "open kernel data plane", Err: &MissingError{f}}
		}
	}
	l2tp, err := newPool(genetlink.Protocol)
	if err != nil {
		return nil, err
	}
	family, err := lookupFamily(l2tp)
	if err != nil {
		l2tp.close()
		return nil, opError("find generic netlink family l2tp", err)
	}
	links, err := OpenLinks()
	if err != nil {
		l2tp.close()
		return nil, err
	}
	return &Kernel{Links: links, l2tp: l2tp, family: family}, nil
}

func lookupFamily(p *pool) (f genetlink.Family, err error) {
	err = p.do(context.Background(), func(c *netlink.Conn) error {
		f, err = genetlink.NewConn(c).GetFamily("l2tp")
		return err
	})
	return f, err
}

// Close closes the handle. Tunnels, sessions and units stay: they belong to
// their descriptors.
func (k *Kernel) Close() error {
	k.l2tp.close()
	return k.Links.Close()
}

// genl sends one command to l2tp and returns the attributes of each answer.
func (k *Kernel) genl(ctx context.Context, cmd uint8, flags netlink.HeaderFlags,
	attrs func(*netlink.AttributeEncoder)) (got [][]byte, err error) {
	m := genetlink.Message{
		Header: genetlink.Header{Command: cmd, Version: k.family.Version},
		Data:   attributes(attrs),
	}
	err = k.l2tp.do(ctx, func(c *netlink.Conn) error {
		ms, err := genetlink.NewConn(c).Execute(m, k.family.ID, flags)
		for _, m := range ms {
			got = append(got, m.Data)
		}
		return err
	})
	return got, err
}

// openPPP opens /dev/ppp once more: each channel and each unit has its own.
func openPPP() (int, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(pppDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, opError("open "+pppDevice, err)
}
