// Package daemon runs culvertd, l2tpconfig and culvert-bench as their users do, for
// tests and for the demonstration.
//
//	daemon.go         Daemon: culvertd in a namespace
//	program.go        where the programs come from
//	client.go         l2tpconfig, and the same questions asked faster by the API
//	configuration.go  loading another configuration
//	load.go           Load: culvert-bench in a namespace
package daemon
