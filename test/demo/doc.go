// Demo shows Culvert at work: an LNS and a LAC in two network namespaces, a
// session between them, a ping and a TCP transfer through it, and what the
// kernel and the daemons say of it. "make demo" runs it.
//
//	culvert-demo [kernel|tun]
//
// Where the running kernel has no L2TP, kernel means a virtual machine with a
// stock Debian kernel. Read main.go, then story.go.
package main
