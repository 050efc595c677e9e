package kernel

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A TUN is a TUN device. It lives as long as one of its queues is open.
//
// The kernel spreads flows over the queues: each wants a reader of its own. A
// packet may be written to any of them.
type TUN struct {
	Name   string
	queues []*os.File
}

// OpenTUN makes a TUN device that does not exist yet, with a number of queues. It is
// down and has neither addresses nor routes.
func OpenTUN(name string, queues int) (*TUN, error) {
	t := &TUN{Name: name}
	for i := range queues {
		f, err := openTUNQueue(name, i == 0)
		if err != nil {
			t.Close()
			return nil, opError("make TUN device "+name, err)
		}
		t.queues = append(t.queues, f)
	}
	return t, nil
}

func openTUNQueue(name string, first bool) (*os.File, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_MULTI_QUEUE)
	if first {
		flags |= unix.IFF_TUN_EXCL // else it would become a queue of somebody else's device
	}
	ifr.SetUint16(flags)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return nil, err
	}
	// Only now, as a queue that is not attached is in error for a poller.
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// Queues returns how many queues there are.
func (t *TUN) Queues() int { return len(t.queues) }

// Read waits for a packet that the host sends into the device. b is to have
// room for the device's MTU. After Close it returns fs.ErrClosed.
func (t *TUN) Read(queue int, b []byte) (int, error) {
	n, err := t.queues[queue].Read(b)
	if err == io.EOF {
		err = unix.EBADFD // what a device that was deleted says
	}
	return n, err
}

// Write has the host receive a packet by the device.
func (t *TUN) Write(queue int, b []byte) error {
	_, err := t.queues[queue].Write(b)
	return err
}

// Close deletes the device, addresses and routes included. Closing it again does nothing.
func (t *TUN) Close() error {
	var errs []error
	for _, q := range t.queues {
		if err := q.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
