// Package lab makes what tests on a real kernel need: network namespaces and
// links between them, daemons in them, captures, pings, transfers, and the
// check that nothing was left behind.
//
// All of it needs root. [RequireKernel] says what a test needs beyond that.
// Everything made through a testing.TB is removed when that test ends.
//
//	require.go   RequireKernel, RequireRoot
//	netns.go     NetNS: a namespace; run functions and commands in it
//	veth.go      Veth, Netem: links
//	wait.go      Wait: until a condition holds
//	daemon.go    Daemon: a process with its output
//	capture.go   Capture, CheckCapture: tcpdump and tshark
//	traffic.go   Ping, Transfer
//	flood.go     Flood: datagrams from addresses that are not the sender's
//	memory.go    PrivateMemory
//	leak.go      CheckLeaks: what is left in a namespace
package lab
