package kernel

import (
	"errors"

	"golang.org/x/sys/unix"
)

// SetNoChecksum makes the socket send without UDP checksum over IPv4, or with it
// again: its own datagrams, and the data of a kernel's tunnel on it. (What could be
// given to CreateTunnel is for sockets of the kernel's own.) Over IPv6 there always is
// one, since most receivers drop what has none; only that is taken.
func (s *Socket) SetNoChecksum(on bool) error {
	return opError("change UDP checksums to "+s.Peer().String(),
		s.use(func(int) error { return s.setNoChecksum(on) }))
}

func (s *Socket) setNoChecksum(on bool) error {
	if s.family == unix.AF_INET {
		return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, int(flag(on)))
	}
	return unix.SetsockoptInt(s.fd, unix.SOL_UDP, unix.UDP_NO_CHECK6_RX, int(flag(on)))
}

// DontFragment does what the option of DialUDP does.
func (s *Socket) DontFragment() error {
	return opError("forbid fragments to "+s.Peer().String(),
		s.use(func(int) error { return s.dontFragment() }))
}

func (s *Socket) dontFragment() error {
	if s.family == unix.AF_INET {
		return unix.SetsockoptInt(s.fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
	}
	return errors.Join(
		unix.SetsockoptInt(s.fd, unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO),
		unix.SetsockoptInt(s.fd, unix.SOL_IPV6, unix.IPV6_DONTFRAG, 1))
}

// PathMTU returns the largest IP packet that the path to the peer takes, as far as
// is known. The socket must be connected.
func (s *Socket) PathMTU() (mtu int, err error) {
	err = s.use(func(fd int) (err error) {
		if s.family == unix.AF_INET {
			mtu, err = unix.GetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU)
		} else {
			mtu, err = unix.GetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MTU)
		}
		return err
	})
	return mtu, opError("read path MTU to "+s.Peer().String(), err)
}

// judge notes whether err says that a datagram was too large for the path. It may
// be called with the descriptor in use.
func (s *Socket) judge(err error) {
	if err == unix.EMSGSIZE && s.tooLarge != nil {
		s.large.Store(true)
	}
}

// notice tells what judge noted. No lock is held.
func (s *Socket) notice() {
	if s.large.Load() && s.large.Swap(false) {
		s.tooLarge()
	}
}
