package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Links changes network interfaces of any kind by rtnetlink, in the network
// namespace of the thread that opened it.
type Links struct {
	route    *pool // for questions
	changes  *changes
	removals *removals
	names    descriptor // a socket to look names up with
}

// OpenLinks opens the handle.
func OpenLinks() (l *Links, err error) {
	l = &Links{names: descriptor{closed: true}}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.route, err = newPool(unix.NETLINK_ROUTE); err != nil {
		return nil, err
	}
	if l.changes, err = newChanges(); err != nil {
		return nil, err
	}
	if l.removals, err = newRemovals(); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, opError("open socket", err)
	}
	l.names.fd, l.names.closed = fd, false
	return l, nil
}

// Close closes the handle.
func (l *Links) Close() error {
	if l.route != nil {
		l.route.close()
	}
	if l.changes != nil {
		l.changes.close()
	}
	if l.removals != nil {
		l.removals.close()
	}
	return l.names.Close()
}

// Index returns the index of the interface called name. It does not take the
// RTNL lock, which changes of interfaces contend for.
func (l *Links) Index(name string) (index int, err error) {
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		err = l.names.use(func(fd int) error { return unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr) })
	}
	if err != nil {
		return 0, opError("find interface "+name, err)
	}
	return int(ifr.Uint32()), nil
}

// A Link is a network interface.
type Link struct {
	Index int
	Name  string
	Kind  string // "ppp", "tun", empty for hardware
	MTU   int
	Up    bool
}

// Get returns the interface called name.
func (l *Links) Get(ctx context.Context, name string) (Link, error) {
	index, err := l.Index(name)
	if err != nil {
		return Link{}, err
	}
	got, err := l.route.execute(ctx, linkMessage(unix.RTM_GETLINK, request, index, 0, 0, nil))
	if err == nil && len(got) != 1 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Link{}, opError("get interface "+name, err)
	}
	return parseLink(got[0].Data)
}

// List returns all interfaces.
func (l *Links) List(ctx context.Context) ([]Link, error) {
	got, err := l.route.execute(ctx, linkMessage(unix.RTM_GETLINK, dump, 0, 0, 0, nil))
	if err != nil {
		return nil, opError("list interfaces", err)
	}
	links := make([]Link, 0, len(got))
	for _, m := range got {
		link, err := parseLink(m.Data)
		if err != nil {
			return nil, opError("list interfaces", err)
		}
		links = append(links, link)
	}
	return links, nil
}

func parseLink(b []byte) (l Link, err error) {
	if len(b) < unix.SizeofIfInfomsg {
		return l, unix.EBADMSG
	}
	l.Index = int(int32(binary.NativeEndian.Uint32(b[4:])))
	l.Up = binary.NativeEndian.Uint32(b[8:])&unix.IFF_UP != 0
	err = eachAttribute(b[unix.SizeofIfInfomsg:], func(ad *netlink.AttributeDecoder) {
		switch ad.Type() {
		case unix.IFLA_IFNAME:
			l.Name = ad.String()
		case unix.IFLA_MTU:
			l.MTU = int(uintAttribute(ad))
		case unix.IFLA_LINKINFO:
			ad.Nested(func(ad *netlink.AttributeDecoder) error {
				for ad.Next() {
					if ad.Type() == unix.IFLA_INFO_KIND {
						l.Kind = ad.String()
					}
				}
				return nil
			})
		}
	})
	return l, err
}

// linkMessage returns a message that begins with struct ifinfomsg.
func linkMessage(typ netlink.HeaderType, flags netlink.HeaderFlags, index int,
	set, change uint32, attrs []byte) netlink.Message {
	b := make([]byte, unix.SizeofIfInfomsg, unix.SizeofIfInfomsg+len(attrs))
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], set)
	binary.NativeEndian.PutUint32(b[12:], change)
	return netlink.Message{
		Header: netlink.Header{Type: typ, Flags: flags},
		Data:   append(b, attrs...),
	}
}

// A Change is one change of an interface, its addresses or routes.
type Change struct {
	op      string // what it does, for the error
	m       netlink.Message
	err     error // it could not be built
	mayMiss bool  // deletes: what is gone is fine
	mayBe   bool  // adds: what is there is fine
}

// Apply makes changes in order, in one request, together with what others apply at
// the same time. It goes on after one that fails, and returns all errors.
func (l *Links) Apply(ctx context.Context, changes ...Change) error {
	var errs []error
	var sent []Change
	var ms []netlink.Message
	for _, c := range changes {
		if c.err != nil {
			errs = append(errs, opError(c.op, c.err))
			continue
		}
		sent, ms = append(sent, c), append(ms, c.m)
	}
	err := l.changes.batch(ctx, ms, func(i int, err error) {
		errs = append(errs, sent[i].outcome(err))
	})
	return errors.Join(append(errs, opError("change interfaces", err))...)
}

func (c Change) outcome(err error) error {
	err = opError(c.op, err)
	if err == nil || c.mayMiss && isGone(err) || c.mayBe && errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// SetUp takes an interface up or down.
func SetUp(index int, up bool) Change {
	op, flags := fmt.Sprintf("take interface %d down", index), uint32(0)
	if up {
		op, flags = fmt.Sprintf("take interface %d up", index), unix.IFF_UP
	}
	return Change{op: op, m: linkMessage(unix.RTM_NEWLINK, command, index, flags, unix.IFF_UP, nil)}
}

// SetMTU sets the MTU of an interface.
func SetMTU(index, mtu int) Change {
	attrs := attributes(func(ae *netlink.AttributeEncoder) {
		ae.Uint32(unix.IFLA_MTU, uint32(mtu))
	})
	return Change{
		op: fmt.Sprintf("set MTU %d of interface %d", mtu, index),
		m:  linkMessage(unix.RTM_NEWLINK, command, index, 0, 0, attrs),
	}
}

// Rename gives an interface that is down another name.
func Rename(index int, name string) Change {
	attrs := attributes(func(ae *netlink.AttributeEncoder) { ae.String(unix.IFLA_IFNAME, name) })
	return Change{
		op: fmt.Sprintf("rename interface %d to %s", index, name),
		m:  linkMessage(unix.RTM_NEWLINK, command, index, 0, 0, attrs),
	}
}

// NoLinkLocal keeps the kernel from inventing a link-local address when the
// interface goes up: on a PPP link it is negotiated.
func NoLinkLocal(index int) Change {
	attrs := attributes(func(ae *netlink.AttributeEncoder) {
		ae.Nested(unix.IFLA_AF_SPEC, func(ae *netlink.AttributeEncoder) error {
			ae.Nested(unix.AF_INET6, func(ae *netlink.AttributeEncoder) error {
				const none = 1 // IN6_ADDR_GEN_MODE_NONE
				ae.Uint8(unix.IFLA_INET6_ADDR_GEN_MODE, none)
				return nil
			})
			return nil
		})
	})
	return Change{
		op: fmt.Sprintf("keep interface %d without link-local address of its own", index),
		m:  linkMessage(unix.RTM_NEWLINK, command, index, 0, 0, attrs),
	}
}

// DeleteLink deletes an interface; one that is gone is no error.
func DeleteLink(index int) Change {
	return Change{
		op:      fmt.Sprintf("delete interface %d", index),
		m:       linkMessage(unix.RTM_DELLINK, command, index, 0, 0, nil),
		mayMiss: true,
	}
}
