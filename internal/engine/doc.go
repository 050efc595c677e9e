// Package engine is the daemon's heart: the loops that own tunnels, sessions
// and their timers, and the place where the cores, the data plane and the
// configuration meet.
//
// Read in this order:
//
//   - engine.go: the engine as a whole, what its owner calls
//   - shard.go: one loop, and the rule of who owns what
//   - deadline.go, mailbox.go, worker.go, job.go: what a loop is made of
//   - gate.go, pace.go, sightings.go, registry.go: what pollers let in
//   - accept.go, dial.go: how tunnels begin, by a peer or by us
//   - halfopen.go, share.go, overload.go: what is bounded, and what the log is told of it
//   - turns.go: which calls of ours are placed when
//   - tunnel.go: one tunnel: what its core says is carried out; tunnel_end.go: how it ends
//   - session.go: one session, from the call to the network
//   - link.go: the session's PPP link, carried out likewise
//   - network.go: addresses, interfaces and routes of a link
//   - settings.go: from profiles to the cores' configurations
//   - backend.go, status.go: what management asks and changes
//   - record.go, keep.go, inherit.go, inherit_session.go, declared.go: what outlives the process: how it
//     is written down, when, and how the next process takes it over
//   - trace.go, trace_tunnel.go, trace_session.go: what those are told who look for faults
package engine
