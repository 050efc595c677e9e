// Package dataplanetest is the contract of data planes as tests: [Contract] runs
// the same cases against fake, null, tun and kernel.
//
//	contract.go  Contract, and what an implementation gives to it: Pair, Flow
//	recorder.go  a handler that keeps what it is told
//	call.go      opening tunnels and sessions between the two sides
//	control.go   cases: sockets and control messages
//	frame.go     cases: PPP frames and sequence numbers
//	link.go      cases: network packets, MTU, counters
//	closing.go   cases: closing, what is left, many workers
//	hosts.go     a pair of hosts in network namespaces, for data planes of this kernel
package dataplanetest
