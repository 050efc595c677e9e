// Package commit checks and loads whole configurations while the daemon runs,
// writes them to its file, and keeps those that once ran.
//
//	commit.go    Configurator: check, load, confirm
//	source.go    where a configuration comes from, and what is wrong in it
//	diff.go      what is different between two configurations
//	plan.go      which tunnels and sessions that concerns, and how
//	warnings.go  what a plan leaves as it is
//	carry.go     carrying a plan out
//	confirm.go   going back unless somebody confirms
//	write.go     the daemon's own file
//	running.go   what runs, for the process that comes after this one
//	history.go   revisions, in a folder
//	file.go      files that are there whole or not at all
//	reload.go    SIGHUP
package commit
