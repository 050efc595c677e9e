// Package importer turns the configurations of other L2TP daemons into
// Culvert's: xl2tpd (with pppd's options and secrets), openl2tp, l2tpns and
// accel-ppp.
//
// What has no counterpart is never dropped silently: each such statement
// becomes a Note, with its file and line, that says why, and what to do instead.
// What is harmless to leave out, since it holds anyway, is left out without a word.
//
// Start at importer.go. A draft (draft.go) collects the objects; each daemon
// has a file with the tables that say what becomes of its statements. ini.go,
// pppd.go and secrets.go read what several of them share.
package importer
