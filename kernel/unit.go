package kernel

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Unit is a ppp unit: a network interface and a descriptor of /dev/ppp, on
// which frames of network control protocols are read and written. FD is to be polled.
//
// Its network protocols are closed until Pass opens them.
type Unit struct {
	descriptor
	name   string
	index  int
	number int
	made   time.Time
	// adopted: the unit is older than made, which is when this process got it.
	adopted bool

	links   *Links // takes the interface away; nil: the descriptor does
	closing atomic.Bool
}

// A NetworkProtocol is the PPP protocol number of a network layer.
type NetworkProtocol uint16

// Network protocols that a unit can pass.
const (
	IPv4 NetworkProtocol = 0x0021
	IPv6 NetworkProtocol = 0x0057
)

// CreateUnit makes a unit whose interface is called name, with the MTU given, down.
// A name in use is an error that is fs.ErrExist.
func (k *Kernel) CreateUnit(ctx context.Context, name string, mtu int) (*Unit, error) {
	op := "create ppp interface " + name
	if len(name) == 0 || len(name) >= unix.IFNAMSIZ {
		return nil, opError(op+" (a name has 1 to 15 bytes)", unix.EINVAL)
	}
	fd, err := openPPP()
	if err != nil {
		return nil, err
	}
	u := &Unit{descriptor: descriptor{fd: fd}, name: name, made: time.Now(), links: k.Links}
	if err := u.create(ctx, k, mtu); err != nil {
		u.Close()
		return nil, opError(op, err)
	}
	return u, nil
}

func (u *Unit) create(ctx context.Context, k *Kernel, mtu int) error {
	err := u.createByName(ctx, k, mtu)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = u.createByNumber(ctx, k, mtu)
	}
	if err != nil {
		return err
	}
	if u.number, err = unix.IoctlGetInt(u.fd, unix.PPPIOCGUNIT); err != nil {
		return err
	}
	if u.index, err = k.Index(u.name); err != nil {
		return err
	}
	for _, p := range []NetworkProtocol{IPv4, IPv6} { // a new unit passes everything
		if err := u.Pass(p, false); err != nil {
			return err
		}
	}
	return nil
}

// createByName asks again while the kernel is busy: it holds the RTNL lock and
// only tries for the mutex of ppp, which any ioctl of /dev/ppp holds for a moment.
// With hundreds of workers that was one request in a hundred (docs/performance.md):
// to keep ioctls away meanwhile would cost them the whole wait for RTNL.
func (u *Unit) createByName(ctx context.Context, k *Kernel, mtu int) error {
	m := newPPPLink(u.name, mtu, u.fd)
	for wait := 100 * time.Microsecond; ; wait *= 2 {
		err := k.changes.execute(ctx, m)
		if !errors.Is(err, unix.EBUSY) || wait > time.Second {
			return err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// newPPPLink asks for an interface of kind ppp on an open /dev/ppp. It is born
// with our name: renaming takes another turn of RTNL, and the kernel's own
// numbering ends at 32,768 names.
func newPPPLink(name string, mtu, fd int) netlink.Message {
	attrs := attributes(func(ae *netlink.AttributeEncoder) {
		ae.String(unix.IFLA_IFNAME, name)
		ae.Uint32(unix.IFLA_MTU, uint32(mtu))
		ae.Nested(unix.IFLA_LINKINFO, func(ae *netlink.AttributeEncoder) error {
			ae.String(unix.IFLA_INFO_KIND, "ppp")
			ae.Nested(unix.IFLA_INFO_DATA, func(ae *netlink.AttributeEncoder) error {
				ae.Int32(unix.IFLA_PPP_DEV_FD, int32(fd))
				return nil
			})
			return nil
		})
	})
	return linkMessage(unix.RTM_NEWLINK, create|netlink.Excl, 0, 0, 0, attrs)
}

// createByNumber is for kernels before 4.7, and for those that refuse: the
// kernel names the interface, and we rename it.
func (u *Unit) createByNumber(ctx context.Context, k *Kernel, mtu int) error {
	number := int32(-1) // any
	if err := ioctl(u.fd, unix.PPPIOCNEWUNIT, unsafe.Pointer(&number)); err != nil {
		return err
	}
	index, err := k.Index("ppp" + strconv.Itoa(int(number)))
	if err != nil {
		return err
	}
	return k.Apply(ctx, Rename(index, u.name), SetMTU(index, mtu))
}

func ioctl(fd int, req uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}

// Name returns the interface's name.
func (u *Unit) Name() string { return u.name }

// Index returns the interface's index.
func (u *Unit) Index() int { return u.index }

// Connect joins a channel to the unit: frames of network protocols flow.
func (u *Unit) Connect(c *Channel) error {
	return opError("connect ppp interface "+u.name, c.use(func(fd int) error {
		return unix.IoctlSetPointerInt(fd, unix.PPPIOCCONNECT, u.number)
	}))
}

// Disconnect takes the channel from its unit: nothing flows any more.
func (c *Channel) Disconnect() error {
	return opError("disconnect ppp channel", c.use(func(fd int) error {
		return unix.IoctlSetInt(fd, unix.PPPIOCDISCONN, 0)
	}))
}

// SetMRU tells the unit how long a frame the peer may send.
func (u *Unit) SetMRU(mru int) error {
	err := u.use(func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.PPPIOCSMRU, mru) })
	return opErrorf(err, "set MRU %d of %s", mru, u.name)
}

// Pass opens a network protocol for data in both directions, or closes it: then
// its packets are dropped. It takes effect at once.
func (u *Unit) Pass(p NetworkProtocol, open bool) error {
	const pass, drop = 0, 1 // enum NPmode
	arg := struct{ protocol, mode int32 }{int32(p), drop}
	if open {
		arg.mode = pass
	}
	err := u.use(func(fd int) error { return ioctl(fd, unix.PPPIOCSNPMODE, unsafe.Pointer(&arg)) })
	return opErrorf(err, "set mode of protocol %#04x of %s", uint16(p), u.name)
}

// Idle returns for how long no network packet has gone either way, in whole
// seconds; if none ever has, how old the unit is (to this process): the kernel
// counts from the start of its clock then, which is long before the machine's.
func (u *Unit) Idle() (time.Duration, error) {
	var idle struct{ sent, received int64 }
	err := u.use(func(fd int) error { return ioctl(fd, unix.PPPIOCGIDLE64, unsafe.Pointer(&idle)) })
	if err != nil {
		return 0, opError("ask how long "+u.name+" has been idle", err)
	}
	age := time.Since(u.made)
	limit := age
	if u.adopted {
		limit = uptime()
	}
	if d := time.Duration(min(idle.sent, idle.received)) * time.Second; d >= 0 && d < limit {
		return d, nil
	}
	return age, nil
}

// uptime is how long the machine has been running, without the time that it slept.
func uptime() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// ReadFrames is like Channel.ReadFrames; fs.ErrNotExist means that the interface
// is gone.
func (u *Unit) ReadFrames(scratch []byte, limit int, receive func([]byte)) error {
	return readFrames(&u.descriptor, "read from "+u.name, scratch, limit, receive)
}

// Write sends a frame of a network control protocol.
func (u *Unit) Write(frame []byte) error {
	return writeFrame(&u.descriptor, "write to "+u.name, frame)
}

// Close removes the interface with its addresses and routes, and returns when
// it is gone. Of units that are closed at the same time many go at once.
func (u *Unit) Close() error {
	op := "remove ppp interface " + u.name
	if u.links == nil || u.index == 0 { // it never became one of ours
		return opError(op, u.descriptor.Close())
	}
	if u.closing.Swap(true) {
		return nil
	}
	one := &removal{index: u.index, close: u.descriptor.Close}
	u.links.removals.do(one)
	return opError(op, one.err)
}

// Leave closes the descriptor and leaves the interface to those who have another one.
func (u *Unit) Leave() error {
	return opError("leave ppp interface "+u.name, u.descriptor.Close())
}
