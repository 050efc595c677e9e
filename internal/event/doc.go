// Package event keeps the daemon's last events in memory for those who watch.
//
// Publishing never waits for a reader: who reads too slowly misses events and
// is told how many.
package event
