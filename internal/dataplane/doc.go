// Package dataplane is where the engine meets what carries packets.
//
// [Dataplane] is the interface; read it first. Four implementations pass one
// contract test:
//
//   - kernel: l2tp tunnels and sessions, ppp channels and units of the Linux
//     kernel carry all data; only control messages and PPP control frames come here
//   - tun: one TUN device with framing in this process, for kernels without L2TP or PPP
//   - null: sockets for the control channel, and no data at all
//   - fake: everything in memory, for the engine's tests
package dataplane
