// Package trace is how one sees what tunnels and sessions do: the flight
// recorder, which keeps the last messages and events of all of them in memory;
// trace flags, which send the same to the log at once; and captures of the
// control channel.
//
// Read it in this order:
//
//   - recorder.go: the Recorder and the hooks that the engine calls
//   - ring.go: where records are kept
//   - render.go: a record in words, which nobody pays for until it is asked for
//   - find.go: the records of one tunnel or session
//   - avp.go: what the flags of AVPs add
//   - capture.go, packet.go, pcapng.go: captures
//
// Secrets are never in a record, a line or a capture: they are overwritten
// before anything is kept.
package trace
