// Package logging is where log lines go: standard error, files, syslog and the
// journal, any of them at once.
//
// Two things hold for every target. A line is one line, whatever a peer put into
// a name or a message: control characters are escaped. And a target that is
// slow, full or gone holds nothing up and ends nothing: lines wait in a queue,
// and when that is full they are lost and counted.
package logging
