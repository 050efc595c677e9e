// Package kernel is the Linux side: sockets, l2tp tunnels and sessions, ppp
// channels and units, and the network interfaces made of them.
//
// It knows no protocol and keeps no policy: it does what it is told, in the
// caller's goroutine, and never retries. It is the only package that calls
// x/sys/unix and the netlink modules.
//
// # Objects
//
// Which object there is for what, and which descriptor keeps it alive:
//
//   - a tunnel is a UDP socket connected to the peer ([DialUDP]) that
//     [Kernel.CreateTunnel] gives to l2tp. Control messages still arrive on the
//     socket; data messages of known sessions do not. It lives until
//     [Kernel.DeleteTunnel] or the socket's last descriptor is closed, which
//     takes its sessions along
//   - a session ([Kernel.CreateSession]) lives in its tunnel
//   - a channel ([OpenChannel]) is a PPPoL2TP socket connected to the session
//     and a descriptor of /dev/ppp attached to it. PPP frames that are not the
//     network layer's are read and written there
//   - a unit ([Kernel.CreateUnit]) is a descriptor of /dev/ppp and the network
//     interface that goes with it. Frames of network control protocols are read
//     there once a channel is connected. Closing it removes the interface
//
// Descriptors may be copied to another process, which keeps the objects alive when
// this one dies; a third one takes them over ([AdoptUDP], [AdoptChannel],
// [Kernel.AdoptUnit]). What takes effect by closing a descriptor does so with the
// last copy.
//
// So a tunnel costs one descriptor, a session three and one interface.
//
// A tunnel has nothing to modify: what L2TP_CMD_TUNNEL_MODIFY could change was
// the debug flags, which the kernel has dropped; it only sends a notice. A session's
// sequencing is changed by [Kernel.ModifySession]. Of the multicast events only
// deletions matter here: nothing else happens that we did not ask for.
//
// # Waiting
//
// Most of set-up and teardown is waiting for RCU grace periods, which callers
// in parallel share: one session's steps go in order, hundreds of sessions at
// once. Everything here is made to be called that way.
//
// # Order of reading
//
//	kernel.go spec.go              the handle and the values
//	socket.go sockaddr.go sockopt.go   UDP sockets
//	poller.go descriptor.go        waiting for descriptors, and closing them safely
//	tunnel.go session.go events.go l2tp by generic netlink
//	channel.go unit.go tun.go      ppp, and the device of those who do without
//	link.go address.go route.go    interfaces by rtnetlink
//	hostaddr.go proxy.go forward.go    this host's own addresses, ARP for peers, forwarding
//	combine.go changes.go remove.go    many callers' changes and removals in one go
//	adopt.go list.go               what an earlier process had, and has left
//	clock.go                       the time since the machine's boot
//	peer.go                        who is at the other end of a Unix socket
//	stats.go inventory.go          what the kernel has
//	probe.go                       what the kernel lacks
//	netlink.go errors.go           how requests are made, and how they fail
package kernel
