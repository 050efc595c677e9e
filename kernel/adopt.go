package kernel

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// AdoptUDP returns the socket of a descriptor that an earlier process had from
// ListenUDP or DialUDP. peer is whom an unconnected one sends to, if to anybody;
// TooLarge of DialOptions is the new process's. With an error the descriptor stays
// the caller's.
func AdoptUDP(fd int, peer netip.AddrPort, tooLarge func()) (*Socket, error) {
	s := &Socket{descriptor: descriptor{fd: fd}, peer: unmap(peer), tooLarge: tooLarge}
	if err := s.inspect(); err != nil {
		return nil, opError("adopt UDP socket", err)
	}
	return s, nil
}

// inspect finds out what the socket is.
func (s *Socket) inspect() (err error) {
	protocol, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err == nil && protocol != unix.IPPROTO_UDP {
		err = unix.EPROTOTYPE
	}
	if err != nil {
		return err
	}
	if s.family, err = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return err
	}
	sa, err := unix.Getpeername(s.fd)
	switch err {
	case nil:
		s.peer, s.connected = addrPort(sa), true
	case unix.ENOTCONN:
	default:
		return err
	}
	return s.readLocal()
}

// AdoptChannel returns the channel whose two descriptors an earlier process had, as
// its Descriptors said. They are the channel's from now on.
func AdoptChannel(s ChannelSpec, pppox, channel int) *Channel {
	return &Channel{spec: s, pppox: descriptor{fd: pppox}, descriptor: descriptor{fd: channel}}
}

// Descriptors returns both descriptors, for handing them to another process. They
// are valid only until Close.
func (c *Channel) Descriptors() (pppox, channel int) { return c.pppox.FD(), c.FD() }

// AdoptUnit returns the unit whose descriptor an earlier process had, and whose interface is
// called name. With an error the descriptor stays the caller's.
func (k *Kernel) AdoptUnit(name string, fd int) (u *Unit, err error) {
	u = &Unit{descriptor: descriptor{fd: fd}, name: name, made: time.Now(), adopted: true, links: k.Links}
	if u.number, err = unix.IoctlGetInt(fd, unix.PPPIOCGUNIT); err != nil {
		return nil, opError("adopt ppp interface "+name, err)
	}
	if u.index, err = k.Index(name); err != nil {
		return nil, err
	}
	return u, nil
}
