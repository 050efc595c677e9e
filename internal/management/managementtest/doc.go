// Package managementtest has a management.Backend that keeps tunnels and
// sessions in memory and has them up at once, for tests.
package managementtest
