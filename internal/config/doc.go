// Package config holds the daemon's configuration: profiles, users, pools,
// the system's limits, and the tunnels and sessions that are to exist.
//
// A Store applies commands, each a schema.Command, and publishes an immutable
// Snapshot. Commands come from a file (Parse) or from the management service.
// Either all commands of a batch take effect or none.
//
// What is configured stays apart from what follows from it: the Store keeps
// the messages of package api with only the parameters that somebody set, and
// a Snapshot resolves them, by inheritance, into the plain structs that the
// engine uses (TunnelParameters, SessionParameters, PPPParameters).
//
// Read snapshot.go, then source.go and resolve.go for what follows from it, store.go and
// edit.go for changes, fault.go and warnings.go for what is wrong. explain.go says
// where values come from; rewrite.go saves into a file that was written by hand.
package config
