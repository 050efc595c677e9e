// Package resolver tells the host which name servers a link gave us, in the
// way that the host has for it: systemd-resolved, resolvconf, or
// /etc/resolv.conf itself.
package resolver
