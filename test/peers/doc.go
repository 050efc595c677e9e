// Package peers runs other people's L2TP and RADIUS daemons, as Debian
// packages them, so that Culvert is tested against what it will meet.
//
// Each daemon lives in a namespace of its own ([culvert/test/lab]), with its
// configuration in a temporary directory or under /etc/netns, and ends with the
// test. What the test waits for are lines of the daemons' logs, never a time.
//
//	auth.go         Auth: the authentication protocols, as the daemons call them
//	xl2tpd.go       XL2TPD: xl2tpd with pppd, as LAC or as LNS
//	xl2tpd_conf.go  its configuration files
//	l2tpns.go       L2TPNS: l2tpns as LNS
//	freeradius.go   FreeRADIUS: who answers l2tpns
package peers
