// Package api holds Culvert's management schema: one message for each object
// that can be created, modified, shown and listed, and the service that does
// it.
//
// The messages and their options, in culvert/v1, are the only description of
// the parameters. The package schema reads them; the shell, the configuration
// file, validation, output and the reference manual follow from there. To add
// a parameter, add a field and generate.
//
// Start at options.proto, which says what can be said about a parameter, then
// read tunnel.proto and management.proto.
package api

//go:generate go tool -modfile=../go.tool.mod buf generate
//go:generate go run ../internal/schema/reference -o ../docs/reference.md -man ../packaging/man/culvertd.conf.5
