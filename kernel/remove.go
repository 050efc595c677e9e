package kernel

import (
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// removals takes ppp interfaces away, many at a time.
//
// An interface that goes alone keeps the RTNL lock for two grace periods, while nobody
// can set anything up; those that go by one command share them. Such a command names
// a group of interfaces, so that what is to go is moved to a group first.
type removals struct {
	conn *netlink.Conn
	combiner[*removal]
}

type removal struct {
	index int
	close func() error // of the descriptor
	err   error
}

// maxRemoved is how many interfaces go at a time. Each adds to how long the RTNL lock
// is held: some 20 us of work.
const maxRemoved = 128

// removedGroup is the group of interfaces that are about to go: the letters L2TP.
const removedGroup = 0x4c325450

func newRemovals() (*removals, error) {
	conn, err := dialRoute()
	if err != nil {
		return nil, err
	}
	r := &removals{conn: conn}
	r.limit, r.serve = maxRemoved, r.remove
	r.weight = func(*removal) int { return 1 }
	return r, nil
}

// remove carries out a round. What of it fails is no error: to close the descriptors
// takes the interfaces away too, one by one. They are closed here, one after the
// other, since that takes the RTNL lock as well.
func (r *removals) remove(round []*removal) {
	ms := make([]netlink.Message, 0, len(round)+1)
	for _, one := range round {
		ms = append(ms, setGroup(one.index, removedGroup))
	}
	err := exchange(r.conn, append(ms, deleteGroup(removedGroup)), func(int, error) {})
	if mayBeAnswers(err) {
		drain(r.conn)
	}
	for _, one := range round {
		one.err = one.close()
	}
}

func (r *removals) close() { r.conn.Close() }

func setGroup(index int, group uint32) netlink.Message {
	attrs := attributes(func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_GROUP, group) })
	return linkMessage(unix.RTM_NEWLINK, command, index, 0, 0, attrs)
}

func deleteGroup(group uint32) netlink.Message {
	attrs := attributes(func(ae *netlink.AttributeEncoder) { ae.Uint32(unix.IFLA_GROUP, group) })
	return linkMessage(unix.RTM_DELLINK, command, 0, 0, 0, attrs)
}
