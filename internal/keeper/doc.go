// Package keeper holds descriptors for a process that may die, so that what hangs
// on them lives on, and its successor takes them over.
//
// A [Keeper] is the process culvert-keeper. It knows nothing of what it holds:
// descriptors under keys. So it is small, and has no reason to change when the daemon
// does: an upgrade leaves it running. A [Client] is the daemon's side.
//
// They talk over a Unix socket of packets (SOCK_SEQPACKET), in which descriptors
// travel by SCM_RIGHTS. Of clients the newest is served: when it says hello, the
// one before it is read to its end and closed. What a client that was killed had
// still sent is thus held before its successor asks what there is.
//
// It needs nothing but the standard library.
//
// The files:
//
//	message.go   what is said: parse, append
//	socket.go    sending and receiving it, with descriptors
//	keeper.go    the keeper: who may talk to it, and for how long
//	kept.go      what it holds, and what it does when told
//	closer.go    closing descriptors, which can take long, many at a time
//	client.go    the client: keep, and what becomes of it when the keeper dies
//	drop.go      dropping, many callers in one message
package keeper
