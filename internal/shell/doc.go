// Package shell is the client side of management: it reads commands, sends
// them to the daemon and prints what comes back.
//
// What can be said of objects comes from package schema; the commands that are
// no operations on objects are the tables in verb_*.go. Both make one grammar,
// from which come understanding, completion and help.
//
//	shell.go        a Shell, and how a command goes through it
//	grammar.go      the words of all commands; call.go reads what follows a verb's
//	object.go       operations on objects; find.go finds sessions by what people call them
//	verb_*.go       all other commands
//	server.go       how a daemon is reached; errors.go says why it was not
//	show.go         one object; table.go many; encode.go JSON and YAML; style.go colours
//	filter.go       what stands after a "|"; pager.go stops at the end of pages
//	ask.go          questions; progress.go how far long work has come
//	interactive.go  the shell at a terminal (terminal.go), with a history (history.go)
//	complete.go     what can stand at the end of a line (scan.go), values from values.go;
//	                listhelp.go shows it, scripts.go gives it to bash, zsh and fish
package shell
