// Package service is a daemon's life among other processes: what it tells
// systemd, how it shows that it is alive, and the file that holds its number.
//
// Start at manager.go, which is systemd's side. pidfile.go is for those who
// have none, dump.go says what a process is doing, and openfiles.go how many files it may open.
package service
