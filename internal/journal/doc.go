// Package journal keeps records in files where they outlive the process, however
// it ends: what was flushed is there for the next one.
//
// It is for what must be known after kill -9, not after a power failure: the
// files belong on a tmpfs such as /run, and nothing is ever synchronised to a
// disk.
//
//	dir.go       a directory of files: which of them count; taking over the last process's
//	writer.go    one file, to which one goroutine appends, and that it writes anew
//	             when little of it is still of use
//	record.go    what a file looks like
//
// What is in a record is the caller's.
package journal
