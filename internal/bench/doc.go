// Package bench is a load generator for an LNS: it plays LACs with tunnels, calls
// and PPP peers in them, and measures how long each step of their set-up takes.
// It needs no L2TP in the kernel: cores of packages l2tp and ppp, UDP sockets.
//
// One goroutine, the run's loop, owns every tunnel, session and timer. A session has
// neither a goroutine nor a timer; deadlines are one heap. Whoever reads sockets
// puts datagrams into the loop's mailbox.
//
// Read in this order:
//
//	config.go pattern.go source.go  what is to be done
//	network.go udp.go               sockets, behind an interface
//	mailbox.go deadline.go          how datagrams and time reach the loop
//	run.go stage.go pace.go         the loop; how a run ends; when calls are placed
//	tunnel.go session.go            one tunnel; one session and its link
//	traffic.go packet.go            packets inside of sessions
//	cause.go tally.go timeline.go   what is counted
//	report.go text.go               what is told
//	html.go chart.go                the same as a page with charts
package bench
