// Package resolver tells the host which name servers a link gave us, in the
// way that the host has for it: systemd-resolved, resolvconf, or
// /etc/resolv.conf itself. It also asks for the addresses of hosts that files name.
package resolver
