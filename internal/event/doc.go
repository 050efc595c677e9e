// Package event keeps the daemon's last events in memory for those who watch.
//
// Publishing never waits for a reader: who reads too slowly misses events and
// is told how many.
//
//	log.go      the ring: publishing and reading
//	keep.go     what the next process finds of it
//	story.go    telling to its end what the last process has told of
package event
