package kernel

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Credentials are those of the process at the other end of a Unix socket, as
// they were when it connected.
type Credentials struct {
	PID      int
	UID, GID int
	// Groups are all its groups, GID among them. On kernels before 4.13, which do
	// not tell, it is GID alone.
	Groups []int
}

// In reports whether the process was in a group.
func (c Credentials) In(gid int) bool { return slices.Contains(c.Groups, gid) }

// PeerCredentials returns those of the other end of c.
func PeerCredentials(c *net.UnixConn) (Credentials, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Credentials{}, fmt.Errorf("asking who connected: %w", err)
	}
	var creds Credentials
	var failed error
	err = raw.Control(func(fd uintptr) { creds, failed = peerCredentials(int(fd)) })
	if err = errors.Join(err, failed); err != nil {
		return Credentials{}, fmt.Errorf("asking who connected: %w", err)
	}
	return creds, nil
}

func peerCredentials(fd int) (Credentials, error) {
	u, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{PID: int(u.Pid), UID: int(u.Uid), GID: int(u.Gid), Groups: []int{int(u.Gid)}}
	groups, err := peerGroups(fd)
	switch {
	case errors.Is(err, unix.ENOPROTOOPT):
		return c, nil
	case err != nil:
		return Credentials{}, err
	}
	for _, g := range groups {
		if !c.In(int(g)) {
			c.Groups = append(c.Groups, int(g))
		}
	}
	return c, nil
}

// peerGroups returns the supplementary groups of a socket's other end. How many
// there are the kernel says when there is no room for them.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(4 * len(groups))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET,
			unix.SO_PEERGROUPS, uintptr(unsafe.Pointer(&groups[0])),
			uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno != unix.ERANGE || int(size/4) <= len(groups):
			return nil, errno
		}
		groups = make([]uint32, size/4)
	}
}
