// Package management serves the management API on a Unix socket.
//
// Requests for profiles, users, pools and the system are carried out on the
// config.Store; tunnels and sessions are the Backend's, which is the engine.
// Start at backend.go, then server.go; socket.go has the socket.
package management
