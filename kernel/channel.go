package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A ChannelSpec names the session that a channel is for.
type ChannelSpec struct {
	Tunnel, PeerTunnel   uint16
	Session, PeerSession uint16
	Peer                 netip.AddrPort // of the tunnel; its family matters
}

// A Channel is the ppp channel of a session: a PPPoL2TP socket and a descriptor
// of /dev/ppp. Before the channel is connected to a unit all frames arrive
// here, afterwards those of protocols from 0xc000 on: LCP and authentication.
//
// FD is the descriptor of /dev/ppp, to be polled.
type Channel struct {
	descriptor
	spec  ChannelSpec
	pppox descriptor
}

// protocolL2TP is PX_PROTO_OL2TP, which x/sys does not have.
const protocolL2TP = 1

// OpenChannel joins ppp to a session that was created before. It waits for a
// grace period on kernels that drain the hand-over of queued packets.
func OpenChannel(s ChannelSpec) (*Channel, error) {
	c, err := openChannel(s)
	return c, opErrorf(err, "open ppp channel of session %d/%d", s.Tunnel, s.Session)
}

func openChannel(s ChannelSpec) (*Channel, error) {
	fd, err := unix.Socket(unix.AF_PPPOX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC,
		protocolL2TP)
	if err != nil {
		return nil, err
	}
	c := &Channel{spec: s, pppox: descriptor{fd: fd}}
	c.descriptor.closed = true
	if err := c.attach(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Channel) attach() error {
	if err := connect(c.pppox.fd, c.spec.sockaddr()); err != nil {
		return err
	}
	index, err := unix.IoctlGetInt(c.pppox.fd, unix.PPPIOCGCHAN)
	if err != nil {
		return err
	}
	fd, err := openPPP()
	if err != nil {
		return err
	}
	c.descriptor.fd, c.descriptor.closed = fd, false
	return unix.IoctlSetPointerInt(fd, unix.PPPIOCATTCHAN, index)
}

// connect is for addresses that x/sys cannot build.
func connect(fd int, sa []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd),
		uintptr(unsafe.Pointer(&sa[0])), uintptr(len(sa)))
	if errno != 0 {
		return errno
	}
	return nil
}

// sockaddr returns struct sockaddr_pppol2tp or, over IPv6, sockaddr_pppol2tpin6,
// both packed. The kernel tells them apart by their length. As the tunnel
// exists, it looks at the four identifiers and at nothing else: fd is -1.
func (s ChannelSpec) sockaddr() []byte {
	native := binary.NativeEndian
	b := native.AppendUint16(nil, unix.AF_PPPOX)
	b = native.AppendUint32(b, protocolL2TP)
	b = native.AppendUint32(b, 0) // pid
	b = native.AppendUint32(b, ^uint32(0))
	v6 := s.Peer.Addr().Unmap().Is6()
	if !v6 {
		b = s.appendPeer4(b)
	}
	for _, id := range []uint16{s.Tunnel, s.Session, s.PeerTunnel, s.PeerSession} {
		b = native.AppendUint16(b, id)
	}
	if v6 {
		b = s.appendPeer6(b)
	}
	return b
}

// appendPeer4 appends struct sockaddr_in.
func (s ChannelSpec) appendPeer4(b []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, unix.AF_INET)
	b = binary.BigEndian.AppendUint16(b, s.Peer.Port())
	var a [4]byte
	if s.Peer.IsValid() {
		a = s.Peer.Addr().Unmap().As4()
	}
	b = append(b, a[:]...)
	return append(b, make([]byte, 8)...)
}

// appendPeer6 appends struct sockaddr_in6.
func (s ChannelSpec) appendPeer6(b []byte) []byte {
	a := s.Peer.Addr().As16()
	b = binary.NativeEndian.AppendUint16(b, unix.AF_INET6)
	b = binary.BigEndian.AppendUint16(b, s.Peer.Port())
	b = append(b, 0, 0, 0, 0) // flow
	b = append(b, a[:]...)
	return append(b, 0, 0, 0, 0) // scope
}

// ReadFrames reads what is queued, at most limit frames, and calls receive for
// each: two bytes of protocol, and what follows. The frame is the receiver's. An
// error that is fs.ErrNotExist means that the session is gone.
func (c *Channel) ReadFrames(scratch []byte, limit int, receive func([]byte)) error {
	return readFrames(&c.descriptor, "read from ppp channel", scratch, limit, receive)
}

// Write sends a frame that begins with two bytes of protocol, past the unit. One
// that cannot leave at once is lost.
func (c *Channel) Write(frame []byte) error {
	return writeFrame(&c.descriptor, "write to ppp channel", frame)
}

// Close closes both descriptors, which ends the session in the kernel. It
// returns when the session is gone.
func (c *Channel) Close() error {
	return opErrorf(errors.Join(c.descriptor.Close(), c.pppox.Close()),
		"close ppp channel of session %d/%d", c.spec.Tunnel, c.spec.Session)
}

func readFrames(d *descriptor, op string, scratch []byte, limit int, receive func([]byte)) error {
	var batch [][]byte
	err := d.use(func(fd int) error {
		for range limit {
			n := 0
			err := retry(func() (err error) { n, err = unix.Read(fd, scratch); return err })
			switch {
			case err == unix.EAGAIN:
				return nil
			case err != nil:
				return err
			case n == 0:
				return unix.ENXIO // end of file: what it belonged to is gone
			}
			batch = append(batch, append([]byte{}, scratch[:n]...))
		}
		return nil
	})
	for _, frame := range batch { // with no lock held: the receiver may answer, or close
		receive(frame)
	}
	return opError(op, err)
}

func writeFrame(d *descriptor, op string, frame []byte) error {
	return opError(op, d.use(func(fd int) error {
		return retry(func() error { _, err := unix.Write(fd, frame); return err })
	}))
}
