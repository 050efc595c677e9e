// Package dataplane is where the engine meets what carries packets.
//
// [Dataplane] is the interface; read it first. Four implementations pass one
// contract test, in package dataplanetest:
//
//   - kernel: l2tp tunnels and sessions, ppp channels and units of the Linux
//     kernel carry all data; only control messages and PPP control frames come here
//   - tun: one TUN device with framing in this process, for kernels without L2TP or PPP
//   - null: sockets for the control channel, and no data at all
//   - fake: everything in memory, for the engine's tests
//
// The files:
//
//	dataplane.go   the interface
//	keep.go        what outlives the process: the keeper, and what is kept under which key
//	spec.go        what is wrong with a specification; causes of errors
//	pin.go         keeping the way to a tunnel's peer outside the tunnel
//	proxy.go       answering ARP for peers
//	locals.go      this host's address for interfaces that have none
//	kernel*.go     kernel; kernel_adopt.go: taking over what was kept; kernel_leave.go:
//	               handing over, leaving, and ending what nobody took over
//	fake*.go       fake: its wire, queue, tunnels and sessions, itself as text; killing it,
//	               and adopting what it left
//	header.go      the header of a data message and the PPP frame in it (RFC 2661, 3.1)
//	sequence.go    sequence numbers of data messages (RFC 2661, 5.4); reorder.go
//	user*.go       what null and tun share: sockets, tunnels and sessions in userspace
//	null.go        null
//	tun.go         tun: the device; tun_packet.go: each packet's way; tun_icmp.go: too
//	               large ones; tun_link.go: addresses, routes and MTU
package dataplane
