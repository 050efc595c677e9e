// Package shell is the client side of management: it reads commands, sends
// them to the daemon and prints what comes back.
//
// The grammar, its help and the output come from package schema; nothing here
// knows any particular object. Start at shell.go; client.go reaches the
// daemon, output.go prints, help.go explains.
package shell
