// Package schematest makes values for tests of every parameter that the schema has.
package schematest
