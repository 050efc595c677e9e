// Package lab makes what tests on a real kernel need: network namespaces and
// links between them, daemons in them, captures, pings, transfers, and the
// check that nothing was left behind.
//
// What touches the network needs root. [RequireKernel] says what a test needs beyond that.
// Everything made through a testing.TB is removed when that test ends.
//
//	require.go   RequireKernel, RequireRoot
//	netns.go     NetNS: a namespace; run functions and commands in it
//	veth.go      Veth, Netem, Lose: links
//	wait.go      Wait: until a condition holds
//	daemon.go    Daemon: a process with its output
//	output.go    Output: what is written, for a test to read meanwhile
//	capture.go   Capture, CheckCapture: tcpdump and tshark
//	traffic.go   Ping, Transfer
//	flow.go      Flow: paced packets, of which none may be lost
//	flood.go     Flood: datagrams from addresses that are not the sender's
//	leak.go      CheckLeaks: what is left in a namespace
//	memory.go    Memory, PrivateMemory: of a process; DirBytes: of files
package lab
