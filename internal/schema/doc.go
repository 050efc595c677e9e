// Package schema reads the management objects out of the descriptors of package
// api and gives the rest of the program its language: which objects there are
// (Kind), what can be said of them (Param), commands (Command), and their text.
//
// Nothing here knows any particular object or parameter.
//
// Read kind.go, param.go and value.go for the objects; lex.go, operation.go and
// command.go for the language; write.go for turning objects back into commands; suggest.go
// for "did you mean".
package schema
