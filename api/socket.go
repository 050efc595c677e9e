package api

// DefaultSocket is where the daemon listens and the shell connects, if nothing
// else is said.
const DefaultSocket = "/run/culvert/culvert.sock"
